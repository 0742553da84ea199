"""API keys: what lets somebody in, and what does not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access import ROLES, Gate, KeyRing, KeysError, NotAllowedError, NotKnownError, Tokens, new_key
from access.keys import entry_of
from access.roles import INCLUDES, allows

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def ring(*entries: str) -> KeyRing:
    return KeyRing.parse("\n".join(entries), name="keys.toml")


def test_a_new_key_opens_with_its_entry_and_only_with_its_roles() -> None:
    key, entry = new_key("drone-7", ("detect",))
    principal = Gate(keys=ring(entry), tokens=Tokens()).principal(key, now=NOW)
    assert (principal.id, principal.roles) == ("drone-7", {"detect"})
    principal.must("detect")
    with pytest.raises(NotAllowedError, match="drone-7 has not the role read"):
        principal.must("read")
    assert key not in entry


def test_two_keys_of_one_name_differ() -> None:
    (one, _), (other, _) = new_key("drone-7", ("detect",)), new_key("drone-7", ("detect",))
    assert one != other


KEY, ENTRY = new_key("drone-7", ("detect",))


@given(st.integers(0, len(KEY) - 1), st.characters())
def test_a_key_with_any_other_letter_opens_nothing(at: int, letter: str) -> None:
    other = KEY[:at] + letter + KEY[at + 1 :]
    if other == KEY:
        return
    with pytest.raises(NotKnownError) as refused:
        ring(ENTRY).holder(other, now=NOW)
    assert other not in str(refused.value)


@given(st.text(max_size=200))
def test_whatever_is_shown_is_refused_in_one_way(shown: str) -> None:
    gate = Gate(keys=ring(ENTRY), tokens=Tokens(secret="s" * 32))
    with pytest.raises(NotKnownError):
        gate.principal(shown, now=NOW)


def test_a_key_ends_when_its_entry_says() -> None:
    keys = ring(ENTRY, "expires = 2026-11-25T10:00:01Z")
    assert keys.holder(KEY, now=NOW).id == "drone-7"
    with pytest.raises(NotKnownError, match=r"drone-7 ended on 2026-11-25"):
        keys.holder(KEY, now=NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[keys]\n", "not TOML"),
        (ENTRY + ENTRY, "drone-7 is there more than once"),
        (ENTRY.replace('"detect"', '"admin"'), "roles"),
        (ENTRY.replace("roles", "role"), "role"),
        (ENTRY.replace("sha256", "key"), "key"),
        (ENTRY + "expires = 2027-01-01T00:00:00\n", "expires has no time zone"),
        ('[[keys]]\nid = "a"\nsha256 = "abc"\nroles = ["read"]\n', "sha256"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(KeysError, match=named) as refused:
        ring(text)
    assert str(refused.value).startswith("keys.toml: ")


def test_whoever_shows_nothing_may_what_anonymous_may() -> None:
    closed = Gate(keys=ring(ENTRY), tokens=Tokens())
    with pytest.raises(NotKnownError):
        closed.principal(None, now=NOW)
    seen = Gate(keys=ring(ENTRY), tokens=Tokens(), anonymous=frozenset({"read"}))
    assert seen.principal(None, now=NOW).roles == {"read"}
    assert seen.principal(KEY, now=NOW).roles == {"read", "detect"}


def test_an_operator_may_read_and_nobody_else_may_what_they_were_not_given() -> None:
    assert allows({"operate"}, "read")
    assert {(held, needed) for held in ROLES for needed in ROLES if allows({held}, needed)} == {
        *((role, role) for role in ROLES), ("operate", "read"),
    }  # fmt: skip
    assert INCLUDES.keys() == set(ROLES)
    assert not allows(set(), "read")


def test_a_key_that_was_replaced_opens_until_it_ends() -> None:
    old, _ = new_key("drone-7", ("read",))
    new, _ = new_key("drone-7", ("read",))
    ends = NOW + timedelta(days=7)
    digest = hashlib.sha256(old.encode()).hexdigest()
    keys = ring(entry_of(new, ("read",), earlier={digest: ends}))
    for key in (old, new):
        assert keys.holder(key, now=ends - timedelta(seconds=1)).id == "drone-7"
    assert keys.holder(new, now=ends).id == "drone-7"
    with pytest.raises(NotKnownError, match="replaced"):
        keys.holder(old, now=ends)
    with pytest.raises(NotKnownError, match="not known"):
        keys.holder(new_key("drone-7", ("read",))[0], now=NOW)


def test_when_a_replaced_key_ends_must_be_said_with_its_time_zone() -> None:
    entry = f'{ENTRY}earlier = [{{sha256 = "{"0" * 64}", expires = 2026-12-01T00:00:00}}]\n'
    with pytest.raises(KeysError, match="time zone"):
        ring(entry)
    with pytest.raises(KeysError, match="expires"):
        ring(f'{ENTRY}earlier = [{{sha256 = "{"0" * 64}"}}]\n')
