"""TAK connection data packages: all the ways in which they are written, and hostile ones."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
import warnings
import zipfile
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cop_gateway.delivery.credentials import CredentialsError
from cop_gateway.delivery.data_package import PACKAGE_BYTES, PackageFile, read_package
from fakes.authority import Authority

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pytak asks for aiohttp, which packages do not need
    from pytak import onboarding_packages

CA = Authority()
CLIENT = CA.issue("drone")
P12 = CLIENT.p12("client-secret")
TRUST = CA.truststore("ca-secret")

STREAM = {
    "count": "1",
    "description0": "Test server",
    "enabled0": "true",
    "connectString0": "tak.example:8089:ssl",
}
CREDENTIALS = {
    "caLocation": "cert/trust.p12",
    "caPassword": "ca-secret",
    "certificateLocation": "cert/client.p12",
    "clientPassword": "client-secret",
}
FILES = {"certs/trust.p12": TRUST, "certs/client.p12": P12}
MANIFEST = """<MissionPackageManifest version="2"><Configuration>
<Parameter name="name" value="x"/></Configuration><Contents>
<Content ignore="false" zipEntry="certs/server.pref"/></Contents></MissionPackageManifest>"""


def pref(streams: dict[str, str], application: dict[str, str] | None = None) -> str:
    def preference(name, entries):
        lines = "".join(
            f'<entry key="{key}" class="class java.lang.String">{escape(value)}</entry>'
            for key, value in entries.items()
        )
        return f'<preference version="1" name="{name}">{lines}</preference>'

    return (
        "<?xml version='1.0' standalone='yes'?><preferences>"
        + preference("cot_streams", streams)
        + preference("com.atakmap.app_preferences", application or {})
        + "</preferences>"
    )


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def package(streams=STREAM, application=CREDENTIALS, **more: bytes | str) -> bytes:
    return zipped(
        {
            "MANIFEST/manifest.xml": MANIFEST,
            "certs/server.pref": pref(streams, application),
            **FILES,
            **more,
        }
    )


def assert_good(found, *, host="tak.example"):
    assert (found.host, found.port, found.protocol) == (host, 8089, "ssl")
    assert found.credentials.subject == "CN=drone"
    assert found.credentials.authorities == (CA.certificate,)
    assert found.credentials.context().cert_store_stats()["x509_ca"] == 1


def test_a_package_as_takserver_guides_make_it():
    found = read_package(package())
    assert_good(found)
    assert found.description == "Test server"
    assert not found.enrols


@pytest.mark.parametrize("layout", ["atak", "itak"])
def test_packages_that_pytak_makes(tmp_path, layout):
    """An independent maker of packages: numbered credentials, both layouts."""
    (tmp_path / "client.p12").write_bytes(P12)
    (tmp_path / "trust.p12").write_bytes(TRUST)
    data = onboarding_packages.build_connection_data_package_zip(
        config_pref_xml=onboarding_packages.build_connection_config_pref_xml(
            stream_description="Ünit & <Co>",
            streaming_host="tak.example",
            streaming_port=8089,
            ca_password="ca-secret",
            client_password="client-secret",
            location_callsign="DRONE",
            package_layout=layout,
        ),
        manifest_xml=onboarding_packages.build_connection_manifest_xml(
            uid="1", display_name="x", package_layout=layout
        ),
        client_p12_path=str(tmp_path / "client.p12"),
        trust_p12_path=str(tmp_path / "trust.p12"),
        package_layout=layout,
    )
    # It calls itself ASCII and is not.
    found = read_package(data)
    assert_good(found)
    assert found.description == "Ünit & <Co>"


VARIANTS = {
    "android paths": package(
        application={
            **CREDENTIALS,
            "caLocation": "/storage/emulated/0/atak/cert/trust.p12",
            "certificateLocation": "/storage/emulated/0/atak/cert/client.p12",
        }
    ),
    "windows paths and other case": package(
        application={
            **CREDENTIALS,
            "caLocation": "C:\\atak\\cert\\Trust.P12",
            "certificateLocation": "cert\\CLIENT.p12",
        }
    ),
    "credentials numbered beside the stream": package(
        {**STREAM, **{f"{key}0": value for key, value in CREDENTIALS.items()}}, {}
    ),
    "numbered ones win": package(
        {**STREAM, "clientPassword0": "client-secret"},
        {**CREDENTIALS, "clientPassword": "of another stream"},
    ),
    "flat, without a manifest": zipped(
        {"a.pref": pref(STREAM, CREDENTIALS), "trust.p12": TRUST, "client.p12": P12}
    ),
    "absolute and climbing names": zipped(
        {
            "../../etc/x.pref": pref(STREAM, CREDENTIALS),
            "/etc/trust.p12": TRUST,
            "..\\..\\client.p12": P12,
        }
    ),
    "wrapped in another": zipped({"folder/drone.zip": package(), "README.txt": "see inside"}),
    "several files of preferences": package(
        **{"zz.pref": pref({"connectString0": "late.example:1:ssl"}), "map.xml": "<x"}
    ),
    "the first is switched off": package(
        {
            **STREAM,
            "enabled0": "false",
            "connectString0": "off.example:1:ssl",
            "connectString10": "far.example:10:ssl",
            "enabled10": "true",
            "connectString2": "tak.example:8089:ssl",
            "enabled2": "true",
            "enabled1": "true",
        }
    ),
    "all are switched off, as taky writes": package({**STREAM, "enabled0": "false"}),
    "values as attributes and a namespace": zipped(
        {
            "a.pref": '<preferences xmlns="urn:x"><preference name="cot_streams">'
            '<entry key="connectString0" value="tak.example:8089:SSL"/></preference>'
            '<preference name="app">'
            + "".join(f'<entry key="{k}" value="{v}"/>' for k, v in CREDENTIALS.items())
            + "</preference></preferences>",
            **FILES,
        }
    ),
    "PEM instead of PKCS#12": package(
        application={
            **CREDENTIALS,
            "caLocation": "cert/ca.pem",
            "certificateLocation": "cert/client.pem",
        },
        **{"certs/ca.pem": CA.pem, "certs/client.pem": CLIENT.pem + CLIENT.key_pem()},
    ),
    "what the manifest ignores": zipped(
        {
            "MANIFEST/manifest.xml": MANIFEST.replace(
                "<Contents>", '<Contents><Content ignore="true" zipEntry="old/x.pref"/>'
            ),
            "old/x.pref": pref({"connectString0": "old.example:1:ssl"}),
            "certs/server.pref": pref(STREAM, CREDENTIALS),
            **FILES,
        }
    ),
    "spaces and line ends": package({**STREAM, "connectString0": "\n tak.example:8089:ssl \n"}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_ways_in_which_packages_are_written(name):
    assert_good(read_package(VARIANTS[name]))


def test_addresses():
    def address(text):
        found = read_package(package({"connectString0": text}))
        return found.host, found.port, found.protocol

    assert address("10.0.0.1:8089:ssl") == ("10.0.0.1", 8089, "ssl")
    assert address("[2001:db8::1]:8089:tls") == ("2001:db8::1", 8089, "tls")
    assert address("tak.example:8087:tcp") == ("tak.example", 8087, "tcp")
    for bad in (
        "tak.example",
        "tak.example:8089",
        "tak.example:ssl:8089",
        ":8089:ssl",
        "tak.example:0:ssl",
        "tak.example:65536:ssl",
        "tak.example:٣:ssl",
        "tak.example:" + "9" * 5000 + ":ssl",
        "[2001:db8::1:8089:ssl",
    ):
        with pytest.raises(CredentialsError, match="is not host:port:protocol") as caught:
            address(bad)
        assert len(str(caught.value)) < 200


def test_a_connection_without_tls_needs_no_certificates(tmp_path):
    data = zipped({"a.pref": pref({"connectString0": "tak.example:8087:tcp"})})
    assert read_package(data).credentials is None
    assert read_package(data).description == "tak.example"
    (tmp_path / "tcp.zip").write_bytes(data)
    with pytest.raises(CredentialsError, match=r"tcp\.zip is for a connection without TLS"):
        PackageFile(tmp_path / "tcp.zip").current()


def test_a_package_for_enrolment_has_only_the_truststore():
    streams = {
        **STREAM,
        "caLocation0": "cert/trust.p12",
        "caPassword0": "ca-secret",
        "enrollForCertificateWithTrust0": "true",
        "useAuth0": "true",
    }
    found = read_package(package(streams, {}))
    assert found.enrols
    assert found.credentials.certificate is None
    assert found.credentials.authorities == (CA.certificate,)


def test_passwords_that_are_not_in_the_package(tmp_path):
    application = {key: value for key, value in CREDENTIALS.items() if "Password" not in key}
    same = {"certs/trust.p12": CA.truststore("s"), "certs/client.p12": CLIENT.p12("s")}
    data = package(application=application, **same)
    assert_good(read_package(data, password="s"))
    with pytest.raises(CredentialsError, match=r"client\.p12' in the package cannot be opened"):
        read_package(package(application=application))
    customary = {
        "certs/trust.p12": CA.truststore("atakatak"),
        "certs/client.p12": CLIENT.p12("atakatak"),
    }
    assert_good(read_package(package(application=application, **customary)))
    (tmp_path / "p.zip").write_bytes(data)
    (tmp_path / "password").write_text("s\n")
    file = PackageFile(tmp_path / "p.zip", password=tmp_path / "password")
    assert_good(file.package())
    assert file.current().subject == "CN=drone"


def test_a_replaced_package_is_read_anew_and_a_broken_one_is_not(tmp_path):
    path = tmp_path / "p.zip"
    path.write_bytes(package())
    file = PackageFile(path)
    assert_good(file.package())
    path.write_bytes(package()[:-30])
    assert_good(file.package())
    path.write_bytes(package({**STREAM, "connectString0": "next.example:8089:ssl"}))
    assert_good(file.package(), host="next.example")


BOMB = b"<preferences>" + b" " * (24 << 20) + b"</preferences>"
BILLION = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {n} "{f"&{p};" * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BODY = (
    '<preferences><preference name="cot_streams"><entry key="connectString0">{}</entry>'
    "</preference></preferences>"
)


HOSTILE = {
    "nothing": (b"", "is not a .zip"),
    "half a trailer": (b"PK\x05\x06", "is not a .zip"),
    "cut at the end": (package()[:-10], "is not a .zip"),
    "cut at the start": (package()[20:], "is not a .zip|damaged|no data package"),
    "empty": (zipped({}), "holds no preferences"),
    "two in one": (zipped({"a.zip": package(), "b.zip": package()}), "holds no preferences"),
    "twice wrapped": (
        zipped({"a.zip": zipped({"b.zip": package()})}),
        "names no server|holds no pref",
    ),
    "wrapped noise": (zipped({"a.zip": b"no zip"}), "'a.zip' in the package is not a .zip"),
    "many entries": (zipped({f"{n}.txt": b"" for n in range(2_001)}), "more than 2000 entries"),
    "bomb": (zipped({"a.pref": BOMB}), "'a.pref' in the package is larger than 1048576 bytes"),
    "wrapped bomb": (zipped({"a.zip": BOMB}), "larger than 8388608 bytes"),
    "billion laughs": (
        zipped({"a.pref": BILLION + BODY.format("&i;")}),
        "document type, which is refused",
    ),
    "outside entity": (zipped({"a.pref": OUTSIDE + BODY.format("&a;:1:ssl")}), "document type"),
    "outside entity in UTF-16": (
        zipped({"a.pref": (OUTSIDE + BODY.format("")).encode("utf-16")}),
        "document type",
    ),
    "outside entity in the manifest": (
        package(**{"MANIFEST/manifest.xml": OUTSIDE + "<a/>"}),
        "manifest.xml.*document type",
    ),
    "cut XML": (zipped({"a.pref": "<preferences>"}), "not well-formed"),
    "unknown encoding": (
        zipped({"a.pref": '<?xml version="1.0" encoding="x-no"?><a/>'}),
        "not well-formed",
    ),
    "no server": (zipped({"a.pref": pref({"connectString": "a:1:ssl"})}), "has no connectString0"),
    "no credentials": (zipped({"a.pref": pref(STREAM)}), "neither a certificate nor a CA"),
    "absent files": (
        zipped({"a.pref": pref(STREAM, CREDENTIALS)}),
        "does not hold 'cert/client.p12'",
    ),
    "odd compression": (
        zipped({"a.pref": pref(STREAM)}, zipfile.ZIP_BZIP2),
        "encrypted or oddly compressed",
    ),
    "noise for a certificate": (
        package(**{"certs/client.p12": b"junk"}),
        "client.p12' .* is neither PEM nor PKCS#12",
    ),
    "wrong password": (
        package(application={**CREDENTIALS, "clientPassword": "guess"}),
        "cannot be opened",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_broken_packages_are_refused_with_a_sentence(name):
    data, sentence = HOSTILE[name]
    with pytest.raises(CredentialsError, match=sentence) as caught:
        read_package(data)
    assert "guess" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_bomb_is_not_unpacked():
    data = zipped({"a.pref": BOMB})
    assert len(data) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(CredentialsError, match="is larger than"):
            read_package(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_file_that_is_too_large_for_a_package_is_not_read_whole(tmp_path):
    path = tmp_path / "maps.zip"
    with path.open("wb") as file:
        file.truncate(PACKAGE_BYTES + 1)
    with pytest.raises(CredentialsError, match=r"maps\.zip is larger than 16777216 bytes"):
        PackageFile(path).package()


GOOD = package()
TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
NAMES = st.text(TEXT, min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_mutated_packages_only_ever_raise_credentials_errors(data):
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        # Half of the time where it hurts: in the directory at the end.
        least = data.draw(st.sampled_from([0, len(content) * 3 // 4]))
        at = data.draw(st.integers(least, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(CredentialsError):
        read_package(bytes(content))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_no_package(noise, with_a_tail):
    tail = zipped({})[-22:] if with_a_tail else b""
    with pytest.raises(CredentialsError):
        read_package(noise + tail)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=60) | st.text(TEXT, max_size=60)))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_with_anything_in_them_are_no_package(files):
    named = {f"{name}.pref": content for name, content in files.items()}
    with pytest.raises(CredentialsError):
        read_package(zipped({**files, **named, **FILES}))
