"""What is said when a TAK server signs our certificate: the request and the answer. Pure.

`GET /Marti/api/tls/config` answers `<certificateConfig><nameEntries><nameEntry name="O"
value="…"/>…`; TAK Server compares the subject of the request with CN = user and these entries.
`POST /Marti/api/tls/signClient/v2` takes the base64 of a PKCS#10 request and answers
`{"signedCert": …, "ca0": …, "ca1": …}` or, to those who ask for it, `<enrollment><signedCert>…
</signedCert><ca>…</ca></enrollment>`, each a certificate in base64, mostly without its PEM lines.

Sources: commoncommo of ATAK-CIV, TAK Server's CertManagerApi, OpenTAKServer's
`certificate_authority_api` (which adds the PEM lines itself and needs a line end before the last).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sightline.tak.xml_document import elements, local_name, parse_document

_KEY_BITS = 2048
_NAMES = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "STREET": NameOID.STREET_ADDRESS,
    "UID": NameOID.USER_ID,
}
_ARMOUR = re.compile(r"-----[A-Z ]+-----|\\n|\s")


class SigningError(Exception):
    """What was answered is no certificate for us; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningRequest:
    """A new key and what is posted to have it signed."""

    key: rsa.RSAPrivateKey = field(repr=False)
    body: bytes


def name_entries(answer: bytes) -> tuple[tuple[str, str], ...]:
    """Name and value of each entry in the server's configuration, in its order."""
    try:
        root = parse_document(answer)
    except ValueError as error:
        raise SigningError(f"the server's certificate configuration: {error}") from error
    return tuple(
        (each.get("name", "").upper(), each.get("value", ""))
        for each in elements(root, "nameEntry")
    )


def signing_request(user: str, entries: tuple[tuple[str, str], ...]) -> SigningRequest:
    """Make an RSA-2048 key and a request for CN = user with the entries; unknown ones are left out.

    Raises SigningError for a name that no certificate can hold.
    """
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
    try:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, user),
                *(x509.NameAttribute(_NAMES[n], value) for n, value in entries if n in _NAMES),
            ]
        )
    except ValueError as error:
        raise SigningError(f"no certificate can be asked for: {error}") from error
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    lines = [line for line in pem.splitlines(keepends=True) if not line.startswith(b"-----")]
    return SigningRequest(key=key, body=b"".join(lines))


def signed_certificates(
    answer: bytes, key: rsa.RSAPrivateKey
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """Our certificate and those of the CA; raises SigningError if it is not for our key."""
    signed, *authorities = (_certificate(each) for each in _encoded(answer))
    try:
        ours = signed.public_key() == key.public_key()
    except (ValueError, TypeError) as error:
        raise SigningError("the server signed something unusable") from error
    if not ours:
        raise SigningError("the server signed another key than ours")
    return signed, tuple(dict.fromkeys(authorities))


def stored(
    key: rsa.RSAPrivateKey, certificate: x509.Certificate, others: tuple[x509.Certificate, ...]
) -> bytes:
    """Key and certificates as one PEM file, so that they can never be mixed up."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *others))


def _encoded(answer: bytes) -> list[str]:
    """The signed certificate first, then the CAs in the server's order."""
    text = answer.strip()
    named = _of_json(text) if text.startswith(b"{") else _of_xml(text)
    signed = [value for name, value in named if name == "signedCert"]
    if not signed:
        raise SigningError("the server's answer holds no signed certificate")
    return [signed[0], *(value for name, value in named if name.lower().startswith("ca"))]


def _of_json(text: bytes) -> list[tuple[str, str]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SigningError("the server's answer is not JSON") from error
    return [(name, value) for name, value in content.items() if isinstance(value, str)]


def _of_xml(text: bytes) -> list[tuple[str, str]]:
    try:
        root = parse_document(text)
    except ValueError as error:
        raise SigningError("the server's answer is neither JSON nor XML") from error
    return [(local_name(each), each.text or "") for each in root if isinstance(each.tag, str)]


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(
            base64.b64decode(_ARMOUR.sub("", text), validate=True)
        )
    except (ValueError, binascii.Error) as error:
        raise SigningError("the server's answer holds no readable certificate") from error
