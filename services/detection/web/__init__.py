"""The calls of the detection service."""
