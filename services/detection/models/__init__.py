"""Model files: checked, chosen for, loaded, warmed and kept."""
