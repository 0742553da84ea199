"""Secrets are replaced wherever they turn up, and ordinary text is left as it is."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given
from hypothesis import strategies as st

from access.keys import new_key
from telemetry import logs, redaction
from telemetry.redaction import REDACTED, Redactor, is_secret, of_url

ROOT = Path(__file__).parents[3]


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    """The process's own, empty for the test."""
    fresh = Redactor()
    monkeypatch.setattr(logs, "SECRETS", fresh)
    return fresh


def line_of(*args: Any, library: bool = False, **fields: Any) -> str:
    stream = io.StringIO()
    logs.configure(service="tested", version="1", colour="blue", stream=stream)
    if library:
        logging.getLogger("theirs").warning(*args)
    else:
        logs.get("ours").warning(*args, **fields)
    text = stream.getvalue()
    assert text.count("\n") == 1
    json.loads(text)
    return text


def fail(reason: object) -> None:
    raise ValueError(reason)


def private_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def forms() -> dict[str, tuple[str, str]]:
    """A text with a secret that nobody has registered, and the secret."""
    key, _ = new_key("drone-7", ("detect",))
    secret = key.removeprefix("sl_drone-7_")
    token = jwt.encode({"sub": "somebody"}, "s" * 32, algorithm="HS256")
    pem = private_key()
    basic = base64.b64encode(b"user:hunter2").decode()
    return {
        "api key": (f"who shows {key} is let in", secret),
        "jwt": (f"the token {token} has ended", token),
        "bearer": ("it said Bearer 0pAqUe-t0ken.value, twice", "0pAqUe-t0ken.value"),
        "basic": (f"it said Basic {basic}", basic),
        "header": ("Authorization: Token hunter2", "hunter2"),
        "cookie": ("Set-Cookie: session=hunter2; Secure", "hunter2"),
        "url": ("postgresql://sightline:hunter2@db:5432/cop failed", "hunter2"),
        "url with an at sign": ("postgresql://sightline:hunt@er2@db/cop", "er2"),
        "query": ("GET /v1/events?token=hunter2&limit=5", "hunter2"),
        "equals": ("conninfo: host=db password=hunter2 user=x", "hunter2"),
        "equals, quoted": ("host=db password='hunter two' user=x", "hunter two"),
        "json": ('{"user": "x", "password": "hun\\"ter2"}', "ter2"),
        "json in json": (json.dumps({"body": json.dumps({"api_key": 'hun"ter2'})}), "ter2"),
        "python": ("{'clientPassword': 'hunter2', 'n': 1}", "hunter2"),
        "pem": (f"cannot read {pem}", pem.splitlines()[1]),
        "half a pem": (pem[:120], pem[40:110]),
    }


@pytest.mark.parametrize("name", forms())
def test_a_secret_that_shows_by_its_form_is_replaced(redactor: Redactor, name: str) -> None:
    text, secret = forms()[name]
    assert secret in text
    clean = redactor.text(text)
    assert secret not in clean
    assert REDACTED in clean
    assert redactor.text(clean) == clean


def test_whose_key_it_was_stays(redactor: Redactor) -> None:
    key, _ = new_key("drone-7", ("detect",))
    assert redactor.text(f"not known: {key}") == "not known: sl_drone-7_[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "an API key or a token is needed",
        "bearer authentication is needed here",
        'Bearer realm="sightline"',
        "basic authentication failed",
        "the token is not good: its signature does not fit",
        "access: the token secret is shorter than 32 bytes",
        "POST /v1/auth/token",
        "SIGHTLINE_GATEWAY_ACCESS__TOKEN_SECRET_FILE: no such file",
        "sinks[0].tls.enrol_password_file: it is missing",
        "https://tak.example.org:8446/Marti?x=a@b and mail to ops@example.org",
        "token_seconds=900 keys=3 passed=7",
        "sink tak: tls://tak:8089 refused our certificate",
        "-----BEGIN CERTIFICATE-----",
        "sl_ eyJ :// @ = :",
        "",
    ],
)
def test_ordinary_text_is_left_as_it_is(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text
    redactor.register("another secret")
    assert redactor.text(text) == text


def documents() -> list[Path]:
    return sorted(ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_our_own_documents_are_ordinary_text(redactor: Redactor, path: Path) -> None:
    for line in path.read_text().splitlines():
        # What a reader is to type as a header is one.
        if "Authorization:" not in line:
            assert redactor.text(line) == line


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True), ("access_token", True), ("clientPassword", True), ("X-Api-Key", True),
        ("authorization", True), ("set-cookie", True), ("gateway_key", True), ("PGPASSWORD", True),
        ("token_secret", True), ("private_key", True), ("credentials", True), ("apikey", True),
        ("password_file", False), ("token_seconds", False), ("keys", False), ("key", False),
        ("frame_id", False), ("tokenizer", False), ("principal", False), ("compass", False),
    ],
)  # fmt: skip
def test_the_last_word_of_a_name_says_what_it_is(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_a_field_that_is_named_a_secret_says_only_whether_there_is_one(redactor: Redactor) -> None:
    given_ = {"password": "x", "tokens": ["a"], "secret": 5, "inner": [{"api_key": {"a": 1}}]}
    assert redactor.value(given_) == {
        "password": REDACTED,
        "tokens": REDACTED,
        "secret": REDACTED,
        "inner": [{"api_key": REDACTED}],
    }
    nothing = {"password": None, "token": "", "cookie": True}
    assert redactor.value(nothing) == nothing


@pytest.mark.parametrize(
    "write",
    [
        str, quote, repr, json.dumps, lambda s: json.dumps(json.dumps(s)),
        lambda s: json.dumps(s, ensure_ascii=False), lambda s: f"x{s}y", lambda s: f"{s}{s}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "secret", ["correct horse", "quo\"te'n\\back", "zwölf/Ärger&<", "a\nb\tc and d"]
)
def test_a_registered_secret_is_found_in_every_spelling(
    redactor: Redactor, secret: str, write: Any
) -> None:
    redactor.register(secret)
    clean = redactor.text(f"it is {write(secret)} here")
    assert clean.startswith("it is ")
    assert clean.endswith(" here")
    assert REDACTED in clean
    for left in (secret, repr(secret)[1:-1], quote(secret)):
        assert left not in clean


def test_a_short_secret_counts_as_a_word_only(redactor: Redactor) -> None:
    redactor.register("1234", "abc", "", None)
    text = "pin {}, trace 0af712345651, abc"
    assert redactor.text(text.format("1234")) == text.format(REDACTED)
    assert redactor.value({"port": 1234, "n": 12345}) == {"port": REDACTED, "n": 12345}


def test_of_two_secrets_the_longer_one_is_replaced_whole(redactor: Redactor) -> None:
    redactor.register("hunter22")
    redactor.register("hunter22-and-more")
    assert redactor.text("a hunter22-and-more b hunter22 c") == f"a {REDACTED} b {REDACTED} c"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:pa%20ss@db/cop", {"pa%20ss", "pa ss"}),
        ("postgresql://u@db/cop?password=hunter2&sslmode=require", {"hunter2"}),
        ("tcp://tak:8087", set()),
        ("http://host:80/a@b?c=d", {"80/a"}),
        ("not an address", set()),
    ],
)
def test_the_secrets_of_an_address(url: str, found: set[str]) -> None:
    assert set(of_url(url)) == found


def test_a_line_with_a_secret_in_any_place_has_it_not(secrets: Redactor) -> None:
    secrets.register("hunter2-hunter2")
    secret = "hunter2-hunter2"
    try:
        fail({"body": f"a {secret}"})
    except ValueError:
        texts = [
            line_of(f"it is {secret}"),
            line_of("x", error=secret, nested={"a": [{secret: secret}]}, raw=secret.encode()),
            line_of("x", odd=Exception(secret), many={secret}, wide={1: {2.5: secret}}),
            line_of("x", huge=2**80, lone="\ud800", error=secret),
            line_of("x", exc_info=True),
            line_of("%s failed", secret, library=True),
        ]
    for text in texts:
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text
        assert REDACTED in text


def test_what_marks_a_line_stays_even_where_a_secret_is_a_common_word(secrets: Redactor) -> None:
    secrets.register("warning", "tested")
    line = json.loads(line_of("a warning", service="x"))
    assert (line["level"], line["service"], line["event"]) == ("warning", "tested", f"a {REDACTED}")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)  # fmt: skip
words = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=8)


@given(words, st.text(), st.text(), st.lists(st.sampled_from(["list", "key", "value", "bytes"])))
def test_a_registered_secret_never_survives_however_deep_it_is(
    secret: str, before: str, after: str, path: list[str]
) -> None:
    assume(secret not in REDACTED and REDACTED not in secret)
    fresh = Redactor()
    fresh.register(secret)
    value: Any = f"{before} {secret} {after}"
    for step in path:
        if step == "bytes" and isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
        elif step == "key" and isinstance(value, str):
            value = {value: 1}
        else:
            value = [value] if step == "list" else {"inner": value}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "SECRETS", fresh)
        text = line_of("x", value=value)
    line = json.loads(text)
    del line["time"]
    for spelling in (secret, repr(secret)[1:-1], repr(secret.encode())[2:-1]):
        assert spelling not in json.dumps(line["value"], ensure_ascii=False)
        assert spelling not in "".join(_strings(line["value"]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


@given(plain)
def test_an_ordinary_value_is_left_as_it_is(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).lower()
    assume(not any(hint in text for hint in redaction._HINTS))
    fresh = Redactor()
    fresh.register("a secret that is not in it")
    assert fresh.value(value) == value


@given(st.text())
def test_redaction_says_the_same_twice(text: str) -> None:
    fresh = Redactor()
    once = fresh.text(text)
    assert fresh.text(once) == once
