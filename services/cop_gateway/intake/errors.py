"""Why a frame that is well-formed was not taken in. Nothing of it is stored then."""


class IntakeError(Exception):
    """Base of the errors of this package."""


class IntakeBusyError(IntakeError):
    """Too many frames wait already, or the gateway is stopping: send it again a little later."""


class IntakeFailedError(IntakeError):
    """The frame could not be worked on or stored."""
