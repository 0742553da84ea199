"""The command line: `sightline`. Each command is a module; `exits` names the exit codes."""
