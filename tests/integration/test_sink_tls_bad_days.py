"""A gateway whose TLS sinks all have their trouble at once: each is named, and mends by itself."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.authority import DAY, Authority, Issued, server_context
from fakes.tak_server import TakServer
from fakes.tls_server import CA, SERVER, Folder, TlsServer
from running import Gateway, report, started, wait_for

OTHER = Authority("Other CA")
CLIENT = CA.issue("drone")
REVOKED = CA.issue("stolen")


def context(folder: Path, issued: Issued = SERVER) -> ssl.SSLContext:
    return server_context(folder, issued, clients=CA)


def with_revocations(folder: Path) -> ssl.SSLContext:
    made = context(folder)
    path = folder / "crl.pem"
    path.write_bytes(CA.revocations(REVOKED))
    made.load_verify_locations(path)
    made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return made


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the server or with our files, and what is said of it."""

    sentence: str
    server: Callable[[Path], ssl.SSLContext | None] = context
    client: Issued | None = CLIENT
    ca: Authority = CA


TROUBLES = {
    "expired": Trouble(
        "server's certificate, or its CA's, has expired",
        server=lambda folder: context(
            folder, CA.issue(hosts=("127.0.0.1",), begins=-2 * DAY, ends=-DAY)
        ),
    ),
    "stranger": Trouble(
        "not signed by the configured CA",
        server=lambda folder: context(folder, OTHER.issue(hosts=("127.0.0.1",))),
    ),
    "ours": Trouble("not signed by the configured CA", ca=OTHER),
    "name": Trouble(
        "does not name 127.0.0.1",
        server=lambda folder: context(folder, CA.issue(hosts=("tak.example",))),
    ),
    "late": Trouble("it has expired", client=CA.issue("late", begins=-2 * DAY, ends=-DAY)),
    "unknown": Trouble("does not know the CA", client=OTHER.issue("stranger")),
    "revoked": Trouble("it is revoked", server=with_revocations, client=REVOKED),
    "plain": Trouble("does not speak TLS on this port", server=lambda _: None),
    "missing": Trouble("client.pem cannot be read", client=None),
}


@contextlib.contextmanager
def servers(tmp_path: Path) -> Iterator[dict[str, tuple[TlsServer, Folder]]]:
    with contextlib.ExitStack() as stack:
        made = {}
        for name, trouble in TROUBLES.items():
            path = tmp_path / name
            path.mkdir()
            folder = Folder(path)
            folder.put(trouble.client, ca=trouble.ca)
            made[name] = (stack.enter_context(TlsServer(trouble.server(path))), folder)
        yield made


def sink_to(name: str, server: TlsServer, folder: Folder) -> dict[str, Any]:
    return {
        "name": name,
        "url": f"tls://127.0.0.1:{server.port}",
        "backoff_max_seconds": 0.2,
        "breaker_failures": 1_000,
        "tls": {
            "certificate": str(folder.path / "client.pem"),
            "ca": str(folder.path / "ca.pem"),
        },
    }


def test_each_trouble_is_named_holds_up_nobody_and_ends_without_a_hand(tmp_path: Path) -> None:
    with servers(tmp_path) as there, contextlib.closing(TakServer()) as good:
        sinks = [sink_to(name, *each) for name, each in there.items()]
        gateway = Gateway(
            tmp_path / "gateway", sinks=json.dumps([{"name": "good", "url": good.url}, *sinks])
        )

        def told() -> dict[str, dict[str, Any]]:
            return {each["name"]: each for each in gateway.get("/v1/sinks")["sinks"]}

        with started(gateway):
            uid = gateway.post(report("f-1", cars=1)).json["results"][0]["uid"].encode()
            wait_for(lambda: good.sightings() == ["f-1/0"], what="the good one's event")
            wait_for(lambda: told()["good"]["lag_events"] == 0, what="the good one's pong")
            for name, trouble in TROUBLES.items():
                wait_for(
                    lambda name=name, trouble=trouble: (  # type: ignore[misc]
                        trouble.sentence in (told()[name]["last_error"] or "")
                    ),
                    what=f"{name}: {trouble.sentence!r}, not {told()[name]['last_error']!r}",
                )
                assert told()[name]["lag_events"] > 0
                assert told()[name]["dead_letters"] == 0
            for name, (server, folder) in there.items():
                if TROUBLES[name].client is not CLIENT or TROUBLES[name].ca is not CA:
                    folder.put(CLIENT)
                else:
                    server.context = context(tmp_path)
            for name, (server, _) in there.items():
                wait_for(lambda name=name: told()[name]["lag_events"] == 0, what=name)  # type: ignore[misc]
                assert uid in server.received
                assert told()[name]["last_error"] is None


def test_a_certificate_that_is_replaced_while_connected_counts_from_the_next_connection_on(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path)
    folder.put(CLIENT)
    with TlsServer(context(tmp_path)) as server:
        sinks = [sink_to("tak", server, folder)]
        with started(Gateway(tmp_path / "gateway", sinks=json.dumps(sinks))) as gateway:

            def delivered(frame: str) -> None:
                uid = gateway.post(report(frame, cars=1)).json["results"][0]["uid"].encode()
                wait_for(lambda: gateway.get("/v1/sinks/tak")["lag_events"] == 0, what=frame)
                assert uid in server.received

            delivered("f-1")
            server.has_seen("drone")
            folder.put(CA.issue("renewed", ends=30 * DAY))
            delivered("f-2")
            server.has_seen("drone")
            server.cut()
            delivered("f-3")
            server.has_seen("drone", "renewed")
            # And a half-written one costs nothing.
            (folder.path / "client.pem").write_bytes(b"half of a certifi")
            server.cut()
            delivered("f-4")
            server.has_seen("drone", "renewed", "renewed")
