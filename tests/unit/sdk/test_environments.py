"""Environments' files: what they hold is checked, and told by its name and its limit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from sightline.environments import EnvironmentFileError, known, load
from sightline.environments.reading import parse

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "environments"


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_ours_can_be_read_and_keep_to_their_schema(name: str) -> None:
    found = load(name, root=ROOT)
    assert found.name == name
    document = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text())
    jsonschema.validate(document, json.loads((FOLDER / "schema.json").read_text()))


def test_production_asks_for_everything() -> None:
    prod = load("prod", root=ROOT)
    assert prod.guards.clean_tree
    assert prod.guards.signed_images
    assert prod.guards.active_colour
    assert prod.approvals.required >= 1
    assert prod.git is not None
    assert prod.watch.minutes >= 5
    assert prod.backups.object_lock_days > 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: [", "is not YAML"),
        ("- name", "expected a map"),
        ("cluster: {}", "`name`"),
        ("name: Prod", "name: "),
        ("{name: x, watch: {hours: 3}}", "`hours`"),
        ("{name: x, watch: {minutes: 9999}}", "watch.minutes: expected `float` <= 1440"),
        ("{name: x, images: {platforms: [plan9/mips]}}", "images.platforms[0]: invalid enum value"),
        ("{name: x, images: {registry: here}}", "images.public_key names no key"),
        ("{name: x, guards: {signed_images: true}, images: {public_key: k}}", "images.registry"),
        (
            "{name: x, guards: {signed_images: false}, approvals: {required: 2, approvers: [a]}}",
            "approvals.required is 2",
        ),
        (
            "{name: x, guards: {signed_images: false}, backups: {object_lock_days: 3, target: /b}}",
            "s3://",
        ),
        (
            "{name: x, guards: {signed_images: false},"
            " git: {file: f, remote: 'https://me:word@example.org/x.git'}}",
            "git.remote",
        ),
        ("{name: x, guards: {signed_images: false}, git: {}}", "git: object missing required"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        parse(text, where="environments/x.yaml")
    assert str(caught.value).startswith("environments/x.yaml")
    assert told in str(caught.value)


def checkout(tmp_path: Path, text: str) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/site.yaml").write_text(text)
    (tmp_path / "deploy/helm").mkdir(parents=True)
    shutil.copytree(ROOT / "deploy/helm/sightline", tmp_path / "deploy/helm/sightline")
    return tmp_path


def test_values_that_are_not_there_are_named(tmp_path: Path) -> None:
    root = checkout(
        tmp_path, "{name: site, guards: {signed_images: false}, chart: {values: [absent.yaml]}}"
    )
    with pytest.raises(EnvironmentFileError, match=r"chart\.values\[0\] is absent\.yaml"):
        load("site", root=root)


def test_a_file_says_its_own_name(tmp_path: Path) -> None:
    root = checkout(tmp_path, "{name: other, guards: {signed_images: false}}")
    with pytest.raises(EnvironmentFileError, match="name is 'other', and the file's is 'site'"):
        load("site", root=root)


def test_an_unknown_one_tells_which_there_are(tmp_path: Path) -> None:
    root = checkout(tmp_path, "{name: site, guards: {signed_images: false}}")
    assert known(root) == ("site",)
    with pytest.raises(EnvironmentFileError, match=r"no environment 'moon'.*there: site"):
        load("moon", root=root)
