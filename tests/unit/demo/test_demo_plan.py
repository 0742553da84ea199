"""What can be asked of the demo, and what is refused in one sentence."""

from __future__ import annotations

import pytest

from sightline.demo.errors import DemoError
from sightline.demo.plan import duration, tak_address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("2m", 120.0), ("1h", 3600.0), ("45", 45.0), ("0.5s", 0.5), ("1.5m", 90.0)],
)
def test_a_duration_has_a_unit_or_is_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "3 weeks", "0s", "-5s", "nan", "inf", "31d", "1e9h"]
)
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|outside"):
        duration(text)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://127.0.0.1:8087", ("127.0.0.1", 8087)),
        ("tcp://tak.example:1", ("tak.example", 1)),
        ("tcp://[::1]:8087", ("::1", 8087)),
    ],
)
def test_a_tak_server_is_named_by_host_and_port(url: str, address: tuple[str, int]) -> None:
    assert tak_address(url) == address


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8087", "ssl://host:8089", "tcp://host", "tcp://:8087", "tcp://h:99999"]
)
def test_another_kind_of_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(DemoError, match="--tak"):
        tak_address(url)
