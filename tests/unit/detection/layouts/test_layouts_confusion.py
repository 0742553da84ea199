"""However little is known of a model, it is never taken for one of another layout."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.errors import ModelError
from detection.layouts import LAYOUTS
from detection.layouts.choice import choose, confirm
from detection.layouts.layout import InputSize, Signature, Tensor
from fakes.layouts import ENCODERS, Scene, Thing, written


@st.composite
def scenes(draw) -> Scene:
    width, height = draw(st.sampled_from([(320, 320), (320, 192), (128, 256), (640, 64)]))
    labels = draw(st.sampled_from([1, 2, 3, 20]))
    things = draw(
        st.lists(
            st.builds(
                lambda x, y, w, h, score, label: Thing(
                    box=(x * width, y * height, (x + w) * width, (y + h) * height),
                    score=score,
                    label=label,
                ),
                *[st.floats(0.0, 0.5), st.floats(0.0, 0.5)],
                *[st.floats(0.1, 0.5), st.floats(0.1, 0.5)],
                score=st.floats(0.01, 0.95),
                label=st.integers(0, labels - 1),
            ),
            max_size=4,
        )
    )
    return Scene(
        width=width,
        height=height,
        labels=labels,
        things=things,
        rows=draw(st.sampled_from([100, 300])),
    )


def declared(name: str, outputs, scene: Scene, *, known: bool) -> Signature:
    """With every side, or with none but those that tell the shape's kind."""
    image = (1, 3, scene.height, scene.width) if known else ("batch", 3, "height", "width")
    inputs = [Tensor(name="images", shape=image, dtype="float32")]
    if name == "dfine":
        inputs.append(Tensor(name="orig_target_sizes", shape=(1, 2), dtype="int64"))
    return Signature(
        inputs=tuple(inputs),
        outputs=tuple(
            Tensor(
                name=key,
                shape=array.shape if known else tuple("abcd"[: array.ndim]),
                dtype=array.dtype.name,
            )
            for key, array in outputs.items()
        ),
    )


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=60, deadline=None)
@given(scene=scenes(), known=st.booleans(), named=st.booleans(), dtype=st.sampled_from([16, 32]))
def test_a_model_is_what_it_is_or_refused(name, scene, known, named, dtype):
    outputs = written(name, scene, f"float{dtype}")
    signature = declared(name, outputs, scene, known=known)
    labels = scene.labels if named else None
    candidates = choose(signature, labels=labels, stated=None)
    assert name in [layout.name for layout in candidates]
    size = InputSize(width=scene.width, height=scene.height)
    try:
        found = confirm(
            candidates, signature, list(outputs.values()), labels=labels, size=size
        ).name
    except ModelError as refusal:
        found = str(refusal)
    # Where it is refused the right one is among those that can be stated.
    assert found == name or f'layout = "{name}"' in found


@pytest.mark.parametrize("stated", LAYOUTS)
@pytest.mark.parametrize("name", ENCODERS)
def test_whoever_states_a_layout_is_believed_or_told_why_not(name, stated):
    scene = Scene(
        width=320,
        height=192,
        labels=3,
        things=(Thing(box=(30.0, 20.0, 200.0, 120.0), score=0.9, label=2),),
    )
    outputs = written(name, scene)
    signature = declared(name, outputs, scene, known=True)
    size = InputSize(width=320, height=192)
    if name == stated:
        (layout,) = choose(signature, labels=3, stated=stated)
        assert confirm([layout], signature, list(outputs.values()), labels=3, size=size) == layout
        return
    with pytest.raises(ModelError) as refusal:
        confirm(
            choose(signature, labels=3, stated=stated),
            signature,
            list(outputs.values()),
            labels=3,
            size=size,
        )
    assert "expected" in str(refusal.value)
    assert f"layout {stated}" in str(refusal.value)
