"""Keys take the place of others: services that read the files let everybody in meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access import KeyRing, NotKnownError, SigningKeys, Tokens, new_key
from access.keys import Holder, entry_of
from sightline.journal import Journal
from sightline.secrets import api_keys, database_logins, rotation, token_keys
from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.folder import Folder

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LIFE = timedelta(minutes=15)
PLANTED = "planted-secret"
HOLDER = Holder(id="drone-7", roles=frozenset({"detect"}))
FRESH = [token_keys.new_key() for _ in range(4)]
minutes = st.integers(0, 120).map(lambda each: timedelta(minutes=each))


def _tokens(keys: list[token_keys.Key]) -> Tokens:
    text = token_keys.written(keys).decode()
    return Tokens(signing=SigningKeys.parse(text, name="f"), lifetime=LIFE)


def _rotated(keys: list[token_keys.Key], number: int, now: datetime = NOW) -> list[token_keys.Key]:
    return token_keys.rotate(keys, FRESH[number], now=now, token_life=LIFE)[1]


@given(lag=st.integers(0, 180), issued=minutes, shown=minutes)
@settings(max_examples=60, deadline=None)
def test_services_with_the_old_and_the_new_file_believe_each_others_tokens(
    lag: int, issued: timedelta, shown: timedelta
) -> None:
    """A replica reads the new file up to three minutes late, as long as a key settles."""
    old = _rotated([], 0, NOW - timedelta(days=1))
    new = _rotated(old, 1)
    read = NOW + timedelta(seconds=lag)

    def having(at: datetime) -> list[Tokens]:
        return [_tokens(new)] if at > read else [_tokens(old), _tokens(new)]

    for issuer in having(NOW + issued):
        token, ends = issuer.issue(HOLDER, now=NOW + issued)
        if NOW + issued <= NOW + shown < ends:
            for believer in having(NOW + shown):
                assert believer.holder(token, now=NOW + shown) == HOLDER


def test_the_states_of_a_key_follow_one_another() -> None:
    first = _rotated([], 0)
    one, two = FRESH[0]["kid"], FRESH[1]["kid"]
    assert token_keys.states(first, NOW) == {one: "waiting"}
    later = NOW + token_keys.SETTLE + timedelta(seconds=1)
    assert token_keys.states(first, later) == {one: "signing"}
    both = _rotated(first, 1, later)
    assert token_keys.states(both, later) == {one: "signing", two: "waiting"}
    change = later + token_keys.SETTLE + timedelta(seconds=1)
    assert token_keys.states(both, change) == {one: "believed", two: "signing"}
    with pytest.raises(RefusedError, match="good until"):
        token_keys.finish(both, now=change)
    end = change + LIFE + token_keys.LEEWAY
    assert token_keys.states(both, end) == {one: "ended", two: "signing"}
    steps, left = token_keys.finish(both, now=end)
    assert [key["kid"] for key in left] == [two]
    assert one[:12] in steps[0].sentence
    assert token_keys.finish(left, now=end)[0] == []


def test_a_second_rotation_waits_for_the_first() -> None:
    keys = _rotated([], 0)
    with pytest.raises(RefusedError, match="has not begun"):
        _rotated(keys, 1)


@given(gaps=st.lists(st.integers(4, 40), min_size=1, max_size=3), at=minutes)
@settings(max_examples=40, deadline=None)
def test_however_often_keys_change_one_signs(gaps: list[int], at: timedelta) -> None:
    keys, now = _rotated([], 0), NOW
    for number, gap in enumerate(gaps, 1):
        now += timedelta(minutes=gap)
        keys = _rotated(keys, number, now)
    when = now + at
    signing = [kid for kid, state in token_keys.states(keys, when).items() if state == "signing"]
    assert len(signing) == 1
    signer = SigningKeys.parse(token_keys.written(keys).decode(), name="f").signer(when)
    assert signer is not None
    assert [signer.kid] == signing


def test_at_once_leaves_no_earlier_token_good() -> None:
    old = _rotated([], 0, NOW - timedelta(days=1))
    token, _ = _tokens(old).issue(HOLDER, now=NOW)
    _, keys = token_keys.replace(old, FRESH[1], now=NOW)
    after = _tokens(keys)
    with pytest.raises(NotKnownError):
        after.holder(token, now=NOW)
    assert after.holder(after.issue(HOLDER, now=NOW)[0], now=NOW) == HOLDER


def test_no_step_and_no_view_holds_a_part_of_a_key() -> None:
    steps, keys = token_keys.rotate([], FRESH[0], now=NOW)
    told = " ".join([*(each.sentence for each in steps), repr(token_keys.told(keys, NOW))])
    assert FRESH[0]["d"] not in told
    with pytest.raises(FormatError) as caught:
        token_keys.parse(f'{{"keys": ["{PLANTED}"]}}', name="f")
    assert PLANTED not in str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "secrets")
    for who in ("drone-7", "operator"):
        made.write(f"{who}-key", new_key(who, ("detect",))[0].encode())
    made.write("token-secret", b"none of a holder")
    return made


def _ring(folder: Folder) -> KeyRing:
    entries = [
        entry_of(folder.text(f"{who}-key"), ("detect",), earlier=api_keys.earlier(folder, who))
        for who in api_keys.holders(folder)
    ]
    return KeyRing.parse("\n".join(entries), name="keys.toml")


def _rotate(
    folder: Folder, *who: str, now: datetime, days: float = 7, finish: bool = False
) -> None:
    planned = rotation.keys(folder, who, now=now, overlap=timedelta(days=days), finish=finish)
    rotation.take(planned, folder, Journal())


def test_a_replaced_api_key_opens_until_it_ends_also_after_a_second_rotation(
    folder: Folder,
) -> None:
    first = folder.text("drone-7-key")
    _rotate(folder, "drone-7", now=NOW)
    second = folder.text("drone-7-key")
    _rotate(folder, "drone-7", now=NOW + timedelta(days=3))
    third = folder.text("drone-7-key")
    assert len({first, second, third}) == 3
    ring = _ring(folder)
    for key, days in ((first, 7), (second, 10)):
        ends = NOW + timedelta(days=days)
        assert ring.holder(key, now=ends - timedelta(seconds=1)).id == "drone-7"
        with pytest.raises(NotKnownError, match="replaced"):
            ring.holder(key, now=ends)
    assert ring.holder(third, now=NOW + timedelta(days=999)).id == "drone-7"
    _rotate(folder, now=NOW + timedelta(days=8), finish=True)
    assert list(api_keys.earlier(folder, "drone-7").values()) == [NOW + timedelta(days=10)]


def test_without_overlap_the_earlier_keys_end_at_once(folder: Folder) -> None:
    first = folder.text("drone-7-key")
    _rotate(folder, "drone-7", now=NOW)
    second = folder.text("drone-7-key")
    _rotate(folder, "drone-7", now=NOW, days=0)
    for key in (first, second):
        with pytest.raises(NotKnownError):
            _ring(folder).holder(key, now=NOW)


def test_all_holders_are_meant_unless_one_is_named(folder: Folder) -> None:
    before = folder.text("operator-key")
    _rotate(folder, "drone-7", now=NOW)
    assert folder.text("operator-key") == before
    _rotate(folder, now=NOW)
    assert folder.text("operator-key") != before
    with pytest.raises(RefusedError, match="nobody-else has no key"):
        _rotate(folder, "nobody-else", now=NOW)


def test_a_folder_that_others_can_read_is_refused(folder: Folder) -> None:
    folder.path.chmod(0o750)
    with pytest.raises(RefusedError, match="chmod 700"):
        Folder(folder.path)


URLS = st.builds(
    "postgresql://{}:{}@{}/{}{}".format,
    st.sampled_from(["sightline", "cop_owner"]),
    st.from_regex(r"[a-zA-Z0-9]{1,20}(%40|%2F)?", fullmatch=True),
    st.sampled_from(["db", "db:5433", "[::1]:5432", "10.0.0.7"]),
    st.sampled_from(["sightline", "cop"]),
    st.sampled_from(["", "?sslmode=verify-full", "?options=-c%20statement_timeout%3D5s"]),
)


@given(URLS)
def test_logins_take_turns_and_the_rest_of_an_address_stays(url: str) -> None:
    first = database_logins.read(url, name="f")
    assert first.user == first.owner
    second = database_logins.following(first, name="f")
    third = database_logins.following(second, name="f")
    fourth = database_logins.following(third, name="f")
    assert [each.user for each in (second, third, fourth)] == [
        f"{first.owner}_a", f"{first.owner}_b", f"{first.owner}_a",
    ]  # fmt: skip
    words = {database_logins.password(each.url, name="f") for each in (first, second, third)}
    assert len(words) == 3
    for login in (second, third, fourth):
        assert database_logins.read(login.url, name="f") == login
        assert login.owner == first.owner
        assert login.url.split("@")[1].split("?")[0] == url.split("@")[1].split("?", maxsplit=1)[0]
        for part in ("sslmode=verify-full", "statement_timeout"):
            assert (part in login.url) == (part in url)
        assert login.url not in repr(login)
        assert database_logins.password(login.url, name="f") not in repr(login)


@pytest.mark.parametrize(
    "url",
    ["sqlite:///x", "postgresql:///x", "postgresql://h:x/y", f"postgresql://a b:{PLANTED}@h/x",
     f"postgresql://u:{PLANTED}@h1,h2/x"],
)  # fmt: skip
def test_an_address_that_cannot_be_rotated_is_not_quoted(url: str) -> None:
    with pytest.raises(FormatError) as caught:
        database_logins.read(url, name="f")
    assert PLANTED not in str(caught.value)
