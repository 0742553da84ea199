"""Why TLS failed, in a sentence for whoever has to mend it. Pure.

Sources: verify codes of OpenSSL (x509_vfy.h), alerts of RFC 8446 section 6.2.
"""

from __future__ import annotations

import ssl
from datetime import datetime

from cop_gateway.delivery.credentials import Credentials

_UNKNOWN_CA = "the server's certificate is not signed by the configured CA"
_VERIFY_CODES = {
    2: _UNKNOWN_CA,
    7: _UNKNOWN_CA,  # by one of the same name with another key: a CA that was made anew
    9: "the server's certificate, or its CA's, is not valid yet",
    10: "the server's certificate, or its CA's, has expired",
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    26: "the server's certificate is not one for servers",
}
_NAME_MISMATCHES = (62, 64)

# What the server says of us, by the end of OpenSSL's name of its alert.
_REFUSALS = {
    "CERTIFICATE_REQUIRED": "it asks for one, and none is configured",
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REVOKED": "it is revoked",
    "CERTIFICATE_UNKNOWN": "it gives no reason",
    "UNSUPPORTED_CERTIFICATE": "it is of a kind that the server does not take",
    "BAD_CERTIFICATE": "it is not acceptable",
    "UNKNOWN_CA": "the server does not know the CA that signed it",
    "ACCESS_DENIED": "access is denied",
    "DECRYPT_ERROR": "its signature does not hold",
}
_OTHERS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port",
    "PACKET_LENGTH_TOO_LONG": "the server does not speak TLS on this port",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS on this port",
    "HTTP_REQUEST": "the server does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the server speaks no TLS newer than 1.1",
    "ALERT_PROTOCOL_VERSION": "the server takes none of TLS 1.2 and 1.3",
    "ALERT_HANDSHAKE_FAILURE": "the server refused the handshake: no common cipher, or it asks for"
    " a client certificate",
    "EOF_OCCURRED": "the server broke off the TLS connection",
    "UNEXPECTED_EOF_WHILE_READING": "the server broke off the TLS connection",
}
_HUNG_UP = (
    "the server closed the connection after the TLS handshake, without a reason;"
    " it may not accept our client certificate"
)


def failure(
    error: BaseException, *, server_name: str, ours: Credentials, now: datetime
) -> str | None:
    """What the error means; None for one that has nothing to do with TLS and is clear already."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_server(error, server_name)
    if isinstance(error, ssl.SSLError):
        return _with_expiry(_of_handshake(error), ours, now)
    if isinstance(error, EOFError):
        return _with_expiry(_HUNG_UP, ours, now)
    if isinstance(error, ConnectionAbortedError | ConnectionResetError):
        return _with_expiry("the server broke off the TLS connection", ours, now)
    return None


def _of_server(error: ssl.SSLCertVerificationError, server_name: str) -> str:
    if error.verify_code in _NAME_MISMATCHES:
        return f"the server's certificate does not name {server_name}"
    known = _VERIFY_CODES.get(error.verify_code)
    return known or f"the server's certificate is not acceptable: {error.verify_message}"


def _of_handshake(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    for end, why in _REFUSALS.items():
        if "ALERT" in reason and reason.endswith(end):
            return f"the server refused our client certificate: {why}"
    for part, sentence in _OTHERS.items():
        if part in reason:
            return sentence
    return f"TLS failed: {reason.replace('_', ' ').lower()}"


def _with_expiry(sentence: str, ours: Credentials, now: datetime) -> str:
    """Many servers only break off when our certificate has expired: then that is the news."""
    if ours.expires_at is None or now < ours.expires_at:
        return sentence
    ended = f"{ours.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{sentence}; our client certificate {ours.subject} expired on {ended}"
