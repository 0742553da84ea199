"""Foreign bytes are read as what they are or refused in words; `make fuzz` tries many more."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.mutation import chance
from fuzz.targets import TARGETS, vectors
from fuzz.watch import Findings, run

CASES = {"image": 4000}
"""Enough to notice at once; what is rare, the night finds."""


@pytest.mark.parametrize("name", TARGETS)
def test_foreign_bytes_are_read_or_refused_and_nothing_else(name: str) -> None:
    cases = CASES.get(name, 2000)
    found = run(name, seed=0, first=0, last=cases)
    assert found.failed is None, f"case {found.case}: {found.failed}"
    assert found.cases == cases
    # Where next to nothing is read, or next to nothing refused, the cases are no good.
    assert 0.02 < found.outcomes["read"] / cases < 0.98


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_gives_the_same_cases(name: str) -> None:
    target = TARGETS[name]
    once, again = (
        [target.case(good, chance(name, 7, number)) for number in range(50)]
        for good in (target.good(), target.good())
    )
    assert once == again
    assert len(set(once)) > 40


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name in TARGETS for path in vectors(name)]
)
def test_what_was_mended_stays_mended(name: str, path: Path) -> None:
    TARGETS[name].run(path.read_bytes(), chance(name, 0, 0))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("crash", "the process ended with -6"),
        ("hang", "no progress for 1 s"),
        ("work", "s of the processor"),
        ("hoard", "MB more than good bytes"),
        ("stumble", "IndexError"),
        ("babble", "in two lines"),
        ("mistake", "FormError"),
    ],
)
def test_what_may_not_be_is_found_and_can_be_done_again(name: str, said: str) -> None:
    found = run(name, seed=0, first=0, last=200, hang_seconds=1.0 if name == "hang" else 20.0)
    assert found.failed is not None
    assert said in found.failed
    again = Findings(name, 0, case=found.case)
    assert found.data() == again.data() != b"good" * 9
