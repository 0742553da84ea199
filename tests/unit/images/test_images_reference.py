"""Names of images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.images import reference
from sightline.images.errors import MisnamedError
from sightline.images.reference import Reference

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("registry.example/a", ("registry.example", "a", None, None)),
        ("registry.example:5000/a/b:1.0", ("registry.example:5000", "a/b", "1.0", None)),
        (f"localhost/a@{DIGEST}", ("localhost", "a", None, DIGEST)),
        (f"127.0.0.1:5000/a__b:t@{DIGEST}", ("127.0.0.1:5000", "a__b", "t", DIGEST)),
        ("[::1]:5000/a", ("[::1]:5000", "a", None, None)),
    ],
)
def test_a_name_is_taken_apart_and_is_the_same_again(text, parts):
    found = reference.parse(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "sightline-cli", "sightline-cli:1.0", "library/x", "registry.example/",
        "registry.example/A",
        "registry.example/a:", "registry.example/a:-x", "registry.example/a@sha256:00",
        "registry.example/a@sha512:" + "0" * 128, "registry.example/../a", "registry.example//a",
        "user@registry.example/a", "registry.example/a b", "registry.example/a\n", "a b.c/d",
        "registry.example/" + "a" * 256,
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused(text):
    with pytest.raises(MisnamedError):
        reference.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_is_refused(text):
    try:
        found = reference.parse(text)
    except MisnamedError:
        return
    assert reference.parse(str(found)) == found


@pytest.mark.parametrize(
    ("registry", "here"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True), ("localhost.example:5000", False), ("127.0.0.1.example", False),
        ("10.0.0.1:5000", False), ("registry.example", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_asked_without_tls(registry, here):
    assert reference.is_loopback(registry) is here


def test_a_registry_is_asked_for_the_digest_where_both_are_named():
    both = Reference(registry="r.example", repository="a", tag="1.0", digest=DIGEST)
    assert both.wanted == DIGEST
