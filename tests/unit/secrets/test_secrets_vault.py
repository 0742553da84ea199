"""Vault's KV version 2 as a source: logins, leases, refusals, and what stands in for it."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hvac
import pyrage
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fakes.authority import Authority, server_context
from fakes.vault import FakeVault
from running import free_port
from sightline.journal import Journal
from sightline.secrets import fetching, vault_session
from sightline.secrets.errors import FormatError, RefusedError, SourceError, UnreachableError
from sightline.secrets.folder import Folder
from sightline.secrets.vault import AppRole, GivenToken, KubernetesRole, Vault
from sightline.secrets.vault_session import Lease

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PATH = "sightline/gateway"
WORD = "open~" + secrets.token_hex(8)


@pytest.fixture
def server() -> Iterator[FakeVault]:
    server = FakeVault()
    server.write(f"secret/{PATH}", {"token-secret": WORD, "limits": {"a": 1}})
    yield server
    server.close()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _given(server: FakeVault, **more: object) -> Vault:
    return Vault(address=server.url, entrance=GivenToken(token=server.token()), **more)  # type: ignore[arg-type]


def _fetch(
    source: Vault,
    folder: Path,
    *paths: str,
    namespace: str | None = None,
    cache: fetching.Cache | None = None,
    now: datetime = NOW,
) -> fetching.Fetched:
    return fetching.fetch(
        source, paths or (PATH,), Folder(folder), namespace=namespace, cache=cache, now=now,
        journal=Journal(),
    )  # fmt: skip


def test_values_become_files_of_ones_own_and_only_what_changed_is_written(
    server: FakeVault, tmp_path: Path
) -> None:
    source = _given(server)
    first = _fetch(source, tmp_path / "out")
    assert set(first.written) == {"token-secret", "limits"}
    assert first.versions == {PATH: 1}
    assert (tmp_path / "out" / "token-secret").read_text() == WORD
    for path in (tmp_path / "out").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert WORD not in repr(first)
    server.write(f"secret/{PATH}", {"token-secret": "another", "limits": {"a": 1}})
    second = _fetch(source, tmp_path / "out")
    assert (second.written, second.unchanged) == (("token-secret",), ("limits",))
    assert second.versions == {PATH: 2}


def test_an_earlier_version_can_be_read_and_a_deleted_one_is_said(server: FakeVault) -> None:
    server.write(f"secret/{PATH}", {"token-secret": "newer"})
    source = _given(server)
    assert source.read(PATH, version=1).data["token-secret"] == WORD.encode()
    server.versions[f"secret/{PATH}"].append(None)
    with pytest.raises(SourceError, match="deleted"):
        source.read(PATH)
    with pytest.raises(SourceError, match="there is nothing"):
        source.read("elsewhere")


def test_a_path_becomes_a_secret_for_kubernetes(server: FakeVault, tmp_path: Path) -> None:
    _fetch(_given(server), tmp_path / "out", namespace="detection-system")
    (made,) = yaml.safe_load_all((tmp_path / "out" / "gateway.yaml").read_text())
    assert (made["kind"], made["metadata"]["name"]) == ("Secret", "gateway")
    assert set(made["data"]) == {"token-secret", "limits"}


def test_two_paths_that_would_write_one_file_write_nothing(
    server: FakeVault, tmp_path: Path
) -> None:
    server.write("secret/other", {"token-secret": "x"})
    with pytest.raises(FormatError, match="token-secret"):
        _fetch(_given(server), tmp_path / "out", PATH, "other")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("key", ["../escaped", ".hidden", "a/b", ""])
def test_a_key_that_is_no_files_name_is_refused(
    server: FakeVault, tmp_path: Path, key: str
) -> None:
    server.write(f"secret/{PATH}", {key: "x"})
    with pytest.raises(FormatError, match="no name of a file"):
        _fetch(_given(server), tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_approle_and_kubernetes_log_in(server: FakeVault, tmp_path: Path) -> None:
    role, secret, jwt = (tmp_path / name for name in ("role", "secret", "jwt"))
    role.write_text("role-id\n")
    secret.write_text("secret-id\n")
    jwt.write_text("account-jwt\n")
    for entrance in (
        AppRole(role_id=role, secret_id=secret),
        KubernetesRole(role="reader", token=jwt),
    ):
        read = Vault(address=server.url, entrance=entrance).read(PATH)
        assert read.data["token-secret"] == WORD.encode()
        assert WORD not in repr(read)
    secret.write_text("wrong-secret-id")
    with pytest.raises(SourceError, match="invalid role or secret ID") as caught:
        Vault(address=server.url, entrance=AppRole(role_id=role, secret_id=secret)).read(PATH)
    assert "wrong-secret-id" not in str(caught.value)


def test_a_lease_is_renewed_late_in_its_life_and_asked_for_anew_when_that_is_refused(
    server: FakeVault, tmp_path: Path
) -> None:
    role, secret = tmp_path / "role", tmp_path / "secret"
    role.write_text("role-id")
    secret.write_text("secret-id")
    clock = Clock()
    source = Vault(
        address=server.url, entrance=AppRole(role_id=role, secret_id=secret), clock=clock
    )
    source.read(PATH)
    clock.now = 2000
    source.read(PATH)
    assert server.count("auth/token/renew-self") == 0
    clock.now = 2500
    source.read(PATH)
    assert (server.count("auth/token/renew-self"), server.count("auth/approle/login")) == (1, 1)
    clock.now = 5000
    server.renewable = False
    source.read(PATH)
    assert server.count("auth/approle/login") == 2
    clock.now = 9000
    source.read(PATH)
    assert server.count("auth/approle/login") == 3


@given(
    since=st.integers(0, 10**6),
    seconds=st.integers(0, 10**6),
    renewable=st.booleans(),
    handed=st.booleans(),
    later=st.integers(0, 2 * 10**6),
)
def test_no_token_is_used_beyond_its_end_and_none_is_asked_for_too_early(
    since: int, seconds: int, renewable: bool, handed: bool, later: int
) -> None:
    lease = Lease(since=since, seconds=seconds, renewable=renewable)
    move = vault_session.move(lease, since + later, given=handed)
    if seconds and later >= seconds:
        assert move == ("over" if handed else "log in")
    elif not seconds or later < seconds * 0.6:
        assert move == "keep"
    elif move == "renew":
        assert renewable


def test_forbidden_is_said_and_no_cache_stands_in(server: FakeVault, tmp_path: Path) -> None:
    cache = fetching.Cache(path=tmp_path / "cache")
    source = _given(server)
    _fetch(source, tmp_path / "out", cache=cache)
    server.allowed = {"secret/other"}
    with pytest.raises(SourceError, match="forbidden") as caught:
        _fetch(source, tmp_path / "out", cache=cache)
    assert not isinstance(caught.value, UnreachableError)


@pytest.mark.parametrize("trouble", ["sealed", "gone"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_cache_stands_in_for_a_vault_that_does_not_answer_and_says_of_when(
    server: FakeVault, tmp_path: Path, trouble: str, encrypted: bool
) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"# made today\n{identity}\n")
    cache = fetching.Cache(
        path=tmp_path / "cache",
        recipients=(str(identity.to_public()),) if encrypted else (),
        identity=tmp_path / "identity",
    )
    source = _given(server)
    _fetch(source, tmp_path / "out", cache=cache)
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600
    assert (WORD.encode() in cache.path.read_bytes()) is False
    if trouble == "sealed":
        server.sealed = True
    else:
        server.close()
    done = _fetch(source, tmp_path / "anew", cache=cache, now=NOW + timedelta(days=2))
    assert done.cached_at == NOW
    assert done.reason
    assert (tmp_path / "anew" / "token-secret").read_text() == WORD
    with pytest.raises(UnreachableError, match="8 days old"):
        _fetch(source, tmp_path / "anew", cache=cache, now=NOW + timedelta(days=8))
    with pytest.raises(UnreachableError):
        _fetch(source, tmp_path / "anew")
    cache.path.chmod(0o644)
    with pytest.raises(UnreachableError, match="chmod 600"):
        _fetch(source, tmp_path / "anew", cache=cache)
    if trouble == "sealed":
        server.sealed = False


def test_a_cache_of_another_vault_or_without_its_identity_stands_in_for_nothing(
    server: FakeVault, tmp_path: Path
) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    cache = fetching.Cache(path=tmp_path / "cache", recipients=(recipient,))
    _fetch(_given(server), tmp_path / "out", cache=cache)
    server.sealed = True
    with pytest.raises(UnreachableError, match="--cache-identity"):
        _fetch(_given(server), tmp_path / "out", cache=cache)
    plain = fetching.Cache(path=tmp_path / "plain")
    server.sealed = False
    _fetch(_given(server), tmp_path / "out", cache=plain)
    elsewhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError, match="is of http"):
        _fetch(Vault(address=elsewhere, entrance=GivenToken(token="x")), tmp_path / "out",
               cache=plain)  # fmt: skip


def test_tls_is_by_the_ca_that_was_named_and_a_namespace_goes_along(tmp_path: Path) -> None:
    ca = Authority("Vault CA")
    context = server_context(tmp_path, ca.issue("vault", hosts=("127.0.0.1",)))
    server = FakeVault(context=context, namespace="team-a")
    try:
        server.write(f"secret/{PATH}", {"token-secret": WORD})
        (tmp_path / "ca.pem").write_bytes(ca.pem)
        (tmp_path / "other.pem").write_bytes(Authority("Other").pem)
        source = _given(server, ca=tmp_path / "ca.pem", namespace="team-a")
        assert source.read(PATH).version == 1
        with pytest.raises(SourceError, match="certificate is not good"):
            _given(server, ca=tmp_path / "other.pem", namespace="team-a").read(PATH)
        with pytest.raises(SourceError, match="forbidden"):
            _given(server, ca=tmp_path / "ca.pem").read(PATH)
    finally:
        server.close()


def test_a_folder_that_others_can_read_gets_nothing(server: FakeVault, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o755)
    with pytest.raises(RefusedError, match="chmod 700"):
        _fetch(_given(server), tmp_path / "out")


def test_a_real_vault() -> None:
    """The same against a server of one's own: VAULT_ADDR, VAULT_TOKEN, KV version 2 at secret/."""
    if "VAULT_ADDR" not in os.environ or "VAULT_TOKEN" not in os.environ:
        pytest.skip("no VAULT_ADDR and VAULT_TOKEN: there is no Vault to ask")
    client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])
    path = f"sightline-test/{secrets.token_hex(4)}"
    client.secrets.kv.v2.create_or_update_secret(path=path, secret={"word": WORD})
    try:
        source = Vault(
            address=os.environ["VAULT_ADDR"], entrance=GivenToken(token=os.environ["VAULT_TOKEN"])
        )
        assert source.read(path).data == {"word": WORD.encode()}
    finally:
        client.secrets.kv.v2.delete_metadata_and_all_versions(path=path)
