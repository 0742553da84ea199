"""Sightline's public import: the wire contract, the client, the simulator and the command line."""
