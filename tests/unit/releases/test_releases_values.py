"""Values of a release: laid over each other, they give each colour what it is to run."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sightline.releases.release import Image, Target
from sightline.releases.values import composed, difference, merged, own, pinned

SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b"]),
                    st.lists(st.integers(0, 2), max_size=2))  # fmt: skip
MAPS = st.recursive(
    st.dictionaries(st.sampled_from("xyz"), SCALARS, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), st.one_of(SCALARS, inner), max_size=3),
    max_leaves=6,
)


def covers(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and covers(whole[name], value) for name, value in part.items()
        )
    return bool(whole == part)


@given(MAPS, MAPS)
def test_the_difference_laid_over_the_base_gives_what_is_wanted(
    base: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert covers(merged(base, difference(base, wanted)), wanted)


@given(MAPS, MAPS)
def test_there_is_none_where_nothing_differs(base: dict[str, Any], wanted: dict[str, Any]) -> None:
    both = merged(base, difference(base, wanted))
    assert difference(both, wanted) == {}


@given(MAPS, MAPS, MAPS)
def test_what_serves_keeps_everything_it_has(
    files: dict[str, Any], live: dict[str, Any], also: dict[str, Any]
) -> None:
    base = {"detection": files, "gateway": {}, "colours": {"blue": {}, "green": {}}}
    running = {"detection": live, "gateway": {}, "colours": {"blue": {"detection": also}}}
    target = Target(version="2", images={"detection": Image(repository="d", tag="2")})
    made = merged(base, composed(base, running, "green", target))
    assert covers(own(made, "blue"), own(running, "blue"))
    assert own(made, "green")["detection"]["image"]["tag"] == "2"
    both = merged(base, pinned(base, running, "blue"))
    assert covers(own(both, "blue"), own(running, "blue"))
    assert covers(own(both, "green"), own(running, "green"))


def test_null_takes_away_and_lists_are_whole() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merged(base, {"a": {"b": None, "c": [3]}}) == {"a": {"c": [3]}, "d": 3}
