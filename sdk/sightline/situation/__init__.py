"""How an environment is, on one screen: colours, errors, sinks, backups, certificates, drift."""
