"""`sightline secrets enrol` with a TAK server's enrolment, and what its certificate is good for."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cop_gateway.delivery.credential_files import CredentialFiles
from fakes.authority import DAY, Authority, server_context
from fakes.enrolment import EnrolmentServer
from sightline.cli import exits

CA = Authority("TAK CA")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EnrolmentServer]:
    server = EnrolmentServer(tmp_path, CA)
    yield server
    server.close()


@pytest.fixture(name="sightline")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sightline.cli.main", *arguments],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return run


class Client:
    """Whoever enrols, with what they were handed."""

    def __init__(self, folder: Path, server: EnrolmentServer, run: Callable[..., Any]) -> None:
        self.password, self.ca, self.out = folder / "word", folder / "ca.p12", folder / "tak"
        self.password.write_text(server.password + "\n")
        self.ca.write_bytes(server.authority.truststore("store-word"))
        (folder / "store-word").write_text("store-word")
        self._folder, self._server, self._run = folder, server, run

    def enrol(self, *more: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = self._run(
            "secrets", "enrol", "--server", "127.0.0.1", "--port", str(self._server.port),
            "--user", self._server.user, "--password-file", str(self.password), "--ca",
            str(self.ca), "--ca-password-file", str(self._folder / "store-word"), "--out",
            str(self.out), "--yes", *more,
        )  # fmt: skip
        assert self._server.password not in done.stdout + done.stderr
        return done

    def credentials(self) -> Any:
        """As the gateway reads them."""
        return CredentialFiles(
            certificate=self.out / "client.pem", ca=self.out / "ca.pem"
        ).current()


@pytest.fixture
def client(tmp_path: Path, server: EnrolmentServer, sightline: Callable[..., Any]) -> Client:
    return Client(tmp_path, server, sightline)


def test_a_certificate_is_asked_for_once_and_the_gateway_reads_it(
    server: EnrolmentServer, client: Client
) -> None:
    planned = client.enrol("--dry-run")
    assert (planned.returncode, server.signings) == (exits.OK, 0)
    assert "no certificate yet" in planned.stdout
    first = client.enrol("--json")
    assert first.returncode == exits.OK, first.stderr
    told = json.loads(first.stdout)
    assert told["enrolled"] is True
    for path in client.out.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    credentials = client.credentials()
    assert credentials.subject == told["certificate"]["subject"]
    assert CA.certificate in credentials.authorities
    again = json.loads(client.enrol("--json").stdout)
    assert again == {**told, "enrolled": False}
    assert server.signings == 1


def test_a_server_that_asks_for_certificates_takes_it(tmp_path: Path, client: Client) -> None:
    client.enrol()
    context = server_context(tmp_path, CA.issue("tak", hosts=("127.0.0.1",)), clients=CA)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ours = client.credentials().context()
        plain = socket.create_connection(("127.0.0.1", port), 5)
        accepted, _ = listening.accept()
        accepted.settimeout(5)
        seen: list[Any] = []

        def serve() -> None:
            with context.wrap_socket(accepted, server_side=True) as there:
                seen.append(there.getpeercert())
                there.sendall(b"welcome")

        thread = threading.Thread(target=serve)
        thread.start()
        with ours.wrap_socket(plain, server_hostname="127.0.0.1") as here:
            assert here.recv(7) == b"welcome"
        thread.join(5)
    assert (("commonName", "drone"),) in seen[0]["subject"]


def test_it_is_renewed_before_it_ends_and_the_old_one_stays_until_then(
    server: EnrolmentServer, client: Client
) -> None:
    server.ends = 40 * DAY
    client.enrol()
    before = (client.out / "client.pem").read_bytes()
    assert client.enrol("--renew-before", "5d").returncode == exits.OK
    assert (client.out / "client.pem").read_bytes() == before
    server.begins, server.ends = -DAY, timedelta(hours=2)
    (client.out / "client.pem").unlink()
    client.enrol()
    short = (client.out / "client.pem").read_bytes()
    server.answer = (500, b"")
    failed = client.enrol()
    assert failed.returncode == exits.FAILED
    assert "answered 500" in failed.stderr
    assert (client.out / "client.pem").read_bytes() == short
    server.answer, server.ends = None, 90 * DAY
    assert client.enrol().returncode == exits.OK
    assert (client.out / "client.pem").read_bytes() != short


def test_the_password_goes_to_no_other_server(
    tmp_path: Path, client: Client, server: EnrolmentServer
) -> None:
    client.ca.write_bytes(Authority("Other").truststore("store-word"))
    ended = client.enrol()
    assert ended.returncode == exits.FAILED
    assert "not good" in ended.stderr
    assert server.asked == []
    assert not (client.out / "client.pem").exists()


def test_a_wrong_password_and_a_signature_of_another_key_are_said(
    client: Client, server: EnrolmentServer
) -> None:
    server.password = "another word"
    assert "refused drone" in client.enrol().stderr
    server.password = "swordfish"
    server.other_key = CA.issue().key.public_key()
    assert "another key" in client.enrol().stderr
    assert not (client.out / "client.pem").exists()
