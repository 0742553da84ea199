"""Request ids: a sane one is the caller's own, any other is replaced."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import identity

FIRST = string.ascii_letters + string.digits
REST = FIRST + "._:@/+=-"


@given(st.sampled_from(FIRST), st.text(st.sampled_from(REST), max_size=127))
def test_a_sane_id_is_kept(first, rest):
    assert identity.accepted(first + rest) == first + rest


@pytest.mark.parametrize(
    "header", [None, "", "a" * 129, "two words", "a\nb", "a\r\nx: y", "-a", '"a"', "{}", "ä", "a\0"]
)
def test_one_that_could_corrupt_a_log_is_replaced(header):
    given_id = identity.accepted(header)
    assert given_id != header
    assert identity.accepted(given_id) == given_id


def test_new_ids_differ():
    assert len({identity.accepted(None) for _ in range(100)}) == 100
