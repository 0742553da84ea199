"""Backups of the gateway's database that can be trusted: made, checked, restored, compared.

A backup is a folder with `dump` and `manifest.json`; it appears whole or not at all.
"""
