"""A certificate from the TAK server itself, over real HTTPS on the loopback."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cop_gateway.delivery.certificates import read_bundle
from cop_gateway.delivery.credentials import Credentials, CredentialsError
from cop_gateway.delivery.enrolment import Enrolment, EnrolmentError
from cop_gateway.delivery.signing import name_entries, signed_certificates, signing_request
from fakes.authority import DAY, Authority
from fakes.enrolment import EnrolmentServer
from running import free_port

CA = Authority("TAK CA")
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


class Believed:
    """A source that is always the same."""

    def __init__(self, ca: Authority = CA) -> None:
        self.ca = ca

    def current(self) -> Credentials:
        return Credentials.of(ca=read_bundle(self.ca.pem, name="ca.pem"))


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def server(tmp_path):
    server = EnrolmentServer(tmp_path, CA)
    yield server
    server.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def enrolment(tmp_path, server, clock):
    def make(**changes) -> Enrolment:
        return Enrolment(
            **{
                "host": "127.0.0.1",
                "port": server.port,
                "user": "drone",
                "password": "swordfish",
                "client_uid": "SIGHTLINE-1 &",
                "version": "0.1.0",
                "folder": tmp_path / "state" / "tak",
                "ca": Believed(),
                "clock": clock,
                **changes,
            }
        )

    return make


def serial(credentials: Credentials) -> int:
    return credentials.certificate.serial_number


@pytest.mark.parametrize("form", ["json", "xml", "pem"])
def test_enrolling_as_tak_servers_expect_it(server, enrolment, form):
    server.form = form
    credentials = enrolment().current()
    assert credentials.subject == "OU=Übung,O=TAK,CN=drone"
    assert credentials.authorities[0] == CA.certificate
    assert isinstance(credentials.key, rsa.RSAPrivateKey)
    assert credentials.key.key_size == 2048
    credentials.context()
    assert server.asked == [
        ("GET", "/Marti/api/tls/config", {}),
        (
            "POST",
            "/Marti/api/tls/signClient/v2",
            {"clientUid": ["SIGHTLINE-1 &"], "version": ["0.1.0"]},
        ),
    ]
    # OpenTAKServer answers in JSON to those who ask for exactly this.
    assert server.headers[1]["Accept"] == "application/json"


def test_the_key_is_kept_for_our_eyes_only_and_a_second_start_does_not_enrol(
    tmp_path, server, enrolment
):
    first = enrolment().current()
    (kept,) = (tmp_path / "state" / "tak").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    server.close()
    again = enrolment().current()
    assert again.certificate == first.certificate
    assert again.authorities == first.authorities
    assert server.signings == 1


def test_another_user_or_server_gets_a_certificate_of_its_own(server, enrolment):
    first = enrolment().current()
    server.user = "other"
    other = enrolment(user="other").current()
    assert (first.subject, other.subject) == (
        "OU=Übung,O=TAK,CN=drone",
        "OU=Übung,O=TAK,CN=other",
    )
    assert server.signings == 2


def test_a_damaged_state_file_is_only_a_reason_to_ask_again(tmp_path, server, enrolment):
    first = enrolment().current()
    (kept,) = (tmp_path / "state" / "tak").iterdir()
    kept.write_bytes(kept.read_bytes()[:900])
    with capture_logs() as logs:
        second = enrolment().current()
    assert serial(second) != serial(first)
    assert logs[0]["event"] == "enrolment_file_unusable"
    assert enrolment().current().certificate == second.certificate


def test_a_wrong_password_is_said_and_not_tried_over_and_over(server, enrolment, clock):
    broken = enrolment(password="guess")
    for _ in range(5):
        with pytest.raises(EnrolmentError, match=r"127\.0\.0\.1:\d+ refused the user") as caught:
            broken.current()
        assert isinstance(caught.value, CredentialsError)
        assert "guess" not in str(caught.value)
        clock.passes(seconds=10)
    assert len(server.asked) == 1
    clock.passes(minutes=5)
    server.password = "guess"
    assert broken.current().subject


def test_a_server_that_is_down_is_asked_again_each_time(server, enrolment):
    port = free_port()
    with pytest.raises(EnrolmentError, match=f"127.0.0.1:{port} cannot be asked: Connection ref"):
        enrolment(port=port).current()
    late = enrolment()
    server.answer = (503, b"later")
    with pytest.raises(EnrolmentError, match="answered 503 'Service Unavailable'"):
        late.current()
    server.answer = None
    assert late.current().subject


def test_the_old_certificate_serves_until_renewal_works(server, enrolment, clock):
    ours = enrolment()
    first = ours.current()
    clock.passes(days=19)  # of 31; more than a third is left
    assert ours.current().certificate == first.certificate
    assert server.signings == 1
    clock.passes(days=2)
    server.answer = (500, b"")
    with capture_logs() as logs:
        for _ in range(4):
            assert ours.current().certificate == first.certificate
    # Once: it can wait for five minutes.
    (warning,) = logs
    assert warning["event"] == "enrolment_renewal_failed"
    assert "answered 500" in warning["error"]
    assert server.signings == 2
    clock.passes(minutes=6)
    server.answer, server.ends = None, 60 * DAY
    second = ours.current()
    assert serial(second) != serial(first)
    assert ours.current().certificate == second.certificate
    assert enrolment().current().certificate == second.certificate
    assert server.signings == 3


def test_an_expired_certificate_does_not_serve(server, enrolment, clock):
    ours = enrolment()
    first = ours.current()
    clock.passes(days=31)
    server.answer = (500, b"")
    with pytest.raises(EnrolmentError, match="answered 500"):
        ours.current()
    server.answer, server.ends = None, 90 * DAY
    assert serial(ours.current()) != serial(first)


def test_a_server_without_configuration_or_cas_is_asked_all_the_same(server, enrolment):
    server.entries, server.cas = None, []
    credentials = enrolment().current()
    assert credentials.subject == "CN=drone"
    assert credentials.authorities == (CA.certificate,)


def test_a_ca_that_is_configured_later_is_believed_beside_the_servers_own(server, enrolment):
    believed = Believed()
    ours = enrolment(ca=believed)
    assert set(ours.current().authorities) == {CA.certificate}
    believed.ca = Authority("Next CA")
    assert set(ours.current().authorities) == {CA.certificate, believed.ca.certificate}


def test_the_password_only_goes_to_a_server_that_the_ca_vouches_for(tmp_path, enrolment):
    cases = [
        (CA.issue("x", hosts=("tak.example",)), "does not name 127.0.0.1"),
        (Authority("Other").issue(hosts=("127.0.0.1",)), "not signed by the configured CA"),
        (Authority("TAK CA").issue(hosts=("127.0.0.1",)), "not signed by the configured CA"),
        (
            CA.issue("x", hosts=("127.0.0.1",), begins=-2 * DAY, ends=-DAY),
            "server's certificate, or its CA's, has expired",
        ),
    ]
    for issued, sentence in cases:
        server = EnrolmentServer(tmp_path, CA, server=issued)
        with pytest.raises(EnrolmentError, match=sentence):
            enrolment(port=server.port).current()
        assert server.asked == []
        server.close()
    server = EnrolmentServer(tmp_path, CA, server=cases[0][0])
    for change in ({"verify_hostname": False}, {"server_name": "tak.example"}):
        folder = tmp_path / "-".join(change)
        assert enrolment(port=server.port, folder=folder, **change).current().subject
    server.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "neither JSON nor XML"),
        (b"{", "is not JSON"),
        (b"{" * 100_000, "is not JSON"),
        (b"{}", "holds no signed certificate"),
        (b'{"signedCert": 7}', "holds no signed certificate"),
        (b'{"signedCert": "AAAA"}', "no readable certificate"),
        (b'{"signedCert": "!"}', "no readable certificate"),
        ('{"signedCert": "ü"}'.encode(), "no readable certificate"),
        (b"<enrollment/>", "holds no signed certificate"),
        (b"<!DOCTYPE a><enrollment/>", "neither JSON nor XML"),
        (b"<html>Sorry", "neither JSON nor XML"),
    ],
)
def test_answers_that_are_none(server, enrolment, answer, sentence):
    server.answer = (200, answer)
    with pytest.raises(EnrolmentError, match=sentence):
        enrolment().current()


def test_a_certificate_for_another_key_or_one_that_has_expired_is_refused(server, enrolment):
    server.other_key = RSA.public_key()
    with pytest.raises(EnrolmentError, match="signed another key than ours"):
        enrolment().current()
    server.other_key, server.begins, server.ends = None, -2 * DAY, -DAY
    with pytest.raises(EnrolmentError, match="gave us a certificate that has expired"):
        enrolment().current()


def test_an_endless_answer_is_not_read_to_its_end(server, enrolment):
    server.answer = (200, b" " * (2 << 20))
    with pytest.raises(EnrolmentError, match="no usable HTTP answer"):
        enrolment().current()


def test_a_folder_that_cannot_be_written_costs_only_the_next_start(tmp_path, server, enrolment):
    (tmp_path / "file").write_text("in the way")
    ours = enrolment(folder=tmp_path / "file" / "state")
    with capture_logs() as logs:
        first = ours.current()
    assert [each["event"] for each in logs if each["log_level"] == "error"] == [
        "enrolment_not_kept"
    ]
    assert ours.current().certificate == first.certificate
    assert server.signings == 1


def test_name_entries_in_either_namespace_and_order():
    plain = b'<certificateConfig validityDays="30"><nameEntries><nameEntry name="o" value="A"/>'
    plain += b'<nameEntry value="B" name="OU"/></nameEntries></certificateConfig>'
    assert name_entries(plain) == (("O", "A"), ("OU", "B"))
    with pytest.raises(EnrolmentError, match="certificate configuration: it has a document type"):
        name_entries(b"<!DOCTYPE a><a/>")


def test_names_that_no_certificate_can_hold():
    with pytest.raises(EnrolmentError, match="no certificate can be asked for"):
        signing_request("drone", (("C", "Switzerland"),))
    with pytest.raises(EnrolmentError, match="no certificate can be asked for"):
        signing_request("", ())


CERTIFICATE = CA.issue(public_key=RSA.public_key())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=80))
def test_whatever_the_answer_it_is_a_certificate_or_an_enrolment_error(noise, text):
    for answer in (
        noise,
        json.dumps({"signedCert": text, "ca0": text}).encode(),
        b"<enrollment><signedCert>" + text.encode(errors="replace") + b"</signedCert></enrollment>",
    ):
        with pytest.raises(EnrolmentError):
            signed_certificates(answer, RSA)


def test_the_same_ca_twice_counts_once():
    text = CERTIFICATE.pem.decode()
    answer = json.dumps({"ca1": CA.pem.decode(), "signedCert": text, "ca0": CA.pem.decode()})
    signed, cas = signed_certificates(answer.encode(), RSA)
    assert signed == CERTIFICATE.certificate
    assert cas == (CA.certificate,)
