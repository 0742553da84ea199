"""Bundles: alike twice, whole or refused by the name of the file, and taken in without us."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import ROOT
from fakes import container_images
from fakes.container_images import AMD64, ARM64
from fakes.registry import Registry
from running import required
from sightline.images import oci, provenance, signing, store
from sightline.images.bundles import archive, checking, creating, loading, manifest
from sightline.images.bundles.creating import Contents
from sightline.images.errors import DamageError, ImageError, RefusedError, SignatureError
from sightline.images.registry import Repository
from sightline.images.source import Checkout

CHECKOUT = Checkout(commit="0" * 40, committed_at=1_700_000_000, dirty=False, origin="unknown")
CHART = ROOT / "deploy/helm/sightline"
TOP = "sightline-1.0"


def built(folder: Path, name: str, *layers, checkout: Checkout = CHECKOUT, **more) -> Path:
    """A layout with the provenance beside it, as a build leaves them."""
    place = container_images.image(folder / name, *layers, name=f"{name}:1.0", **more)
    said = provenance.statement(
        provenance.Facts(
            name=name,
            digest=place.image.digest,
            checkout=checkout,
            dockerfile="Dockerfile",
            dockerfile_sha256="0" * 64,
            bases=(),
            arguments={},
            builder="buildx",
            sightline="0.1.0",
        )
    )
    (folder / f"{name}.provenance.json").write_bytes(msgspec.json.encode(said))
    return place.path


@pytest.fixture(scope="module")
def contents(tmp_path_factory) -> Contents:
    folder = tmp_path_factory.mktemp("layouts")
    return Contents(
        version="1.0",
        chart=CHART,
        layouts=(
            built(folder, "sightline-cli"),
            built(folder, "sightline-models", {"models/a": b"b"}, platforms=(AMD64, ARM64)),
        ),
    )


@pytest.fixture(scope="module")
def bundle(contents, key, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "sightline-1.0.tar"
    creating.create(contents, target, CHECKOUT, key)
    return target


@pytest.fixture(scope="module")
def public(key, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "cosign.pub"
    path.write_bytes(key.public.pem)
    return path


def test_it_has_all_that_is_needed_there(bundle, key):
    found = checking.verify(bundle, key.public)
    assert [(each.name, each.platforms) for each in found.images] == [
        ("sightline-cli", ("linux/amd64",)),
        ("sightline-models", ("linux/amd64", "linux/arm64")),
    ]
    paths = {path for path, _, _ in archive.read(bundle)}
    assert {
        "load.sh", "bundle.json", "chart/sightline-0.1.0.tgz", "chart/values-prod.yaml",
        "provenance/sightline-cli.json", "sbom/sightline-cli-linux-amd64.cdx.json",
        "sbom/sightline-models-linux-arm64.cdx.json", "images/index.json",
        "signatures/sightline-cli.payload.json", "signatures/sightline-cli.sig",
    } <= paths  # fmt: skip
    assert found.files == len(paths) - 2


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_the_same_is_the_same_bytes_however_it_is_packed(contents, key, tmp_path, suffix):
    if suffix == ".tar.zst" and shutil.which("zstd") is None:
        required("zstd is not installed: apt-get install zstd")
    digests = {
        creating.create(contents, tmp_path / each / f"b{suffix}", CHECKOUT, key).sha256
        for each in ("first", "second")
    }
    assert len(digests) == 1
    checking.verify(tmp_path / "first" / f"b{suffix}", key.public)
    signing.verify_file(tmp_path / "first" / f"b{suffix}", key.public)


def test_helm_reads_the_chart_in_it(bundle, tmp_path):
    helm = ROOT / ".cache/tools/bin/helm"
    if not helm.exists():
        required("helm is not there: make tools")
    chart = tmp_path / "chart.tgz"
    (content,) = [c.read() for p, _, c in archive.read(bundle) if p.endswith(".tgz")]
    chart.write_bytes(content)
    packaged, plain = (
        subprocess.run(
            [helm, "template", "x", each, "--values", CHART / "values-dev.yaml"],
            capture_output=True,
            check=True,
        ).stdout
        for each in (chart, CHART)
    )
    assert packaged == plain


def test_another_key_opens_nothing(bundle, other_key):
    with pytest.raises(SignatureError, match="SHA256SUMS"):
        checking.verify(bundle, other_key.public)


@pytest.mark.parametrize("name", ["b.zip", "b", "b.tar.xz"])
def test_another_kind_of_archive_is_not_made(contents, key, tmp_path, name):
    with pytest.raises(RefusedError, match=r"\.tar\.gz"):
        creating.create(contents, tmp_path / name, CHECKOUT, key)
    assert list(tmp_path.iterdir()) == []


def test_provenance_of_another_image_is_not_taken_along(tmp_path, key):
    layouts = (built(tmp_path, "sightline-cli"),)
    (tmp_path / "sightline-cli.provenance.json").write_bytes(
        (tmp_path / "sightline-cli.provenance.json").read_bytes().replace(b"sha256", b"sha512")
    )
    with pytest.raises(RefusedError, match="another image"):
        creating.create(
            Contents(version="1", layouts=layouts, chart=None), tmp_path / "b.tar", CHECKOUT, key
        )
    assert not (tmp_path / "b.tar").exists()


def test_a_bundle_is_of_one_commit(tmp_path, key):
    other = msgspec.structs.replace(CHECKOUT, commit="1" * 40)
    layouts = (built(tmp_path, "sightline-cli", checkout=other),)
    with pytest.raises(RefusedError, match="111111111111"):
        creating.create(
            Contents(version="1", layouts=layouts, chart=None), tmp_path / "b.tar", CHECKOUT, key
        )


def test_what_was_not_committed_is_said(tmp_path, key):
    dirty = msgspec.structs.replace(CHECKOUT, dirty=True)
    layouts = (built(tmp_path, "sightline-cli", checkout=dirty),)
    contents = Contents(version="1", layouts=layouts, chart=None)
    creating.create(contents, tmp_path / "b.tar", CHECKOUT, key)
    assert checking.verify(tmp_path / "b.tar", key.public).dirty


# Damage.


@pytest.fixture(scope="module")
def small(tmp_path_factory, key) -> Path:
    """One small image and no chart: so that every byte of it can be tried."""
    folder = tmp_path_factory.mktemp("small")
    layouts = (built(folder, "sightline-cli", {"a": b"b"}),)
    target = folder / "small.tar"
    creating.create(Contents(version="1.0", layouts=layouts, chart=None), target, CHECKOUT, key)
    return target


def refused(path: Path, key, *errors: type[ImageError]) -> str:
    with pytest.raises(errors or ImageError) as told:
        checking.verify(path, key.public)
    return str(told.value)


def at_work(content: bytes) -> list[tuple[int, int, str]]:
    """Where in an archive each file's content is."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [
            (each.offset_data, each.size, each.name.removeprefix(f"{TOP}/"))
            for each in tar
            if each.size
        ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_changed_byte_anywhere_in_a_file_is_refused_by_the_files_name(
    small, key, tmp_path_factory, data
):
    content = bytearray(small.read_bytes())
    offset, size, name = data.draw(st.sampled_from(at_work(bytes(content))))
    content[offset + data.draw(st.integers(0, size - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed = small.with_name("changed.tar")
    changed.write_bytes(content)
    said = refused(changed, key, DamageError, SignatureError, RefusedError)
    assert name in said or name.startswith("SHA256SUMS")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_bundle_that_was_cut_off_is_refused_by_the_name_of_a_file(small, key, data):
    content = small.read_bytes()
    files = at_work(content)
    end = files[-1][0] + files[-1][1]
    cut = small.with_name("cut.tar")
    cut.write_bytes(content[: data.draw(st.integers(0, end - 1))])
    said = refused(cut, key)
    assert any(name in said for _, _, name in files) or "no bundle" in said or "beginning" in said


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99, 0.9999])
def test_a_packed_bundle_that_was_cut_off_is_refused(small, key, tmp_path, keep):
    packed = gzip.compress(small.read_bytes(), mtime=0)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(packed[: int(len(packed) * keep)])
    refused(cut, key)


def rebuilt(small: Path, target: Path, change) -> None:
    """The same archive with other members: `change` gets and gives (entry, content) pairs."""
    with tarfile.open(small) as tar:
        members = [(each, tar.extractfile(each).read()) for each in tar]
    with tarfile.open(target, "w") as tar:
        for entry, content in change(members):
            entry.size = len(content) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(content))


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


HOSTILE = {
    "an additional file": (entry(f"{TOP}/images/blobs/extra"), "images/blobs/extra"),
    "upwards": (entry(f"{TOP}/../../etc/passwd"), "../../etc/passwd"),
    "upwards at once": (entry("../evil"), "../evil"),
    "absolute": (entry("/etc/cron.d/evil"), "/etc/cron.d/evil"),
    "beside": (entry("other/evil"), "other/evil"),
    "a link": (entry(f"{TOP}/link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
    "a hard link": (entry(f"{TOP}/hard", tarfile.LNKTYPE, "../../etc/passwd"), "hard"),
    "a device": (entry(f"{TOP}/null", tarfile.CHRTYPE), "null"),
    "a pipe": (entry(f"{TOP}/pipe", tarfile.FIFOTYPE), "pipe"),
    "a folder": (entry(f"{TOP}/folder", tarfile.DIRTYPE), "folder"),
    "a file twice": (entry(f"{TOP}/load.sh"), "load.sh"),
    "a path in another spelling": (entry(f"{TOP}/./load.sh"), "./load.sh"),
    "a strange name": (entry(f"{TOP}/a\nb"), "a\\nb"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("where", ["first", "third", "last"])
def test_what_does_not_belong_there_is_refused_and_written_nowhere(
    small, key, tmp_path, monkeypatch, case, where
):
    hostile, name = HOSTILE[case]
    place = {"first": 0, "third": 2, "last": 1000}[where]
    target = tmp_path / "hostile.tar"

    def change(members):
        members.insert(place, (hostile, b"evil"))
        return members

    rebuilt(small, target, change)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    said = refused(target, key)
    # What comes first should have been the checksums: that is what is said then.
    if where != "first" or case not in ("an additional file", "a file twice", "beside"):
        assert name in said
    assert list(scratch.iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hostile.tar", "scratch"]


def test_each_file_that_is_missing_is_named(small, key, tmp_path):
    for _, _, name in at_work(small.read_bytes()):
        target = tmp_path / "missing.tar"
        rebuilt(small, target, lambda m, name=name: [e for e in m if e[0].name != f"{TOP}/{name}"])
        assert name in refused(target, key)


def test_checksums_that_are_made_anew_need_the_key(small, key, other_key, tmp_path):
    """Somebody changes a file and its checksum, and signs with a key of his own."""
    target = tmp_path / "forged.tar"

    def change(members):
        files = {each.name: content for each, content in members}
        files[f"{TOP}/load.sh"] = b"#!/bin/sh\nrm -rf /\n"
        old = manifest.read_sums(files[f"{TOP}/SHA256SUMS"])
        old["load.sh"] = hashlib.sha256(files[f"{TOP}/load.sh"]).hexdigest()
        files[f"{TOP}/SHA256SUMS"] = manifest.sums(old)
        (tmp_path / "sums").write_bytes(manifest.sums(old))
        signature = signing.sign_file(tmp_path / "sums", other_key)
        files[f"{TOP}/SHA256SUMS.sig"] = signature.read_bytes()
        return [(each, files[each.name]) for each, _ in members]

    rebuilt(small, target, change)
    assert "SHA256SUMS" in refused(target, key, SignatureError)
    checking._unpack(target, other_key.public, tmp_path / "his")


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_nonsense_is_no_bundle(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "nonsense.tar"
    path.write_bytes(content)
    with contextlib.suppress(ImageError):
        assert list(archive.read(path)) == []


@given(st.text(max_size=30))
def test_a_path_lies_within_or_is_refused(path):
    try:
        checked = manifest.checked_path(path)
    except RefusedError:
        return
    assert (Path("/top") / checked).resolve().is_relative_to("/top")
    assert not Path(checked).is_absolute()


# Taking it in.


def test_a_registry_gets_images_with_their_signatures(bundle, key, registry, tmp_path):
    done = loading.load(
        bundle,
        key.public,
        loading.into_registry(registry.name, lambda name: Repository(registry.name, name)),
        into=registry.name,
        chart=tmp_path,
    )
    assert set(done.images) == {
        f"{registry.name}/sightline-cli:1.0", f"{registry.name}/sightline-models:1.0",
    }  # fmt: skip
    for name in ("sightline-cli", "sightline-models"):
        there = Repository(registry.name, name)
        signing.verify(there, there.find("1.0"), key.public)
    assert Path(done.chart).read_bytes().startswith(b"\x1f\x8b")


def test_nothing_is_taken_in_of_a_damaged_bundle(small, key, registry):
    content = bytearray(small.read_bytes())
    offset, _, _ = at_work(bytes(content))[-1]
    content[offset] ^= 1
    changed = small.with_name("late.tar")
    changed.write_bytes(content)
    put = loading.into_registry(registry.name, lambda name: Repository(registry.name, name))
    with pytest.raises(DamageError):
        loading.load(changed, key.public, put, into=registry.name)
    assert registry.asked == []


def test_docker_gets_what_it_reads_of_the_layout(bundle, key):
    """For each platform a list as `docker save` writes it, of blobs that are there."""
    with checking.opened(bundle, key.public) as found:
        lists = {
            each.name: json.loads(each.read_bytes()) for each in found.images.path.glob("docker-*")
        }
        assert set(lists) == {"docker-amd64.json", "docker-arm64.json"}
        for entries in lists.values():
            for each in entries:
                config = json.loads((found.images.path / each["Config"]).read_bytes())
                layers = [(found.images.path / layer).read_bytes() for layer in each["Layers"]]
                diffs = [oci.digest(gzip.decompress(layer)) for layer in layers]
                assert config["rootfs"]["diff_ids"] == diffs
        assert [each["RepoTags"] for each in lists["docker-arm64.json"]] == [
            ["sightline-models:1.0"]
        ]


class Loader:
    """The script within an unpacked bundle."""

    def __init__(self, bundle: Path, public: Path, folder: Path) -> None:
        subprocess.run(["tar", "-xf", bundle, "-C", folder], check=True)
        self.folder, self.public = folder / TOP, public

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.folder / "load.sh", "--key", self.public, *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def loader(bundle, public, tmp_path) -> Loader:
    return Loader(bundle, public, tmp_path)


def test_the_loader_checks_with_nothing_of_ours(loader):
    done = loader.run("--check")
    assert (done.returncode, done.stderr) == (0, "")


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda at: _append(at / "chart/values-prod.yaml"), "chart/values-prod.yaml"),
        (lambda at: (at / "bundle.json").unlink(), "bundle.json is missing"),
        (lambda at: (at / "images/new").write_text("x"), "images/new is not in SHA256SUMS"),
        (lambda at: (at / "link").symlink_to("/etc/passwd"), "link is no plain file"),
        (lambda at: _append(at / "SHA256SUMS"), "SHA256SUMS was not signed"),
        (lambda at: (at / "SHA256SUMS.sig").unlink(), "SHA256SUMS.sig is missing"),
    ],
)
def test_the_loader_refuses_by_the_name_of_the_file(loader, damage, words):
    damage(loader.folder)
    done = loader.run("--check")
    assert done.returncode == 1
    assert words in done.stderr


def test_the_loader_refuses_another_key(loader, other_key, tmp_path):
    loader.public = tmp_path / "other.pub"
    loader.public.write_bytes(other_key.public.pem)
    done = loader.run("--check")
    assert done.returncode == 1
    assert "not signed by this key" in done.stderr


def test_the_loader_fills_a_registry(loader, registry: Registry, key):
    if shutil.which("skopeo") is None:
        required("skopeo is not installed: apt-get install skopeo")
    done = loader.run("--registry", registry.name, "--plain")
    assert done.returncode == 0, done.stderr
    for name in ("sightline-cli", "sightline-models"):
        there = Repository(registry.name, name)
        image = there.find("1.0")
        signing.verify(there, image, key.public)
        assert store.variants(there, image)
