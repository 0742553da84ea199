"""What can go wrong with Cursor on Target."""


class CotError(Exception):
    """Base of the errors of this package."""


class CatalogueError(CotError):
    """A table of classes that cannot be used: which entry, and why."""


class EventError(CotError):
    """An event that cannot be written in the way that a peer wants it."""


class FramingError(CotError):
    """A byte stream that is not a CoT stream."""
