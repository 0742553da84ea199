"""Why the gateway refuses to start."""


class GatewayError(Exception):
    """Base of the errors of the gateway as a whole; the message is one clear sentence."""


class SettingsError(GatewayError):
    """A setting that cannot be used."""
