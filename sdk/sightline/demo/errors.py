"""Why the demo cannot go on."""


class DemoError(Exception):
    """Base of the errors of this package; the message is one clear sentence."""


class MissingPieceError(DemoError):
    """Something that the demo needs is not installed or not there."""


class DeadChildError(DemoError):
    """A process of the demo ended by itself, or never became ready."""
