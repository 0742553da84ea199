"""What the gateway and `sightline secrets enrol` both say to a TAK server. Pure."""
