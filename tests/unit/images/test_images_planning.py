"""Plans of builds, what builds are told, and what is said of them afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sightline.images import catalogue, dockerfile, planning, provenance
from sightline.images.commit import Checkout
from sightline.images.dockerfile import Base
from sightline.images.errors import MisnamedError, RefusedError
from sightline.images.planning import Wanted

ROOT = Path(__file__).parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CHECKOUT = Checkout(commit=COMMIT, committed_at=1_700_000_000, dirty=False, origin="unknown")
BOTH = ("linux/amd64", "linux/arm64")
DIRTY = msgspec.structs.replace(CHECKOUT, dirty=True)


def wanted(*names: str, **more) -> Wanted:
    return Wanted(
        recipes=catalogue.chosen(names),
        output="out",
        version="1.0",
        **{"tags": ("1.0",), **more},
    )


def steps(plan: Wanted, checkout: Checkout = CHECKOUT) -> list[tuple[str, str]]:
    return [(str(each.__struct_config__.tag), each.image) for each in planning.plan(plan, checkout)]


def test_the_usual_images_are_built_and_nothing_more():
    usual = ["sightline-detection", "sightline-cop-gateway", "sightline-cli"]
    found = steps(wanted())
    assert [image for step, image in found if step == "build"] == usual
    assert {step for step, _ in found} == {"build", "provenance"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["build", "provenance"]),
        ({"key": "k"}, ["build", "provenance", "sign"]),
        ({"load": True}, ["build", "provenance", "load"]),
        (
            {"key": "k", "push": True, "registry": "r.example", "load": True},
            ["build", "provenance", "sign", "load", "push"],
        ),
    ],
)
def test_an_image_is_signed_before_it_is_pushed(more, expected):
    assert [step for step, _ in steps(wanted("models", **more))] == expected


@pytest.mark.parametrize(
    ("more", "checkout", "error", "words"),
    [
        ({"push": True}, CHECKOUT, MisnamedError, "--registry"),
        ({"push": True, "registry": "noregistry"}, CHECKOUT, MisnamedError, "names no registry"),
        ({"load": True, "platforms": BOTH}, CHECKOUT, MisnamedError, "--load"),
        ({"platforms": ("amd64",)}, CHECKOUT, MisnamedError, "linux/amd64"),
        ({"arguments": {"REVISION": "x"}}, CHECKOUT, MisnamedError, "REVISION"),
        ({"tags": ("no tag",)}, CHECKOUT, MisnamedError, "no tag"),
        ({"allow_dirty": False}, DIRTY, RefusedError, "not committed"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_done(more, checkout, error, words):
    with pytest.raises(error, match=words):
        planning.plan(wanted(**more), checkout)


def test_a_build_is_told_the_commit_and_its_time():
    recipe = catalogue.RECIPES["sightline-cli"]
    told = planning.arguments(recipe, wanted(arguments={"BASE_IMAGE": "base"}), DIRTY)
    assert told == {
        "BASE_IMAGE": "base",
        "SOURCE_DATE_EPOCH": "1577836800",
        "VERSION": "1.0",
        "REVISION": f"{COMMIT}-dirty",
        "SOURCE": "unknown",
        "CREATED": "2023-11-14T22:13:20+00:00",
    }


def test_what_did_not_change_is_the_same_bytes_of_another_commit():
    """Else a layer that the builder kept would not be what a builder without it makes."""
    recipe = catalogue.RECIPES["sightline-models"]
    later = msgspec.structs.replace(CHECKOUT, committed_at=CHECKOUT.committed_at + 3600)
    assert planning.arguments(recipe, wanted(), CHECKOUT) == planning.arguments(
        recipe, wanted(), later
    )


def test_no_two_commits_have_the_same_tag():
    tags = {planning.usual_tag("1.0", each) for each in (CHECKOUT, DIRTY)}
    assert tags == {"1.0-0123456789ab", "1.0-0123456789ab-dirty"}


def test_an_unknown_image_is_refused_with_the_known_ones():
    with pytest.raises(MisnamedError, match="cop-gateway"):
        catalogue.chosen(["gateway"])


@pytest.mark.parametrize("recipe", catalogue.RECIPES.values(), ids=lambda each: each.name)
def test_every_base_of_ours_is_pinned(recipe):
    text = (ROOT / recipe.dockerfile).read_text()
    found = dockerfile.bases(text, {}, {})
    assert found
    assert [each.name for each in found if each.digest is None] == []


TEXT = f"""
ARG ONE=a:1@sha256:{"1" * 64}
ARG TWO
FROM scratch AS nothing
FROM ${{ONE}} AS build
ARG ONE=never
FROM --platform=$BUILDPLATFORM b:2 AS other
FROM build
FROM $TWO
"""


def test_bases_are_what_stages_begin_with():
    given = f"oci-layout:///somewhere/else@sha256:{'2' * 64}"
    found = dockerfile.bases(TEXT, {"TWO": "own"}, {"own": given})
    assert found == (
        Base(name="a:1", digest="sha256:" + "1" * 64),
        Base(name="b:2", digest=None),
        Base(name="own", digest="sha256:" + "2" * 64),
    )
    with pytest.raises(MisnamedError, match="TWO"):
        dockerfile.bases(TEXT, {}, {})


def facts(**more) -> provenance.Facts:
    return provenance.Facts(
        **{
            "name": "sightline-cli",
            "digest": "sha256:" + "3" * 64,
            "checkout": DIRTY,
            "dockerfile": "sdk/Dockerfile",
            "dockerfile_sha256": "4" * 64,
            "bases": dockerfile.bases(TEXT, {"TWO": "own"}, {}),
            "arguments": {"VERSION": "1.0"},
            "builder": "buildx 1",
            "sightline": "0.1.0",
            **more,
        }
    )


def test_provenance_says_what_an_image_is_made_of():
    told = json.loads(msgspec.json.encode(provenance.statement(facts())))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    assert told["subject"] == [{"name": "sightline-cli", "digest": {"sha256": "3" * 64}}]
    definition = told["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["commit"] == COMMIT
    assert definition["externalParameters"]["dirty"] is True
    assert definition["externalParameters"]["arguments"] == {"VERSION": "1.0"}
    materials = definition["resolvedDependencies"]
    assert materials[0]["digest"] == {"gitCommit": COMMIT}
    assert materials[1] == {"name": "sdk/Dockerfile", "digest": {"sha256": "4" * 64}}
    assert {"uri": "pkg:docker/a:1", "digest": {"sha256": "1" * 64}} in materials
    assert {"uri": "pkg:docker/b:2"} in materials


def test_provenance_of_the_same_build_is_the_same():
    one, two = (msgspec.json.encode(provenance.statement(facts())) for _ in range(2))
    assert one == two
