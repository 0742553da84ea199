"""What is alike for all unit tests."""

from __future__ import annotations

import pytest

from telemetry.redaction import SECRETS


@pytest.fixture(scope="module", autouse=True)
def _no_secrets() -> None:
    """What one module's tests gave as a secret is none in the next one's."""
    SECRETS.forget()
