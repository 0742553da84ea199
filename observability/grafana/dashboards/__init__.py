"""Sightline's dashboards as code: `make dashboards` writes them to ../generated."""
