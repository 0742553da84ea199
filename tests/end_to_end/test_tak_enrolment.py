"""A certificate that was enrolled lets us into a real TAK server with TLS."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cop_gateway.delivery.credential_files import CredentialFiles
from fakes.authority import Authority
from fakes.enrolment import EnrolmentServer
from running import started
from sightline.secrets import tak_enrolment
from sightline.secrets.folder import Folder
from taky_tls import TlsTaky

pytestmark = pytest.mark.e2e


def test_taky_takes_the_certificate_that_was_enrolled(tmp_path: Path) -> None:
    """taky has no enrolment: its own CA signs, behind the protocol of those that have."""
    taky = TlsTaky(tmp_path)
    authority = Authority("taky")
    authority.certificate = x509.load_pem_x509_certificate(
        (taky.site / "ssl" / "ca.crt").read_bytes()
    )
    authority.name = authority.certificate.subject
    authority.key = load_pem_private_key((taky.site / "ssl" / "ca.key").read_bytes(), None)
    server = EnrolmentServer(tmp_path, authority)
    folder = Folder(tmp_path / "tak")
    try:
        asked = tak_enrolment.Server(
            host="127.0.0.1", port=server.port, user=server.user, password=server.password,
            ca=(authority.certificate,),
        )  # fmt: skip
        tak_enrolment.enrol(asked, folder, client_uid="sightline")
    finally:
        server.close()
    files = CredentialFiles(certificate=folder.path / "client.pem", ca=folder.path / "ca.pem")
    context = files.current().context(verify_hostname=False)
    with (
        started(taky),
        socket.create_connection(("127.0.0.1", taky.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as session,
    ):
        session.sendall(PING)
        session.settimeout(10)
        assert b"t-x-c-t-r" in session.recv(4096)


PING = (
    b'<event version="2.0" uid="ping" type="t-x-c-t" how="m-g" time="2026-01-01T00:00:00Z"'
    b' start="2026-01-01T00:00:00Z" stale="2099-01-01T00:00:00Z">'
    b'<point lat="0" lon="0" hae="0" ce="1" le="1"/><detail/></event>'
)
