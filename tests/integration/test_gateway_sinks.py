"""Sinks on their bad days, and what an operator decides about them: against a scripted server."""

from __future__ import annotations

import json
import re
import socket
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from takproto.proto import TakMessage

from fakes.tak_server import TakServer
from running import Gateway, free_port, http, report, started, wait_for

QUICK = {"backoff_max_seconds": 0.1, "pong_seconds": 5}


@pytest.fixture
def serve() -> Iterator[Callable[..., TakServer]]:
    servers: list[TakServer] = []

    def start(**behaviour: Any) -> TakServer:
        servers.append(TakServer(**behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def gateway_of(folder: Path, *sinks: dict[str, Any], **settings: str) -> Gateway:
    return Gateway(folder, sinks=json.dumps([{**QUICK, **sink} for sink in sinks]), **settings)


def sink(gateway: Gateway, name: str = "tak") -> dict[str, Any]:
    state: dict[str, Any] = gateway.get(f"/v1/sinks/{name}")
    return state


def settled(gateway: Gateway, name: str = "tak") -> None:
    wait_for(
        lambda: sink(gateway, name)["lag_events"] == 0, what=f"delivery: {sink(gateway, name)}"
    )


def operate(gateway: Gateway, path: str, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    answer = http(f"{gateway.url}/v1/sinks/{path}", body=data)
    assert answer.status == 200, answer.body
    return answer.json


class TestPoison:
    def test_an_event_that_kills_the_server_is_buried_and_the_rest_arrive(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve(breaks_on=lambda event: b'frame="poison"' in event)
        with started(gateway_of(tmp_path, {"name": "tak", "url": server.url})) as gateway:
            gateway.post(report("before", cars=1))
            gateway.post(report("poison", cars=1))
            for number in range(20):
                gateway.post(report(f"after-{number}", cars=1))
            settled(gateway)
            expected = ["before/0", *(f"after-{number}/0" for number in range(20))]
            assert list(dict.fromkeys(server.sightings())) == expected
            (letter,) = gateway.get("/v1/sinks/tak/dead-letters")["dead_letters"]
            assert "broke on it 3 times" in letter["reason"]
            assert letter["uid"] in {e["uid"] for e in gateway.get("/v1/events")["events"]}
            assert sink(gateway)["dead_letters"] == 1

            # Mended, it takes what it could not take before.
            server.behaviour.breaks_on = lambda _: False
            wanted = {"sequences": [letter["sequence"], 999_999]}
            assert operate(gateway, "tak/dead-letters/retry", wanted) == {"recalled": 1}
            wait_for(lambda: "poison/0" in server.sightings(), what="the dead letter")
            wait_for(lambda: sink(gateway)["dead_letters"] == 0, what="an empty graveyard")

    def test_a_server_that_is_down_buries_nothing(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve(breaks_on=lambda _: True)  # it takes connections and reads nothing
        with started(gateway_of(tmp_path, {"name": "tak", "url": server.url})) as gateway:
            gateway.post(report("f-1", cars=2))
            wait_for(lambda: server.connections >= 12, what="many tries")
            assert sink(gateway)["dead_letters"] == 0
            server.behaviour.breaks_on = lambda _: False
            settled(gateway)
            assert set(server.sightings()) == {"f-1/0", "f-1/1"}


class TestOperators:
    def test_a_paused_sink_gets_nothing_even_after_a_restart_and_then_everything(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server, other = serve(), serve()
        gateway = gateway_of(
            tmp_path, {"name": "tak", "url": server.url}, {"name": "other", "url": other.url}
        )
        with started(gateway):
            assert operate(gateway, "tak/pause")["state"] in ("paused", "connected", "standby")
            wait_for(lambda: sink(gateway)["state"] == "paused", what="the pause")
            gateway.post(report("f-1", cars=1))
            settled(gateway, "other")
            gateway.stop()
            gateway.start()
            gateway.post(report("f-2", cars=1))
            settled(gateway, "other")
            assert sink(gateway)["state"] == "paused"
            assert server.sightings() == []
            operate(gateway, "tak/resume")
            settled(gateway)
            assert server.sightings() == ["f-1/0", "f-2/0"]

    def test_a_sink_that_is_not_there_is_a_404_that_names_those_that_are(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        with started(gateway_of(tmp_path, {"name": "tak", "url": serve().url})) as gateway:
            answer = http(f"{gateway.url}/v1/sinks/other/pause", body=b"")
            assert answer.status == 404
            assert "tak" in answer.json["detail"]
            assert http(f"{gateway.url}/v1/sinks/tak/dead-letters?limit=0").status == 422
            bad = http(f"{gateway.url}/v1/sinks/tak/dead-letters/retry", body=b'{"sequences":[0]}')
            assert bad.status == 422
            assert bad.json["field"] == "sequences[0]"


class TestWhatIsSent:
    def test_filters_leave_out_and_transforms_change(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        everything, some = serve(), serve()
        gateway = gateway_of(
            tmp_path,
            {"name": "everything", "url": everything.url},
            {
                "name": "some", "url": some.url,
                "filter": {"classes": ["TRUCK"], "min_confidence": 0.5, "cameras": False},
                "transform": {
                    "callsign_prefix": "EX-", "access": "Restricted", "groups": ["Blue", "Red"],
                },
            },
        )  # fmt: skip
        mixed = report("f-1", cars=3)
        for each, (name, confidence) in zip(
            mixed["detections"], (("car", 0.9), ("truck", 0.9), ("truck", 0.3)), strict=True
        ):
            each["class"], each["confidence"] = name, confidence
        with started(gateway):
            gateway.post(mixed)
            settled(gateway, "everything")
            settled(gateway, "some")
        assert len(everything.sightings()) == 3
        assert some.sightings() == ["f-1/1"]
        assert not any(b"<sensor" in event for event in some.events)
        (event,) = [ET.fromstring(e) for e in some.events if b" detection=" in e]
        assert event.get("access") == "Restricted"
        contact = event.find("detail/contact")
        assert contact is not None
        assert contact.attrib["callsign"].startswith("EX-truck")
        assert [each.get("group") for each in event.findall("detail/marti/dest")] == ["Blue", "Red"]
        plain = next(ET.fromstring(e) for e in everything.events if b'detection="1"' in e)
        assert plain.get("access") == "Undefined"

    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ("all", ["old-1/0", "old-2/0", "new/0"]),
            ("live_only", ["new/0"]),
            # The three are one object at one place: one uid.
            ("latest_per_uid", ["new/0"]),
        ],
    )
    def test_what_is_late_is_sent_as_the_rule_says(
        self, tmp_path: Path, serve: Callable[..., TakServer], rule: str, expected: list[str]
    ) -> None:
        server = serve()
        gateway = gateway_of(
            tmp_path, {"name": "tak", "url": server.url, "stale": rule}, stale_seconds="1"
        )
        with started(gateway):
            operate(gateway, "tak/pause")
            wait_for(lambda: sink(gateway)["state"] == "paused", what="the pause")
            now = datetime.now(UTC)
            for name, age in (("old-1", 9), ("old-2", 8), ("new", -30)):
                answer = gateway.post(report(name, cars=1, at=now - timedelta(seconds=age)))
                assert answer.status == 201
            operate(gateway, "tak/resume")
            settled(gateway)
            assert server.sightings() == expected

    def test_no_more_goes_out_than_the_rate(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve()
        limited = {"name": "tak", "url": server.url, "events_per_second": 20}
        with started(gateway_of(tmp_path, limited, platform_interval_seconds="0")) as gateway:
            began = time.monotonic()
            for number in range(5):
                gateway.post(report(f"f-{number}", cars=10))
            settled(gateway)
            # The first twenty go at once.
            assert time.monotonic() - began >= (50 - 20) / 20 * 0.9
            assert len(server.sightings()) == 50

    def test_we_tell_of_ourselves_and_answer_pings(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve()
        gateway = gateway_of(
            tmp_path, {"name": "tak", "url": server.url, "presence_seconds": 0.2},
            callsign="Tower", identity="tower-1", presence_position="[47.1, 8.5]",
        )  # fmt: skip
        with started(gateway):
            wait_for(lambda: server.kinds().count("a-f-G-U-C") >= 3, what="our presence, renewed")
        event = next(ET.fromstring(e) for e in server.events if b'uid="tower-1"' in e)
        contact, point = event.find("detail/contact"), event.find("point")
        assert contact is not None
        assert point is not None
        assert contact.get("callsign") == "Tower"
        assert (float(point.attrib["lat"]), float(point.attrib["lon"])) == (47.1, 8.5)
        lifetime = datetime.fromisoformat(event.attrib["stale"]) - datetime.fromisoformat(
            event.attrib["time"]
        )
        assert timedelta(seconds=0.2) < lifetime < timedelta(seconds=2)


class TestWays:
    def test_a_server_that_has_never_ponged_is_trusted_to_have_read(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve(pongs=False)
        gateway = gateway_of(
            tmp_path,
            {"name": "tak", "url": server.url, "acknowledge": "auto", "pong_seconds": 0.3},
        )
        with started(gateway):
            gateway.post(report("f-1"))
            settled(gateway)
            assert sink(gateway)["acknowledges"] is False
            gateway.post(report("f-2"))
            settled(gateway)
            # Sent is what the cursor says here; that it was read shows a moment later.
            wait_for(
                lambda: set(server.sightings()) == {"f-1/0", "f-1/1", "f-2/0", "f-2/1"},
                what="all of it",
            )

    def test_a_server_that_has_ponged_once_is_held_to_it(
        self, tmp_path: Path, serve: Callable[..., TakServer]
    ) -> None:
        server = serve()
        gateway = gateway_of(
            tmp_path,
            {"name": "tak", "url": server.url, "acknowledge": "auto", "pong_seconds": 0.3},
        )
        with started(gateway):
            gateway.post(report("f-1"))
            settled(gateway)
            gateway.stop()
            server.behaviour.pongs = False
            gateway.start()
            gateway.post(report("f-2"))
            before = server.connections
            wait_for(lambda: server.connections >= before + 2, what="another connection")
            assert sink(gateway)["lag_events"] > 0
            server.behaviour.pongs = True
            settled(gateway)

    @pytest.mark.parametrize("fragment", [None, 1])
    def test_protocol_buffers_where_they_are_offered(
        self, tmp_path: Path, serve: Callable[..., TakServer], fragment: int | None
    ) -> None:
        server = serve(offers_protobuf=True, fragment=fragment)
        with started(gateway_of(tmp_path, {"name": "tak", "url": server.url})) as gateway:
            wait_for(lambda: server.binary_connections == 1, what="the change of protocol")
            receipt = gateway.post(report("f-1", cars=3)).json
            settled(gateway)
        found = {m.cotEvent.uid: m.cotEvent for m in server.messages}
        for placed in receipt["results"]:
            event = found[placed["uid"]]
            assert event.lat == pytest.approx(placed["position"]["latitude"], abs=1e-6)
            assert event.ce == pytest.approx(placed["ce90_m"], abs=0.01)
            assert "car" in event.detail.contact.callsign

    @pytest.mark.parametrize("protocol", ["auto", "xml"])
    def test_xml_where_they_are_refused_or_not_wanted(
        self, tmp_path: Path, serve: Callable[..., TakServer], protocol: str
    ) -> None:
        server = serve(offers_protobuf=True, refuses_protobuf=True)
        gateway = gateway_of(tmp_path, {"name": "tak", "url": server.url, "protocol": protocol})
        with started(gateway):
            gateway.post(report("f-1"))
            settled(gateway)
        assert set(server.sightings()) == {"f-1/0", "f-1/1"}
        assert ("t-x-takp-q" in server.kinds()) == (protocol == "auto")

    @pytest.mark.parametrize("protocol", ["protobuf", "xml"])
    def test_datagrams_to_a_mesh(self, tmp_path: Path, protocol: str) -> None:
        group, port = "239.2.3.1", free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind((group, port))
            member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            listener.settimeout(10)
            mesh = {
                "name": "mesh", "url": f"udp://{group}:{port}", "protocol": protocol,
                "interface": "127.0.0.1", "ttl": 0, "presence_seconds": 0,
            }  # fmt: skip
            gateway = gateway_of(tmp_path, mesh, platform_interval_seconds="0")
            with started(gateway):
                receipt = gateway.post(report("f-1", cars=2)).json
                settled(gateway, "mesh")
                assert sink(gateway, "mesh")["acknowledges"] is False
            wanted = [each["uid"] for each in receipt["results"]]
            heard: list[str] = []
            while len(heard) < len(wanted):
                datagram = listener.recv(65_536)
                if protocol == "xml":
                    heard.append(re.findall(rb' uid="([^"]+)"', datagram)[0].decode())
                    continue
                assert datagram[:3] == b"\xbf\x01\xbf"
                message = TakMessage()
                message.ParseFromString(datagram[3:])
                if message.HasField("cotEvent"):
                    heard.append(message.cotEvent.uid)
                else:
                    assert message.takControl.contactUid == "sightline"
            assert heard == wanted

    def test_after_many_failures_it_rests_and_then_goes_on(self, tmp_path: Path) -> None:
        port = free_port()
        gateway = gateway_of(
            tmp_path,
            {
                "name": "tak", "url": f"tcp://127.0.0.1:{port}", "breaker_failures": 3,
                "breaker_seconds": 0.5,
            },
        )  # fmt: skip
        with started(gateway):
            gateway.post(report("f-1"))
            wait_for(lambda: sink(gateway)["state"] == "broken", what="the breaker")
            assert "refused" in sink(gateway)["last_error"].lower()
            with socket.create_server(("127.0.0.1", port)) as late:
                late.settimeout(20)
                connection, _ = late.accept()
                connection.close()
