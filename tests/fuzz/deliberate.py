"""Targets that do what none may: what finds them is tried on these."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from detection.errors import FormError, ImageError
from fuzz.mutation import Chance
from fuzz.targets import Target

_kept: list[object] = []


def _crash(_data: bytes, _by: Chance) -> NoReturn:
    os.abort()


def _hang(_data: bytes, _by: Chance) -> None:
    time.sleep(3600)


def _work(_data: bytes, _by: Chance) -> None:
    end = time.process_time() + 3.0
    while time.process_time() < end:
        pass


def _hoard(_data: bytes, _by: Chance) -> None:
    _kept.append(np.ones(64 << 20, np.uint8))


def _stumble(data: bytes, _by: Chance) -> None:
    raise IndexError(len(data))


def _babble(_data: bytes, _by: Chance) -> None:
    raise ImageError("is wrong\nin two lines")


def _mistake(_data: bytes, _by: Chance) -> None:
    raise FormError("is not what was sent", field="body")


def _deliberate(does: Callable[[bytes, Chance], None]) -> Target:
    def check(data: bytes, by: Chance) -> None:
        # What is good is read without any trouble; one change in some has its trouble.
        if data != b"good" * 9 and by.random() < 0.1:
            does(data, by)

    return Target(good=lambda: [b"good" * 9], check=check, refusal=ImageError, megabytes=32)


DELIBERATE = {
    "crash": _deliberate(_crash),
    "hang": _deliberate(_hang),
    "work": _deliberate(_work),
    "hoard": _deliberate(_hoard),
    "stumble": _deliberate(_stumble),
    "babble": _deliberate(_babble),
    "mistake": _deliberate(_mistake),
}
