"""SBOMs from what installers left in an image."""

from __future__ import annotations

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from fakes import container_images
from fakes.container_images import AMD64, ARM64, DEBIAN, PYTHON
from sightline.images import oci, sbom
from sightline.images.errors import AbsentError, DamageError


def listed(place, platform=None) -> dict:
    content = sbom.written(place, place.image, "sightline-cli", "1.0", platform)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    return json.loads(content)


def purls(told: dict) -> set[str]:
    return {each["purl"] for each in told.get("components", ())}


def test_what_is_installed_is_listed_and_the_schema_holds(tmp_path):
    told = listed(container_images.image(tmp_path / "layout"))
    assert purls(told) == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12",
        "pkg:deb/debian/tzdata@1:2024a-0?arch=all&distro=debian-12",
        "pkg:pypi/msgspec@0.21.0",
        "pkg:pypi/nu-mpy@2.0",
    }
    assert told["specVersion"] == "1.6"
    assert told["metadata"]["component"]["name"] == "sightline-cli"
    (msgspec,) = [each for each in told["components"] if each["name"] == "msgspec"]
    assert msgspec["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert told["compositions"][0]["aggregate"] == "incomplete"


def test_what_a_later_layer_deletes_or_replaces_is_listed_as_it_is_in_the_end(tmp_path):
    (first, _) = PYTHON
    folder, _, name = first.rpartition("/")
    newer = PYTHON[first].replace(b"0.21.0", b"0.22.0")
    replaced = container_images.image(tmp_path / "a", PYTHON, {first: newer})
    assert "pkg:pypi/msgspec@0.22.0" in purls(listed(replaced))
    assert "pkg:pypi/msgspec@0.21.0" not in purls(listed(replaced))
    gone = container_images.image(tmp_path / "b", PYTHON, {f"{folder}/.wh.{name}": b""})
    assert purls(listed(gone)) == {"pkg:pypi/nu-mpy@2.0"}
    parent, _, base = folder.rpartition("/")
    gone = container_images.image(tmp_path / "c", PYTHON, {f"{parent}/.wh.{base}": b""})
    assert purls(listed(gone)) == {"pkg:pypi/nu-mpy@2.0"}
    # In one layer: what the layers below had is gone, what comes with it stays.
    opaque = container_images.image(
        tmp_path / "d", PYTHON, {first: newer, f"{parent}/.wh..wh..opq": b""}
    )
    assert purls(listed(opaque)) == {"pkg:pypi/msgspec@0.22.0"}


def test_the_same_image_is_the_same_document(tmp_path):
    first, second = (container_images.image(tmp_path / each, DEBIAN, PYTHON) for each in "ab")
    assert listed(first) == listed(second)
    other = container_images.image(tmp_path / "c", PYTHON)
    assert listed(first)["serialNumber"] != listed(other)["serialNumber"]


def test_each_platform_has_its_own(tmp_path):
    place = container_images.image(tmp_path / "layout", platforms=(AMD64, ARM64))
    with pytest.raises(AbsentError, match="--platform"):
        listed(place)
    for platform in (AMD64, ARM64):
        told = listed(place, platform)
        said = {each["name"]: each["value"] for each in told["metadata"]["component"]["properties"]}
        assert said["sightline:platform"] == str(platform)
    with pytest.raises(AbsentError, match="linux/s390x"):
        listed(place, oci.parse_platform("linux/s390x"))


def test_an_image_with_nothing_installed_is_listed_as_empty(tmp_path):
    assert purls(listed(container_images.image(tmp_path / "layout", {"bin/app": b"x"}))) == set()


def test_an_enormous_file_of_packages_is_refused(tmp_path):
    place = container_images.image(
        tmp_path / "layout", {"var/lib/dpkg/status": b"\n" * ((16 << 20) + 1)}
    )
    with pytest.raises(DamageError, match="var/lib/dpkg/status"):
        listed(place)
