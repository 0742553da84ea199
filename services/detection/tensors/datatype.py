"""The protocol's names for what is in a tensor, and numpy's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["flag", "whole", "real", "text"]
"""What a value is in JSON: true or false, a number without a fraction, a number, a string."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Datatype:
    """One row of the protocol's table of tensor data types."""

    name: str
    dtype: np.dtype[Any]
    """Little-endian, as tensors travel; texts are `str` objects in memory."""
    kind: Kind

    @property
    def size(self) -> int | None:
        """Bytes of one value; None where each has its own length."""
        return None if self.kind == "text" else self.dtype.itemsize


def _table() -> Mapping[str, Datatype]:
    rows: list[tuple[str, str, Kind]] = [("BOOL", "?", "flag")]
    rows += [(f"UINT{bits}", f"<u{bits // 8}", "whole") for bits in (8, 16, 32, 64)]
    rows += [(f"INT{bits}", f"<i{bits // 8}", "whole") for bits in (8, 16, 32, 64)]
    rows += [(f"FP{bits}", f"<f{bits // 8}", "real") for bits in (16, 32, 64)]
    rows += [("BYTES", "O", "text")]
    return {name: Datatype(name=name, dtype=np.dtype(code), kind=kind) for name, code, kind in rows}


DATATYPES = _table()
"""By the protocol's name. BF16 is none of them: numpy has no such type."""

_BY_NUMPY = {
    "str": DATATYPES["BYTES"],
    **{each.dtype.name: each for each in DATATYPES.values()},
}


def of_numpy(name: str) -> Datatype:
    """The datatype of a dtype's name, as a model declares it; `str` and `object` are BYTES."""
    return _BY_NUMPY[name]
