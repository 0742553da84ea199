"""What can go wrong with the store."""


class OutboxError(Exception):
    """Base of the errors of this package; the message is one clear sentence."""


class StoreUnusableError(OutboxError):
    """The store cannot be opened as it is: wrong place, in use, damaged or newer than this code."""


class StoreAwayError(StoreUnusableError):
    """The database's server is not to be reached, or says that it is not ready."""


class HoldLostError(OutboxError):
    """Another process delivers to this sink now."""


class StoreFailedError(OutboxError):
    """A commit or a read failed: nothing of it is stored (a full disk, say)."""
