"""Models are exchanged while requests go on: a new one serves, or the old one does."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from detection.errors import ModelError, ModelNotFoundError
from detection.models.model import Model, Options
from detection.models.plain import PlainSession
from detection.models.store import Store
from fakes.models import blob_model


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        blob_model(tmp_path / f"{name}.onnx", metadata={"version": "1"})
    return tmp_path


@pytest.fixture
def outcomes() -> Counter[str]:
    return Counter()


@pytest.fixture
def opened(folder, outcomes):
    def made(**options) -> Store:
        store = Store(folder, Options(), **options)
        store.counted = lambda outcome: outcomes.update([outcome])
        return store

    return made


def versions(store: Store) -> dict[str, str]:
    return {name: model.info.version for name, model in store.models.items()}


def finds_red(model: Model) -> bool:
    pixels = np.zeros(model.form.shape, dtype=np.uint8)
    pixels[0, 0, 8:16, 16:40] = 255
    found = model.layout.candidates(model.run(pixels), confidence=0.5, size=model.form.size)
    return found.boxes.tolist() == [[16, 8, 40, 16]]


def test_the_default_model_is_the_settings_else_the_manifests_else_the_first(folder, opened):
    assert list(opened().models) == ["a", "b", "c"]
    assert list(opened(default="c").models) == ["c", "a", "b"]
    entries = [f'[[models]]\nname = "{name}"\nfile = "{name}.onnx"\n' for name in "abc"]
    (folder / "models.toml").write_text('default = "b"\n' + "".join(entries))
    assert list(opened().models) == ["b", "a", "c"]
    store = opened(default="c")
    found = store.find(None)
    assert found is not None
    assert found.info.name == "c"
    assert store.find("b") is store.models["b"]
    assert store.find("d") is None


def test_a_default_model_that_is_not_there_is_refused_with_those_that_are(opened):
    with pytest.raises(ModelError, match=r"default_model: 'd'.*a, b, c"):
        opened(default="d")


async def test_a_new_version_serves_and_who_holds_the_old_one_goes_on(folder, opened, outcomes):
    store = opened()
    held = store.find("b")
    blob_model(folder / "b.onnx", metadata={"version": "2"})
    loaded = await store.reload("b")
    assert store.find("b") is loaded
    assert versions(store) == {"a": "1", "b": "2", "c": "1"}
    assert loaded.info.sha256 == digest(folder / "b.onnx")
    assert outcomes == {"loaded": 1}
    assert held is not None
    assert held.info.version == "1"
    assert finds_red(held)
    assert finds_red(loaded)


async def test_the_default_stays_the_default_when_it_is_loaded_anew(folder, opened):
    store = opened(default="c")
    blob_model(folder / "c.onnx", metadata={"version": "2"})
    await store.reload("c")
    assert list(store.models) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"not a model", "ONNX"), (None, "not in the folder")]
)
async def test_a_version_that_is_refused_leaves_the_old_one_and_says_why(
    folder, opened, outcomes, content, words
):
    store = opened()
    before = dict(store.models)
    if content is None:
        (folder / "b.onnx").unlink()
    else:
        (folder / "b.onnx").write_bytes(content)
    with capture_logs() as lines, pytest.raises((ModelError, ModelNotFoundError), match=words):
        await store.reload("b")
    assert dict(store.models) == before
    found = store.find("b")
    assert found is not None
    assert finds_red(found)
    if content is not None:
        assert outcomes == {"refused": 1}
        (line,) = [each for each in lines if each["log_level"] == "error"]
        assert line["model"] == "b"
        assert words in line["reason"]
        assert "the earlier one stays" in line["event"]


async def test_a_model_that_was_never_there_is_not_found(opened):
    with pytest.raises(ModelNotFoundError, match=r"'d' is not in the folder \(known: a, b, c\)"):
        await opened().reload("d")


async def test_all_anew_is_the_folder_as_it_is_now(folder, opened, outcomes):
    store = opened()
    (folder / "a.onnx").unlink()
    (folder / "b.onnx").write_bytes(b"not a model")
    blob_model(folder / "c.onnx", metadata={"version": "2"})
    blob_model(folder / "d.onnx", metadata={"version": "1"})
    (folder / "e.onnx").write_bytes(b"not a model")
    kept = store.find("b")
    with capture_logs() as lines:
        await store.reload_all()
    assert versions(store) == {"b": "1", "c": "2", "d": "1"}
    assert store.find("b") is kept
    assert outcomes == {"loaded": 2, "refused": 2}
    told = {(line["event"], line["model"]) for line in lines if line["event"] != "model loaded"}
    assert told == {
        ("model unloaded", "a"),
        ("model not reloaded, the earlier one stays", "b"),
        ("model not loaded", "e"),
    }


async def test_without_its_default_model_a_folder_is_not_taken_over(folder, opened, outcomes):
    """Requests that name no model would silently be answered by another one."""
    store = opened(default="c")
    before = dict(store.models)
    (folder / "c.onnx").unlink()
    with capture_logs() as lines:
        await store.reload_all()
    assert dict(store.models) == before
    assert outcomes["refused"] == 1
    assert "default_model: 'c'" in lines[-1]["reason"]
    assert [line for line in lines if line["event"] == "model unloaded"] == []


@pytest.mark.parametrize("manifest", [None, "[[models]]\nbogus = 1\n"])
async def test_a_folder_that_makes_no_sense_leaves_all_as_it_is(folder, opened, outcomes, manifest):
    store = opened()
    before = dict(store.models)
    for name in "abc":
        (folder / f"{name}.onnx").unlink()
    if manifest is not None:
        (folder / "models.toml").write_text(manifest)
    await store.reload_all()
    assert dict(store.models) == before
    assert outcomes == {"refused": 1}


async def test_reloads_at_once_come_one_after_the_other_and_none_is_lost(folder, opened, outcomes):
    store = opened()
    for name in "abc":
        blob_model(folder / f"{name}.onnx", metadata={"version": "2"})
    blob_model(folder / "d.onnx", metadata={"version": "2"})
    await asyncio.gather(
        *(store.reload(name) for name in "abcab"), store.reload_all(), store.reload("d")
    )
    assert versions(store) == dict.fromkeys("abcd", "2")
    assert outcomes == {"loaded": 5 + 4 + 1}


async def test_a_reload_leaves_the_loop_free(folder, opened):
    """Loading takes seconds with large models, and other requests go on meanwhile."""
    store = opened()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await store.reload("a")
    ticking.cancel()
    assert ticks > 3


def test_the_file_as_it_is_is_loaded_when_somebody_asks_for_it(folder, opened):
    model = opened().models["a"]
    session = model.plain.get()
    assert model.plain.get() is session
    # Floats go in, as the file has them.
    image = np.zeros((1, 3, 64, 64), dtype=np.float32)
    image[0, 0, 8:16, 16:40] = 1.0
    (output,) = session.run({"images": image})
    assert output[0, 4:, 0].tolist() == [1.0, 0.0, 0.0]


def test_nothing_is_loaded_before_somebody_asks(tmp_path):
    plain = PlainSession(tmp_path / "none.onnx", sha256="0" * 64, threads=1, providers=("cpu",))
    with pytest.raises(ModelError, match=r"none\.onnx: No such file"):
        plain.get()


def test_a_file_that_is_another_one_by_now_is_not_loaded(folder, opened):
    """Floats of one version and boxes of another would not go together."""
    model = opened().models["a"]
    blob_model(folder / "a.onnx", metadata={"version": "2"})
    with pytest.raises(ModelError, match=r"a\.onnx: .*changed"):
        model.plain.get()
    # The old one again, and it is fine.
    blob_model(folder / "a.onnx", metadata={"version": "1"})
    assert model.plain.get().output_names == ["output0"]
