"""What can go wrong on the way to a sink; all of it is retried, but for a wrong address."""


class DeliveryError(Exception):
    """Base of the errors of this package."""


class SinkAddressError(DeliveryError):
    """A sink's address that cannot be used."""


class SinkLostError(DeliveryError):
    """The connection broke, or the peer stopped answering."""
