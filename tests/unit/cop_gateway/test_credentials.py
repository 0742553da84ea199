"""Certificates and keys from files: every form that TAK servers give, every mistake named."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cop_gateway.delivery.certificates import read_bundle
from cop_gateway.delivery.credential_files import CredentialFiles
from cop_gateway.delivery.credentials import Credentials, CredentialsError
from cop_gateway.delivery.errors import DeliveryError
from fakes.authority import DAY, Authority

VECTORS = Path(__file__).parents[2] / "vectors/certificates"
CA = Authority()
CLIENT = CA.issue("drone")
SECRET = "swordfish"


def shaken_hands(credentials: Credentials, *, clients: Authority = CA) -> x509.Certificate:
    """A TLS handshake in memory; answers the certificate that the server was shown."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        issued = CA.issue("server", hosts=("tak.example",))
        path = Path(folder) / "server.pem"
        path.write_bytes(issued.pem + issued.key_pem())
        server.load_cert_chain(path)
    server.load_verify_locations(cadata=clients.pem.decode())
    server.verify_mode = ssl.CERT_REQUIRED
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        credentials.context().wrap_bio(down, up, server_hostname="tak.example"),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return x509.load_der_x509_certificate(ends[1].getpeercert(binary_form=True))


def test_pem_with_the_key_apart_the_key_inside_and_the_key_encrypted():
    forms = [
        {"certificate": CLIENT.pem, "key": CLIENT.key_pem()},
        {"certificate": CLIENT.pem + CLIENT.key_pem()},
        {"certificate": CLIENT.key_pem() + CLIENT.pem},
        {"certificate": CLIENT.pem, "key": CLIENT.key_pem(SECRET), "password": SECRET},
        {"certificate": CLIENT.pem + CLIENT.key_pem(SECRET), "password": SECRET},
        # A password for a key that needs none does no harm.
        {"certificate": CLIENT.pem, "key": CLIENT.key_pem(), "password": SECRET},
    ]
    for form in forms:
        credentials = Credentials.from_pem(**form, ca=CA.pem)
        assert credentials.subject == "CN=drone"
        assert credentials.expires_at == CLIENT.certificate.not_valid_after_utc
        assert shaken_hands(credentials) == CLIENT.certificate


def test_keys_of_other_kinds_and_of_the_old_pem_form():
    old = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    issued = CA.issue("old", key=old)
    pem = old.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(SECRET.encode())
    )
    assert b"BEGIN RSA PRIVATE KEY" in pem
    credentials = Credentials.from_pem(certificate=issued.pem, key=pem, password=SECRET, ca=CA.pem)
    assert shaken_hands(credentials) == issued.certificate
    with pytest.raises(CredentialsError, match=r"the key holds .* password is wrong"):
        Credentials.from_pem(certificate=issued.pem, key=pem, password="x", ca=CA.pem)
    modern = CA.issue("modern", key=ed25519.Ed25519PrivateKey.generate())
    credentials = Credentials.from_pem(certificate=modern.pem + modern.key_pem(), ca=CA.pem)
    assert shaken_hands(credentials) == modern.certificate


def test_the_certificate_is_the_one_of_the_key_wherever_it_stands_and_the_chain_is_in_order():
    root = Authority("Root")
    middle = Authority("Middle", parent=root)
    lower = Authority("Lower", parent=middle)
    client = lower.issue("drone")
    pem = root.pem + lower.pem + client.pem + middle.pem + client.key_pem()
    credentials = Credentials.from_pem(certificate=pem, ca=CA.pem)
    assert credentials.certificate == client.certificate
    assert credentials.chain == (lower.certificate, middle.certificate)
    # The server knows the root alone: it needs what lies between.
    assert shaken_hands(credentials, clients=root) == client.certificate


def test_pkcs12_with_its_own_ca_and_with_a_truststore():
    alone = Credentials.from_pkcs12(CLIENT.p12(cas=(CA.certificate,)), "atakatak")
    with_store = Credentials.from_pkcs12(
        CLIENT.p12(), "atakatak", ca=CA.truststore("other"), ca_password="other"
    )
    for credentials in (alone, with_store):
        assert credentials.authorities == (CA.certificate,)
        assert shaken_hands(credentials) == CLIENT.certificate


@pytest.mark.parametrize("name", ["truststore-rc2-40.p12", "truststore-java.p12"])
def test_truststores_as_tak_servers_made_them(name):
    """Made by `openssl pkcs12 -export -legacy` and by Java's keytool, not by what reads them."""
    bundle = read_bundle((VECTORS / name).read_bytes(), password="atakatak", name=name)
    assert [each.subject.rfc4514_string() for each in bundle.certificates] == [
        "CN=TAK-ROOT-CA,O=TAK"
    ]
    assert Credentials.of(ca=bundle).context().cert_store_stats()["x509_ca"] == 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_a_client_certificate_with_rc2_and_3des_from_openssl(tmp_path):
    (tmp_path / "client.pem").write_bytes(CLIENT.pem + CLIENT.key_pem())
    made = subprocess.run(
        "openssl pkcs12 -export -legacy -in client.pem -out client.p12 -passout pass:atakatak",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("this openssl has no legacy encryption")
    credentials = Credentials.from_pkcs12(
        (tmp_path / "client.p12").read_bytes(), "atakatak", ca=CA.pem
    )
    assert shaken_hands(credentials) == CLIENT.certificate


def test_what_is_wrong_is_said_with_the_file_and_without_the_password(tmp_path):
    other = CA.issue("other")
    files = {
        "client.pem": CLIENT.pem,
        "client.key": CLIENT.key_pem(),
        "secret.key": CLIENT.key_pem(SECRET),
        "other.key": other.key_pem(),
        "mixed.pem": CLIENT.pem + other.key_pem(),
        "client.p12": CLIENT.p12(SECRET),
        "ca.pem": CA.pem,
        "ca.p12": CA.truststore(SECRET),
        "noise": b"\x00\x01 noise",
        "empty": b"",
        "cut.key": CLIENT.key_pem()[:150],
        "bad.pem": CLIENT.pem.replace(b"M", b"N", 5),
        "big.pem": b" " * (1 << 20) + CLIENT.pem,
        "latin1": b"\xe9",
        "truststore.jks": (VECTORS / "truststore.jks").read_bytes(),
        "old.p12": (VECTORS / "truststore-rc2-40.p12").read_bytes(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    cases = [
        ({"certificate": "client.pem", "key": "other.key"}, "other.key does not belong to"),
        ({"certificate": "mixed.pem"}, "mixed.pem does not belong to the certificate of"),
        ({"certificate": "client.pem"}, "client.pem holds no private key"),
        ({"certificate": "client.key"}, "client.key holds no certificate"),
        ({"certificate": "client.pem", "key": "cut.key"}, "cut.key .* end is missing"),
        ({"certificate": "client.pem", "key": "secret.key"}, "there is no password"),
        (
            {"certificate": "client.pem", "key": "secret.key", "password": "guess"},
            "secret.key .* the password is wrong",
        ),
        ({"certificate": "client.p12", "password": "guess"}, "client.p12 cannot be opened"),
        (
            {"certificate": "client.p12"},
            "client.p12 cannot be opened: the password is wrong or missing",
        ),
        ({"ca": "ca.p12", "ca_password": "guess"}, "ca.p12 cannot be opened"),
        ({"ca": "old.p12", "ca_password": "guess"}, "old encryption .RC2 or RC4.*-legacy"),
        ({"certificate": "noise"}, "noise is neither PEM nor PKCS#12"),
        ({"certificate": "empty"}, "empty is neither PEM nor PKCS#12"),
        ({"certificate": "bad.pem", "key": "client.key"}, "bad.pem holds a cert.* cannot be read"),
        ({"certificate": "big.pem"}, "big.pem is larger than 1048576 bytes"),
        ({"certificate": "absent.pem"}, "absent.pem cannot be read: No such file"),
        ({"ca": "truststore.jks"}, "truststore.jks is a Java keystore"),
        ({"ca": "client.pem"}, "client.pem holds no CA certificate"),
        ({"ca": "client.key"}, "client.key holds no CA certificate"),
        ({"certificate": "client.p12", "password": tmp_path / "latin1"}, "latin1 is not UTF-8"),
        ({"certificate": "client.p12", "password": tmp_path / "gone"}, "gone cannot be read"),
    ]
    for given_, sentence in cases:
        named = {
            name: value if "password" in name else tmp_path / value
            for name, value in given_.items()
        }
        # Whatever is wrong is not the CA, unless that is what the case is about.
        source = CredentialFiles(**{"ca": tmp_path / "ca.pem", **named})
        with pytest.raises(CredentialsError, match=sentence) as caught:
            source.current()
        assert isinstance(caught.value, DeliveryError)
        assert "guess" not in str(caught.value)
    with pytest.raises(CredentialsError, match=r"mixed\.pem holds no CA certificate"):
        CredentialFiles(certificate=tmp_path / "mixed.pem").current()
    with pytest.raises(CredentialsError, match="neither a certificate nor a CA"):
        CredentialFiles().current()


def test_neither_credentials_nor_bundles_show_the_key():
    credentials = Credentials.from_pem(certificate=CLIENT.pem + CLIENT.key_pem(), ca=CA.pem)
    bundle = read_bundle(CLIENT.p12(SECRET), password=SECRET, name="client.p12")
    for each in (credentials, bundle):
        assert "key" not in repr(each).lower()


def test_the_context_checks_the_ca_always_and_the_name_unless_told_otherwise():
    credentials = Credentials.of(ca=read_bundle(CA.pem, name="ca.pem"))
    strict, lenient = credentials.context(), credentials.context(verify_hostname=False)
    assert strict.check_hostname
    assert not lenient.check_hostname
    for context in (strict, lenient):
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        # This CA alone: not those of the system.
        assert context.get_ca_certs(binary_form=True) == [CA.certificate.public_bytes(Encoding.DER)]
    assert credentials.subject is None
    assert credentials.expires_at is None


def test_a_der_certificate_is_a_ca_file_too():
    der = CA.certificate.public_bytes(Encoding.DER)
    assert read_bundle(der, name="ca.der").certificates == (CA.certificate,)


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_key_never_lies_open_in_a_file(monkeypatch, tmp_path, in_memory):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[bytes, Path, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self, path, *, password):
        mode = stat.S_IMODE(Path(path).parent.stat().st_mode | Path(path).stat().st_mode)
        seen.append((Path(path).read_bytes(), Path(path), mode))
        load(self, path, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    Credentials.from_pem(certificate=CLIENT.pem + CLIENT.key_pem(), ca=CA.pem).context()
    ((content, path, mode),) = seen
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    if in_memory:
        assert path.is_relative_to("/proc/self/fd")
    else:
        assert path.is_relative_to(tmp_path)
        assert mode == 0o700
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def replaced(path: Path, content: bytes) -> None:
    """As Kubernetes and careful people do: a new file under the old name."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def test_replaced_files_are_used_and_broken_ones_are_not(tmp_path):
    paths = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key", "ca")}
    first, second = CA.issue("first"), CA.issue("second")
    for name, content in zip(paths, (first.pem, first.key_pem(), CA.pem), strict=True):
        paths[name].write_bytes(content)
    source = CredentialFiles(**paths)
    assert source.current().subject == "CN=first"
    assert source.current() is source.current()
    # Half-way through a replacement the two do not fit: the old ones stay, and it is said once.
    with capture_logs() as logs:
        replaced(paths["certificate"], second.pem)
        for _ in range(3):
            assert source.current().subject == "CN=first"
    (warning,) = [each for each in logs if each["log_level"] == "warning"]
    assert warning["event"] == "credentials_kept"
    assert "does not belong to" in warning["error"]
    replaced(paths["key"], second.key_pem())
    assert source.current().subject == "CN=second"
    with capture_logs() as logs:
        paths["ca"].unlink()
        assert source.current().subject == "CN=second"
    assert "ca.pem cannot be read" in logs[0]["error"]
    # The same length within the same inode: the time tells.
    paths["ca"].write_bytes(Authority("Next CA").pem)
    assert source.current().authorities[0].subject.rfc4514_string() == "CN=Next CA"


def test_a_password_file_is_watched_as_well(tmp_path):
    p12, password = tmp_path / "client.p12", tmp_path / "password"
    p12.write_bytes(CLIENT.p12("one", cas=(CA.certificate,)))
    password.write_text("one\n")
    source = CredentialFiles(certificate=p12, password=password)
    assert source.current().subject == "CN=drone"
    replaced(p12, CA.issue("next").p12("two", cas=(CA.certificate,)))
    assert source.current().subject == "CN=drone"
    password.write_text("two")
    assert source.current().subject == "CN=next"


def test_an_expired_certificate_is_read_and_says_when(tmp_path):
    gone = CA.issue("gone", begins=-2 * DAY, ends=-DAY)
    credentials = Credentials.from_pem(certificate=gone.pem + gone.key_pem(), ca=CA.pem)
    assert credentials.expires_at == gone.certificate.not_valid_after_utc


SEEDS = [
    CLIENT.pem + CLIENT.key_pem(),
    CLIENT.pem + CLIENT.key_pem("atakatak"),
    CLIENT.p12(cas=(CA.certificate,)),
    CA.certificate.public_bytes(Encoding.DER),
    (VECTORS / "truststore-rc2-40.p12").read_bytes(),
]


@settings(max_examples=300, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore:PKCS#12 bundle could not be parsed as DER")
def test_damaged_files_only_ever_raise_credentials_errors(data):
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(CredentialsError):
        bundle = read_bundle(bytes(content), password="atakatak", name="damaged")
        Credentials.of(client=bundle, ca=bundle).context()


@given(st.binary(max_size=400))
def test_random_bytes_are_no_credentials(data):
    with pytest.raises(CredentialsError, match="noise"):
        Credentials.of(ca=read_bundle(data, name="noise"))
