"""Secrets planted wherever one can be given, every error provoked: none of them is ever told.

Not on stdout or stderr, not in an answer, not in metrics, not in a span.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from access import new_key
from detecting import Detection
from fakes.authority import Authority
from fakes.collector import Collector, collecting
from fakes.enrolment import EnrolmentServer
from fakes.gateway import FakeGateway, Reply
from fakes.images import encoded, painted
from fakes.models import blob_model
from postgres_server import Postgres
from running import SENSOR, Answer, Gateway, free_port, http, report, started, wait_for

PICTURE = encoded(painted(960, 540, {"red": (200, 300, 260, 360)}), "JPEG")


GIVEN = (
    "sink", "wrong p12 password", "wrong passphrase", "enrolment", "database", "collector",
    "otlp header", "token secret of the service", "key for the gateway", "in the address",
)  # fmt: skip
"""Secrets that a service is given, which it keeps out of what it is sent as well."""


class Planted:
    """Secrets by name, and what was told where one of them may have slipped in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.values: dict[str, str] = {}
        self.told: dict[str, str] = {}

    def secret(self, name: str, *, odd: bool = False) -> str:
        """A new one; an odd one has to be quoted wherever it is written."""
        marks = "/ä\"'\\&%" if odd else ""
        # The tilde is in no id that may be chosen, and in every URL as it is.
        value = f"planted~{marks}{name.replace(' ', '-')}{secrets.token_hex(12)}"
        self.values[name] = value
        return value

    def file(self, name: str, *, odd: bool = False) -> str:
        """The path of a file with a new one."""
        path = self._folder / f"{name}.secret"
        path.write_text(self.secret(name, odd=odd) + "\n")
        return str(path)

    def key(self, holder: str) -> tuple[str, str]:
        """An API key, and its entry."""
        key, entry = new_key(holder, ("detect", "read", "operate"))
        self.values[holder] = key.rpartition(f"sl_{holder}_")[2]
        return key, entry

    def given(self) -> list[str]:
        return [value for name, value in self.values.items() if name in GIVEN]

    def hear(self, where: str, told: str | bytes | Answer) -> Any:
        """What was told, to be looked through; gives it back."""
        if isinstance(told, Answer):
            text = json.dumps(dict(told.headers)) + told.body.decode("utf-8", "replace")
        else:
            text = told if isinstance(told, str) else told.decode("utf-8", "replace")
        self.told[where] = self.told.get(where, "") + text
        return told

    def check(self) -> None:
        """Nothing of any of them is in anything."""
        assert self.values
        assert all(self.told.values())
        slipped = [
            (name, where, told[max(0, at - 200) : at + 60])
            for name, value in self.values.items()
            for where, told in self.told.items()
            for spelling in (value, quote(value, safe=""), json.dumps(value)[1:-1], value[-24:])
            if (at := told.find(spelling)) >= 0
        ]
        assert slipped == []


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def ask_in_every_wrong_way(planted: Planted, url: str, key: str, bodies: dict[str, bytes]) -> int:
    """Requests with credentials in every place and form; how many were refused."""
    token = planted.secret("opaque-token")
    forged = jwt.encode({"sub": "x", "aud": "sightline", "exp": 1}, "k" * 32, algorithm="HS256")
    planted.values["forged"] = forged
    wrong, _ = new_key("stranger", ("read",))
    planted.values["stranger"] = wrong.removeprefix("sl_stranger_")
    shown: list[dict[str, str]] = [
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {forged}"},
        {"Authorization": f"Bearer {forged[:-4]}AAAA"},
        {"Authorization": f"Basic {token}"},
        {"X-Api-Key": wrong},
        {"X-Api-Key": token},
        {"Cookie": f"session={token}"},
        {"X-Request-Id": wrong, "Authorization": f"Bearer {key}"},
        {"traceparent": f"00-{token}-01", "Authorization": f"Bearer {key}"},
    ]
    refused = 0
    for number, headers in enumerate(shown):
        for path in ("/v1/events", "/v1/models", f"/v1/nothing/{wrong}", "/v1/auth/token"):
            for query in ("", f"?token={token}&api_key={wrong}&x={quote(token)}"):
                method = "POST" if path.endswith("token") else None
                answer = http(f"{url}{path}{query}", headers=headers, method=method)
                if path != "/v1/auth/token" or answer.status != 200:
                    planted.hear(f"answers to {path} shown {number}", answer)
                refused += answer.status >= 400
    for path, body in bodies.items():
        answer = http(f"{url}{path}", body=body, headers={"Authorization": f"Bearer {key}"})
        planted.hear(f"answer to a body for {path}", answer)
        refused += answer.status >= 400
    for path in ("/metrics", "/ready", "/health"):
        planted.hear(path, http(url + path))
    return refused


def bad_reports(secret: str) -> Iterator[bytes]:
    """Bodies that are refused and have the secret in them, at every depth of being wrong."""
    yield f'{{"password": "{secret}", '.encode()
    yield json.dumps({secret: 1}).encode()
    for field in ("frame_id", "camera_id", "captured_at"):
        broken = report("f")
        broken["frame"][field] = secret
        yield json.dumps(broken).encode()
    broken = report("f")
    broken["detections"][0]["class"] = secret
    broken["detections"][0]["confidence"] = secret
    yield json.dumps(broken).encode()
    broken["frame"]["sensor"] = {secret: secret}
    yield json.dumps(broken).encode()


def test_a_gateway_with_everything_planted_that_meets_every_trouble(
    planted: Planted, tmp_path: Path, collector: Collector
) -> None:
    ca = Authority()
    client = ca.issue()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "client.pem").write_bytes(client.pem)
    (tmp_path / "client.p12").write_bytes(client.p12(planted.secret("p12", odd=True)))
    (tmp_path / "client.key").write_bytes(client.key_pem(planted.secret("passphrase")))
    planted.values["key"] = client.key_pem().decode().splitlines()[1]
    key, entry = planted.key("camera")
    (tmp_path / "keys.toml").write_text(entry)
    (tmp_path / "folder").mkdir()
    enrolment = EnrolmentServer(tmp_path / "folder", ca)
    enrolment.answer = (500, planted.secret("answer of the server").encode())
    tls = {"ca": str(tmp_path / "ca.pem")}
    away = f"tls://127.0.0.1:{free_port()}"
    sinks = [
        {"name": "away", "url": f"tcp://tak:{planted.secret('sink')}@127.0.0.1:{free_port()}"},
        {
            "name": "wrong-password",
            "url": away,
            "tls": {
                "certificate": str(tmp_path / "client.p12"),
                "password_file": planted.file("wrong p12 password", odd=True),
            },
        },
        {
            "name": "wrong-passphrase",
            "url": away,
            "tls": {
                **tls,
                "certificate": str(tmp_path / "client.pem"),
                "key": str(tmp_path / "client.key"),
                "password_file": planted.file("wrong passphrase"),
            },
        },
        {
            "name": "enrolling",
            "url": away,
            "tls": {
                **tls,
                "enrol_user": "drone",
                "enrol_password_file": planted.file("enrolment", odd=True),
                "enrol_port": enrolment.port,
                "state_folder": str(tmp_path / "state"),
            },
        },
    ]
    postgres = Postgres(tmp_path / "postgres")
    with started(postgres):
        url = postgres.create("cop").replace(
            "sightline@", f"sightline:{quote(planted.secret('database', odd=True), safe='')}@"
        )
        (tmp_path / "database.secret").write_text(url)
        gateway = Gateway(
            tmp_path / "gateway",
            database_file=str(tmp_path / "database.secret"),
            sinks=json.dumps(sinks),
            access__keys=str(tmp_path / "keys.toml"),
            access__token_secret_file=planted.file("token secret of the service"),
            access__failures_per_minute="1000",
            otlp_endpoint=f"http://otel:{planted.secret('collector')}@{collector.url[7:]}",
            log_level="debug",
        )
        del gateway.env["SIGHTLINE_GATEWAY_DATABASE"]  # type: ignore[attr-defined]
        header = quote(f"Bearer {planted.secret('otlp header')}")
        gateway.env["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization={header}"  # type: ignore[index]
        with started(gateway):
            headers = {"Authorization": f"Bearer {key}"}
            assert gateway.post(report("good"), **headers).status == 201
            answer = http(f"{gateway.url}/v1/auth/token", headers=headers, method="POST")
            token = answer.json["access_token"]
            planted.values["token"] = token
            assert gateway.post(report("by token"), Authorization=f"Bearer {token}").status == 422

            def troubled() -> bool:
                states = planted.hear("sinks", http(f"{gateway.url}/v1/sinks", headers=headers))
                return all(sink["last_error"] for sink in states.json["sinks"])

            wait_for(troubled, what="each sink's complaint")
            # What it was given, and what shows by its form.
            for secret in planted.given():
                for body in bad_reports(secret):
                    answer = http(f"{gateway.url}/v1/detections", body=body, headers=headers)
                    assert answer.status in (400, 422)
                    planted.hear("answers to reports", answer)
            assert ask_in_every_wrong_way(planted, gateway.url, key, {}) > 50

            (tmp_path / "keys.toml").write_text(f"{entry}\n[[keys]]\nid = '{key}'\n")
            wait_for(lambda: "not reloaded" in gateway.output, what="the keys' complaint")
            postgres.crash()
            answer = gateway.post(report("lost"), **headers)
            assert answer.status == 503
            planted.hear("without a database", answer)
            for path in ("/v1/events", "/v1/audit?camera_id=a&frame_id=b", "/metrics", "/ready"):
                planted.hear(path, http(gateway.url + path, headers=headers))
            postgres.start()
            collector.status = 500
            gateway.stop(seconds=60)
        for line in gateway.output.splitlines():
            json.loads(line)
        planted.hear("log", gateway.output)
        planted.hear("spans", repr(collector.spans))
    enrolment.close()
    planted.check()


def test_a_detection_service_with_everything_planted(planted: Planted, tmp_path: Path) -> None:
    model = blob_model(tmp_path / "blobs.onnx", width=480, height=288)
    key, entry = planted.key("camera")
    (tmp_path / "keys.toml").write_text(entry)
    fake = FakeGateway(
        Reply(status=500, body={"detail": planted.secret("the gateway's answer")}),
        Reply(status=401, body=b"no"),
        Reply(status=503),
    )
    frame = {
        "frame_id": "f-1",
        "camera_id": "c-1",
        "captured_at": "2026-11-26T00:00:00Z",
        "sensor": SENSOR,
    }
    service = Detection(
        tmp_path,
        model,
        gateway_url=f"http://user:{planted.secret('in the address')}@{fake.url[7:]}",
        gateway_key_file=planted.file("key for the gateway"),
        access__keys=tmp_path / "keys.toml",
        access__token_secret_file=planted.file("token secret of the service"),
        access__failures_per_minute=1000,
        log_level="debug",
        deadline_seconds=1.0,
    )
    with fake.serving(), started(service):
        wait_for(lambda: not service.reasons(), what="ready")
        headers = {"Authorization": f"Bearer {key}"}
        for number in range(3):
            numbered = json.dumps({**frame, "frame_id": str(number)}).encode()
            answer = service.post_form({"image": PICTURE, "frame": numbered}, **headers)
            assert answer.status >= 500, answer.body
            planted.hear("what the gateway did not commit", answer)
        for secret in planted.given():
            wrong = json.dumps({**frame, "frame_id": secret, "captured_at": secret}).encode()
            planted.hear("frames", service.post_form({"image": PICTURE, "frame": wrong}, **headers))
            planted.hear(
                "models", service.post(PICTURE, query=f"?model={quote(secret)}", **headers)
            )
            planted.hear("types", service.post(PICTURE, content_type="image/x-y", **headers))
            body = json.dumps({"inputs": [{"name": secret, "datatype": secret}]}).encode()
            url = f"{service.url}/v2/models/{quote(secret, safe='')}/infer"
            planted.hear("tensors", http(url, body=body, headers=headers))
            url = f"{service.url}/v2/models/blobs/infer"
            planted.hear("tensors", http(url, body=body, headers=headers))
        refused = ask_in_every_wrong_way(planted, service.url, key, {"/v1/detect": b"no image"})
        assert refused > 50
        assert service.stop() == 0
    planted.hear("log", service.output)
    service.lines()
    planted.check()


GATEWAY = {
    "SIGHTLINE_GATEWAY_DATABASE": "sqlite:///gateway.db",
    "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400",
    "SIGHTLINE_GATEWAY_PORT": "0",
}


def refusals(planted: Planted, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Starts that go wrong, by name: further arguments and variables."""
    secret = planted.secret

    def gateway(**settings: str) -> tuple[list[str], dict[str, str]]:
        return [], {f"SIGHTLINE_GATEWAY_{name.upper()}": each for name, each in settings.items()}

    def toml(text: str) -> tuple[list[str], dict[str, str]]:
        path = folder / f"{secrets.token_hex(4)}.toml"
        path.write_text(text)
        return ["--config", str(path)], {}

    def file(text: str | bytes) -> str:
        path = folder / secrets.token_hex(8)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def sinks(**tls: str) -> str:
        return json.dumps([{"name": "tak", "url": "tls://127.0.0.1:1", "tls": tls}])

    odd = quote(secret("odd", odd=True), safe="")
    package = file(b"PK no package " + secret("package").encode())
    return {
        "a misspelt variable": gateway(datenbank=f"postgresql://u:{secret('misspelt')}@h/d"),
        "a misspelt file": gateway(datenbank_file=file(secret("misspelt file"))),
        "no such scheme": gateway(database=f"mysql://u:{secret('scheme')}@h/d"),
        "a database that is away": gateway(
            database=f"postgresql://u:{secret('away')}@127.0.0.1:1/d"
        ),
        "the same, by file": gateway(
            database_file=file(f"postgresql://u:{secret('file')}@127.0.0.1:1/d")
        ),
        "an odd password": gateway(database=f"postgresql://u:{odd}@127.0.0.1:1/d"),
        "a password that is not quoted": gateway(
            database=f"postgresql://u:{secret('bare')}@/%:#@127.0.0.1:1/d"
        ),
        "a password as a parameter": gateway(
            database=f"postgresql://127.0.0.1:1/d?user=u&password={secret('parameter')}"
        ),
        "no such parameter": gateway(
            database=f"postgresql://u:{secret('bad dsn')}@h/d?my_token={secret('my token')}"
        ),
        "no such mode": gateway(database=f"postgresql://u:{secret('mode')}@h/d?sslmode=bogus"),
        "a sink without a port": gateway(sink=f"tcp://u:{secret('no port')}@h"),
        "a sink of no kind": gateway(sink=f"carrier-pigeon://u:{secret('pigeon')}@h:1"),
        "a sink that is no address": gateway(sink=f"tcp://u:{secret('bad port')}@h:99999999"),
        "a short token secret": gateway(access__token_secret=secret("x")[:20]),
        "a short token secret in a file": gateway(
            access__token_secret_file=file(secret("short")[:20])
        ),
        "keys that are no TOML": gateway(access__keys=file(f"= {secret('keys')}")),
        "keys with a key in them": gateway(
            access__keys=file(f'[[keys]]\nid = "x"\nsha256 = "{secret("key")}"\nroles = ["read"]')
        ),
        "keys that are no roles": gateway(
            access__keys=file(
                f'[[keys]]\nid = "x"\nsha256 = "{"a" * 64}"\nroles = ["{planted.key("role")[0]}"]'
            )
        ),
        "a provider's keys with a secret": gateway(
            access__jwks=file(json.dumps({"keys": [{"kty": "oct", "k": secret("oct")}]}))
        ),
        "a provider's keys that are none": gateway(access__jwks=file(f"{{{secret('jwks')}")),
        "settings that are no TOML": toml(f'database = "postgresql://u:{secret("toml")}@h/d'),
        "settings with a misspelt name": toml(f'tokn = "sl_x_{secrets.token_hex(30)}"'),
        "settings of the wrong kind": toml(f'[access]\ntoken_secret = ["{secret("list")}"]'),
        "a secret where a number should be": gateway(
            access__token_seconds=planted.key("number")[0]
        ),
        "an enrolment without a folder": gateway(
            sinks=sinks(ca="x", enrol_user="me", enrol_password_file=file(secret("enrol")))
        ),
        "a package that is none": gateway(
            sinks=json.dumps([{"name": "tak", "tls": {"package": package}}])
        ),
        "a package with another password": gateway(
            sinks=json.dumps(
                [
                    {
                        "name": "tak",
                        "tls": {"package": package, "password_file": file(secret("of package"))},
                    }
                ]
            )
        ),
        "an argument": (["--token", "--password=" + secret("argument")], {}),
        "a file that is not there": gateway(database_file=f"/no/such/{'x' * 8}"),
        "a file that is no text": gateway(database_file=file(b"\xff" + secret("bytes").encode())),
    }


def names() -> list[str]:
    return list(refusals(Planted(Path(os.devnull).parent), _Nowhere()))  # type: ignore[arg-type]


class _Nowhere:
    """A folder that keeps nothing, to ask for the names alone."""

    def __truediv__(self, name: str) -> Any:
        return self

    def write_text(self, text: str) -> None:
        return

    def write_bytes(self, data: bytes) -> None:
        return


@pytest.mark.parametrize("name", names())
def test_a_start_that_is_refused_says_why_and_no_secret(
    name: str, planted: Planted, tmp_path: Path
) -> None:
    arguments, variables = refusals(planted, tmp_path)[name]
    done = subprocess.run(
        [sys.executable, "-m", "cop_gateway", *arguments],
        env={**os.environ, **GATEWAY, **variables},
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, (done.stdout, done.stderr)
    told = done.stderr.decode()
    assert "Traceback" not in told
    assert len(told) > 30
    planted.hear("stderr", told)
    planted.hear("stdout", done.stdout + b" ")
    planted.check()


def test_a_database_that_refuses_the_password(planted: Planted, tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    (postgres.data / "pg_hba.conf").write_text(
        "host all sightline 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    with started(postgres):
        with postgres.session() as session:
            session.execute(f"CREATE ROLE app LOGIN PASSWORD '{planted.secret('right')}'")
        url = postgres.url.replace("sightline@", f"app:{planted.secret('wrong')}@")
        done = subprocess.run(
            [sys.executable, "-m", "cop_gateway"],
            env={**os.environ, **GATEWAY, "SIGHTLINE_GATEWAY_DATABASE": url},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert b"authentication failed" in planted.hear("stderr", done.stderr)
    planted.hear("stdout", done.stdout + b" ")
    planted.check()


CRASHES = """
import asyncio, gc, logging, os, sys, threading, warnings
from serving import configuration
from telemetry import logs
from telemetry.redaction import SECRETS

secret = os.environ["PLANTED"]
SECRETS.register(secret)
logs.configure(service="tested", version="1", colour="blue")
logs.catch_crashes()

class Told(Exception):
    def __init__(self, **fields):
        super().__init__(fields)

def deep(count):
    if count:
        return deep(count - 1)
    raise Told(password=secret, conninfo=f"host=x password={secret}", raw=secret.encode())

def chained():
    try:
        deep(5)
    except Told as error:
        error.add_note(f"while it was {secret}")
        raise ExceptionGroup(f"of {secret}", [error, ValueError(secret)]) from error

async def forgotten():
    asyncio.get_running_loop().create_task(failing(), name=secret)
    await asyncio.sleep(0.01)
    gc.collect()

async def failing():
    chained()

class Odd:
    def __del__(self):
        deep(1)
    def __repr__(self):
        return f"<Odd {secret}>"

thread = threading.Thread(target=chained, name=secret)
thread.start()
thread.join()
asyncio.run(forgotten())
odd = Odd()
del odd
gc.collect()
warnings.warn(f"that is {secret}")
logging.getLogger("theirs").error("it is %r", {"token": secret, "x": [secret]})
logging.getLogger("theirs").error("broken %d", secret)
try:
    chained()
except ExceptionGroup:
    logging.getLogger("theirs").exception("caught %s", secret)
    logs.get("ours").exception("caught", value=Odd(), secret=secret)
chained()
"""


def test_whatever_crashes_is_a_line_without_secrets(planted: Planted) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CRASHES)],
        env={**os.environ, "PLANTED": planted.secret("in code", odd=True)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    planted.hear("stderr", done.stderr + b" ")
    planted.hear("stdout", done.stdout)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = [line["event"] for line in lines]
    assert {
        "thread crashed", "exception ignored", "crashed", "caught", "log line not made",
    } <= set(events)  # fmt: skip
    crashed = lines[-1]
    assert (crashed["event"], crashed["level"]) == ("crashed", "critical")
    assert "in deep" in crashed["exception"]
    assert "[redacted]" in crashed["exception"]
    planted.check()


BROKEN = """
import os, sys
from cop_gateway.web import detections
from cop_gateway.intake.committer import Committer

secret = os.environ["PLANTED"]

async def take(self, body):
    raise RuntimeError(f"Bearer {secret}", {"authorization": secret})

def commit(self, jobs):
    raise KeyError(f"postgresql://u:{secret}@h/d")

if os.environ["WHERE"] == "call":
    detections.DetectionsCall._take = take
else:
    Committer._commit = commit
from cop_gateway.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("where", ["call", "commit"])
def test_a_defect_that_quotes_a_secret_is_logged_without_it(
    where: str, planted: Planted, tmp_path: Path
) -> None:
    gateway = Gateway(tmp_path / "gateway")
    gateway.command[1:3] = ["-c", BROKEN]
    secret = planted.secret("nobody registered it")
    gateway.env |= {"PLANTED": secret, "WHERE": where}  # type: ignore[operator]
    with started(gateway):
        answer = planted.hear("answer", gateway.post(report("1")))
        assert answer.status == {"call": 500, "commit": 503}[where]
        gateway.stop()
    planted.hear("log", gateway.output)
    assert "Traceback" in gateway.output
    assert "[redacted]" in gateway.output
    planted.check()
