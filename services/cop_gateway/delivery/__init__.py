"""From the outbox to each sink: in order, at least once, for as long as it takes."""

from cop_gateway.delivery.backoff import Backoff
from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.courier import Courier
from cop_gateway.delivery.errors import DeliveryError, SinkAddressError

__all__ = [
    "Backoff",
    "Bulletin",
    "Courier",
    "DeliveryError",
    "SinkAddressError",
]
