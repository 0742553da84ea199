"""Sealed values open where they belong and nowhere else; what changed is sealed again, no more."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.sealing_keys import sealing_key
from sightline.secrets import manifests, marks, resealing, sealing, verification
from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.manifests import Secret
from sightline.secrets.sealing import Scope

NOW = datetime.now(UTC)
OURS, OTHER = sealing_key(), sealing_key()
CERTIFICATE = sealing.certificate(OURS.certificate, name="cert.pem")
MARK_KEY = marks.new_key()

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
values = st.dictionaries(
    st.from_regex(r"[-._a-zA-Z0-9]{1,30}", fullmatch=True), st.binary(max_size=300), min_size=1,
    max_size=3,
)  # fmt: skip
scopes = st.sampled_from(Scope)


def _secret(**changes: object) -> Secret:
    return Secret(
        **{"name": "n", "namespace": "ns", "data": {"a": b"one", "b": b"two"}, **changes}  # type: ignore[arg-type]
    )


@given(name=names, namespace=names, data=values, scope=scopes)
@settings(max_examples=25, deadline=None)
def test_what_is_sealed_is_opened_again_also_after_a_file(
    name: str, namespace: str, data: dict[str, bytes], scope: Scope
) -> None:
    secret = _secret(
        name=name, namespace=namespace, data=data, type="kubernetes.io/tls", immutable=True,
        labels={"part-of": "sightline"}, annotations={"about": "it"},
    )  # fmt: skip
    sealed = sealing.seal(secret, CERTIFICATE, scope)
    text = manifests.written([sealed.manifest()])
    (read,) = manifests.objects(text, name="f")
    assert sealing.is_sealed(read)
    again = sealing.sealed_secret(read, name="f")
    assert again.scope is scope
    assert sealing.unseal(again, [OTHER.key, OURS.key]) == secret


@given(one=st.tuples(names, names), other=st.tuples(names, names), scope=scopes, value=st.binary())
@settings(max_examples=40, deadline=None)
def test_a_value_opens_where_its_scope_lets_it_and_nowhere_else(
    one: tuple[str, str], other: tuple[str, str], scope: Scope, value: bytes
) -> None:
    sealed = sealing.seal_value(CERTIFICATE.key, scope.label(*one), value)
    allowed = {
        Scope.STRICT: one == other,
        Scope.NAMESPACE: one[0] == other[0],
        Scope.CLUSTER: True,
    }
    if allowed[scope]:
        assert sealing.unseal_value([OURS.key], scope.label(*other), sealed) == value
    else:
        with pytest.raises(RefusedError):
            sealing.unseal_value([OURS.key], scope.label(*other), sealed)


@given(at=st.integers(0, 2000), flip=st.integers(1, 255), value=st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_byte_that_changed_is_noticed(at: int, flip: int, value: bytes) -> None:
    raw = bytearray(base64.b64decode(sealing.seal_value(CERTIFICATE.key, b"x", value)))
    raw[at % len(raw)] ^= flip
    changed = base64.b64encode(raw).decode()
    with pytest.raises((RefusedError, FormatError)):
        sealing.unseal_value([OURS.key], b"x", changed)


@given(cut=st.integers(0, 290))
@settings(max_examples=40, deadline=None)
def test_a_value_that_is_cut_off_is_said_to_be_so(cut: int) -> None:
    raw = base64.b64decode(sealing.seal_value(CERTIFICATE.key, b"x", b"v" * 17))
    short = base64.b64encode(raw[:cut]).decode()
    if cut < 2 + 256 + 16:
        with pytest.raises(FormatError, match="cut off"):
            sealing.parts(short)


def test_sealing_twice_is_not_the_same_text() -> None:
    one, other = (sealing.seal_value(CERTIFICATE.key, b"x", b"v") for _ in range(2))
    assert one != other


def test_a_namespace_is_needed_unless_it_may_be_any() -> None:
    secret = _secret(namespace=None)
    for scope in (Scope.STRICT, Scope.NAMESPACE):
        with pytest.raises(FormatError, match="namespace is missing"):
            sealing.seal(secret, CERTIFICATE, scope)
    sealed = sealing.seal(secret, CERTIFICATE, Scope.CLUSTER)
    assert sealing.unseal(sealed, [OURS.key]) == secret


@pytest.mark.parametrize(
    ("begins", "lasts", "sentence"),
    [(-20, 10, "ended on"), (2, 10, "clock")],
)
def test_a_certificate_out_of_its_time_is_refused(begins: int, lasts: int, sentence: str) -> None:
    made = sealing_key(begins=timedelta(days=begins), lasts=timedelta(days=lasts))
    certificate = sealing.certificate(made.certificate, name="c")
    with pytest.raises(RefusedError, match=sentence):
        certificate.must_be_valid(NOW)
    CERTIFICATE.must_be_valid(NOW)


def test_what_kubectl_kept_of_a_secret_is_not_passed_on() -> None:
    value = _secret().manifest()
    value["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "all of it",
        "kept": "yes",
    }
    secret = manifests.secret(value, name="f")
    assert dict(secret.annotations) == {"kept": "yes"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [secret-value", "neither YAML nor JSON"),
        ("- secret-value", "kind is missing"),
        ("kind: Secret\napiVersion: v1\ndata: {a: secret-value}", "metadata.name is missing"),
        (
            "kind: Secret\napiVersion: v1\nmetadata: {name: n}\ndata: {a: 's v'}",
            r"data\.a is not base64",
        ),
        ("kind: Secret\napiVersion: v1\nmetadata: {name: n}\ndata: {a: 7}", "strings by name"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_so_without_its_values(text: str, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence) as caught:
        resealing.seal_all(manifests.objects(text, name="f"), CERTIFICATE, name="f")
    assert "secret-value" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_to_seal_is_no_success() -> None:
    with pytest.raises(RefusedError, match="no Secret"):
        resealing.seal_all([{"apiVersion": "v1", "kind": "Namespace"}], CERTIFICATE, name="f")
    with pytest.raises(RefusedError, match="no values"):
        resealing.seal_all([_secret(data={}).manifest()], CERTIFICATE, name="f")


@given(data=values, changed=values)
@settings(max_examples=25, deadline=None)
def test_only_what_changed_is_sealed_again(
    data: dict[str, bytes], changed: dict[str, bytes]
) -> None:
    def sealed(given: dict[str, bytes], before: resealing.Sealed | None) -> resealing.Sealed:
        found = resealing.sealed_in(before.objects, name="f") if before else []
        return resealing.seal_all(
            [_secret(data=given).manifest()],
            CERTIFICATE,
            name="f",
            before={(each.namespace, each.name): each for each in found},
            mark_key=MARK_KEY,
        )

    first = sealed(data, None)
    second = sealed({**data, **changed}, first)
    (one,), (other,) = (resealing.sealed_in(each.objects, name="f") for each in (first, second))
    for key, value in data.items():
        same = changed.get(key, value) == value
        assert (one.data[key] == other.data[key]) is same
    assert dict(sealing.unseal(other, [OURS.key]).data) == {**data, **changed}


def _problems(sealed: sealing.SealedSecret, **given: object) -> list[str]:
    found = verification.examine(sealed, about="f", now=NOW, **given)  # type: ignore[arg-type]
    return [each.sentence for each in found if each.kind == "problem"]


def _sealed(secret: Secret, mark_key: str | None = MARK_KEY) -> sealing.SealedSecret:
    made = resealing.seal_all([secret.manifest()], CERTIFICATE, name="f", mark_key=mark_key)
    return resealing.sealed_in(made.objects, name="f")[0]


def test_a_good_file_has_no_problem_and_drift_is_told_with_and_without_the_key() -> None:
    secret = _secret()
    sealed = _sealed(secret)
    everything = {"certificate": CERTIFICATE, "keys": [OURS.key], "mark_key": MARK_KEY}
    assert _problems(sealed, wanted=secret, **everything) == []
    other = _secret(data={"a": b"another", "c": b"new"})
    for means in ({"keys": [OURS.key]}, {"mark_key": MARK_KEY}):
        told = " ".join(_problems(sealed, wanted=other, **means))
        assert "a has another value" in told
        assert "c is not sealed" in told
        assert "b is sealed, and no longer wanted" in told
        assert "another'" not in told


def test_without_key_and_marks_it_says_that_it_cannot_tell() -> None:
    sealed = _sealed(_secret(), mark_key=None)
    found = list(
        verification.examine(
            sealed, about="f", wanted=_secret(data={"a": b"x", "b": b"y"}), now=NOW
        )
    )
    assert any("cannot be told" in each.sentence for each in found if each.kind == "warning")
    assert not any("wanted ones" in each.sentence for each in found if each.kind == "good")


def test_marks_say_nothing_to_those_who_lack_the_folders_key() -> None:
    label = b"ns/n"
    mine, theirs = (marks.of(key, label, {"a": b"one"}) for key in (MARK_KEY, marks.new_key()))
    assert mine != theirs
    assert marks.of(MARK_KEY, b"ns/m", {"a": b"one"}) != mine
    assert marks.of(MARK_KEY, label, {"a": b"one"}) == mine


def test_what_is_wrong_with_a_file_is_named() -> None:
    sealed = _sealed(_secret())
    other = sealing.certificate(OTHER.certificate, name="c")
    assert any("seal it again" in each for each in _problems(sealed, certificate=other))
    assert any("no key opens it" in each for each in _problems(sealed, keys=[OTHER.key]))
    moved = replace(sealed, namespace="elsewhere")
    told = _problems(moved, keys=[OURS.key])
    assert any("template.metadata.namespace is ns" in each for each in told)
    assert any("no key opens it" in each for each in told)
    template = {"metadata": {"annotations": Scope.CLUSTER.annotations}}
    assert any("scope" in each for each in _problems(replace(sealed, template=template)))
    assert any("encryptedData.a" in each for each in _problems(replace(sealed, data={"a": "QUJD"})))
