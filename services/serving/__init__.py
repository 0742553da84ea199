"""How every service speaks HTTP: settings, requests, problems, probes, and how it stops."""
