"""The whole path at once: simulator, detection, gateway and a real TAK server, measured."""
