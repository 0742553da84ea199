"""The detection service: bytes → image → letterbox → session → boxes → message."""
