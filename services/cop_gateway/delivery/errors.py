"""What can go wrong on the way to a sink; all of it is retried, but for a wrong address."""


class DeliveryError(Exception):
    """Base of the errors of this package."""


class SinkAddressError(DeliveryError):
    """A sink's address that cannot be used."""


class UnsendableError(DeliveryError):
    """An event that this way can never carry; nothing of its batch was sent."""

    def __init__(self, reason: str, *, index: int) -> None:
        super().__init__(reason)
        self.index = index
        """Which event of the batch."""


class SinkLostError(DeliveryError):
    """The connection broke, or the peer stopped answering."""
