"""From a service's stdout through the collector to Loki: real processes, Docker's file format.

No container engine is needed: the test keeps the files that Docker would keep.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detecting import Detection
from engine import program
from fakes.images import encoded, painted
from fakes.models import blob_model
from observing import Collector, ContainerLog, Loki, contained
from running import SENSOR, Gateway, Process, TakClient, Taky, http, report, started, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}
LABELS = {"service_name", "colour", "k8s_namespace_name"}
"""All that streams may differ by: a handful of values each."""
A_SECOND = 800
"""Lines, while their readers are killed."""


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    program("otelcol")
    with started(Loki(tmp_path_factory.mktemp("loki"))) as process:
        yield process


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("containers")


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, loki: Loki, containers: Path
) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("collector")
    with started(Collector(folder, loki=loki.url, containers=containers)) as process:
        yield process


def line(event: str, **fields: Any) -> str:
    """As the services write it."""
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "level": "info",
            "event": event,
            "service": "cop-gateway",
            "version": "1.2.3",
            "colour": "blue",
            **fields,
        },
        separators=(",", ":"),
    )


def test_a_frame_is_followed_through_both_services_by_its_trace_id(
    tmp_path: Path, loki: Loki, collector: Collector, containers: Path
) -> None:
    model = blob_model(tmp_path / "blobs.onnx", width=480, height=288)
    width, height = SENSOR["intrinsics"]["image_width"], SENSOR["intrinsics"]["image_height"]
    picture = encoded(painted(width, height, {"red": (200, 300, 260, 360)}), "JPEG")
    frame = {
        "frame_id": "followed-1",
        "camera_id": "drone-7",
        "captured_at": datetime.now(UTC).isoformat(),
        "sensor": SENSOR,
    }
    tracing = {"otlp_endpoint": collector.otlp_url}
    taky = Taky(tmp_path)
    gateway = Gateway(tmp_path / "gateway", sink=taky.url, colour="green", **tracing)
    with started(taky), contained(gateway, ContainerLog(containers, "gateway")):
        client = TakClient(taky.port)
        wait_for(gateway.is_ready, what="the gateway")
        detection = Detection(tmp_path, model, gateway_url=gateway.url, **tracing)
        with contained(detection, ContainerLog(containers, "detection")):
            wait_for(detection.port_file.exists, what="the detection service")
            parts = {"image": picture, "frame": json.dumps(frame).encode()}
            answer = detection.post_form(parts, traceparent=TRACE)
            assert answer.status == 200, answer.body
            wait_for(client.sightings, what="the sighting at the TAK client")
            client.close()
            exposed = [
                http(f"{service.url}/metrics", headers=OPENMETRICS).body.decode()
                for service in (detection, gateway)
            ]

    def found() -> list[tuple[int, str, dict[str, str]]]:
        return loki.entries(f'{{service_name=~".+"}} | trace_id="{TRACE_ID}"')

    wait_for(lambda: len(found()) >= 3, what="its lines in Loki")
    told = {
        (labels["service_name"], labels["event"]): (json.loads(text), labels)
        for _, text, labels in found()
    }
    assert {("detection", "request"), ("cop-gateway", "request")} <= set(told)
    for (service, _), (written, labels) in told.items():
        assert labels["colour"] == {"detection": "blue", "cop-gateway": "green"}[service]
        assert (labels["camera_id"], labels["frame_id"]) == ("drone-7", "followed-1")
        assert written["trace_id"] == labels["trace_id"] == TRACE_ID
        assert written["span_id"] == labels["span_id"]
    requests = [told[service, "request"][0] for service in ("detection", "cop-gateway")]
    assert requests[0]["request_id"] == requests[1]["request_id"]
    # All the way to the acknowledgement.
    delivered, _ = told["cop-gateway", "delivered"]
    assert delivered["sink"] == "tak"

    spans = wait_for(
        lambda: len(of_trace := _of_trace(collector)) >= 8 and of_trace, what="its spans"
    )
    by_id = {span["spanId"]: span for span in spans}
    names = {(span["resource"]["service.name"], span["name"]) for span in spans}
    assert {
        ("detection", "POST /v1/detect"),
        ("detection", "inference"),
        ("detection", "POST /v1/detections"),
        ("cop-gateway", "POST /v1/detections"),
        ("cop-gateway", "place"),
        ("cop-gateway", "commit"),
        ("cop-gateway", "deliver tak"),
    } <= names
    (delivery,) = [span for span in spans if span["name"] == "deliver tak"]
    chain = []
    while delivery:
        chain.append((delivery["resource"]["service.name"], delivery["name"]))
        delivery = by_id.get(delivery.get("parentSpanId", ""))
    assert chain == [
        ("cop-gateway", "deliver tak"),
        ("cop-gateway", "commit"),
        ("cop-gateway", "POST /v1/detections"),
        ("detection", "POST /v1/detections"),
        ("detection", "POST /v1/detect"),
    ]
    for text in exposed:
        assert f'# {{trace_id="{TRACE_ID}"}}' in text


def _of_trace(collector: Collector) -> list[dict[str, Any]]:
    return [span for span in collector.spans() if span["traceId"] == TRACE_ID]


def test_what_is_no_line_of_ours_is_kept_whole(
    loki: Loki, collector: Collector, containers: Path
) -> None:
    foreign = [
        "2026-11-26 06:00:00 UTC [1] LOG:  database system is ready",
        "Traceback (most recent call last):",
        '  File "/usr/lib/taky/cot.py", line 7, in <module>',
        "ValueError: not CoT",
        '{"level":"error","msg":"JSON of somebody else","service":5}',
        '{"event":"torn',
        "",
        "t=2026-11-26T06:00:00Z level=warn msg=logfmt",
        "grüße, 你好 🚁",
    ]
    log = ContainerLog(containers, "tak")
    for text in foreign:
        log.write(text, stream="stderr")
    wait_for(lambda: loki.lines('{service_name="tak"}') == foreign, what="the lines, in order")
    assert loki.series().count({"service_name": "tak"}) == 1


def test_a_line_that_docker_cut_is_whole_again(
    loki: Loki, collector: Collector, containers: Path
) -> None:
    log = ContainerLog(containers, "gateway")
    long = line("long", text="".join(f"<{n}>" for n in range(20_000)))
    exact = line("exact", text="")
    exact = line("exact", text="x" * (16 * 1024 - len(exact)))
    assert len(long) > 6 * 16 * 1024
    assert len(exact) == 16 * 1024
    for text in (long, exact, line("short")):
        log.write(text)
        log.write("a line of somebody else", stream="stderr")
    query = '{service_name="cop-gateway"} | event=~"long|exact|short"'
    wait_for(lambda: len(loki.lines(query)) == 3, what="the three lines")
    assert set(loki.lines(query)) >= {long, exact}
    foreign = '{service_name="gateway"} |= "somebody else"'
    wait_for(lambda: loki.count(foreign) == 3, what="what came between the parts")


@pytest.mark.parametrize(
    ("level", "severity"),
    [("debug", 5), ("info", 9), ("warning", 13), ("error", 17), ("critical", 21)],
)
def test_every_level_has_its_severity(
    level: str, severity: int, loki: Loki, collector: Collector, containers: Path
) -> None:
    ContainerLog(containers, "gateway").write(line("levelled", level=level))
    query = f'{{service_name="cop-gateway"}} | event="levelled" | level="{level}"'
    (found,) = wait_for(lambda: loki.entries(query), what="the line")
    at, text, labels = found
    assert labels["severity_number"] == str(severity)
    moment = datetime.fromisoformat(json.loads(text)["time"])
    assert at // 1000 == round(moment.timestamp() * 1_000_000)


def test_a_thousand_cameras_make_no_new_stream(
    loki: Loki, collector: Collector, containers: Path
) -> None:
    log = ContainerLog(containers, "gateway")
    log.write(line("camera", camera_id="first", colour="violet"))
    many = '{service_name="cop-gateway", colour="violet"}'
    wait_for(lambda: loki.count(many) == 1, what="the first")
    for number in range(1_000):
        ids = {f"{name}_id": f"{name}-{number}" for name in ("camera", "frame", "request")}
        trace = {"trace_id": f"{number + 1:032x}", "span_id": f"{number + 1:016x}"}
        log.write(line("camera", **ids, **trace, module=f"m{number}", colour="violet"))
    wait_for(lambda: loki.count(many) == 1_001, what="all of them")
    violet = [stream for stream in loki.series() if stream.get("colour") == "violet"]
    assert violet == [{"service_name": "cop-gateway", "colour": "violet"}]
    assert set(loki.get("labels")["data"]) <= LABELS
    for stream in loki.series():
        assert set(stream) <= LABELS
    (one,) = loki.entries(f'{many} | camera_id="camera-777"')
    assert one[2]["frame_id"] == "frame-777"


def test_pods_logs_are_read_alike(tmp_path: Path, loki: Loki) -> None:
    """As containerd writes them: parts of a long line are marked with P, the last with F."""
    folder = tmp_path / "pods" / "sightline_gateway-5d9f_0b1c2d3e-0000-4000-8000-000000000001"
    (folder / "gateway").mkdir(parents=True)
    (folder / "tak").mkdir()
    ours = line("in a pod", colour="amber", text="z" * 20_000)
    now = datetime.now(UTC).isoformat().replace("+00:00", "123Z")
    (folder / "gateway" / "0.log").write_text(
        f"{now} stdout P {ours[:16_384]}\n{now} stdout F {ours[16_384:]}\n"
    )
    (folder / "tak" / "0.log").write_text(f"{now} stderr F a line of taky in a pod\n")
    pods = Collector(
        tmp_path / "collector", loki=loki.url, containers=tmp_path / "pods", variant="kubernetes"
    )
    with started(pods):
        query = '{service_name="cop-gateway", colour="amber"}'
        (found,) = wait_for(lambda: loki.entries(query), what="our line")
        foreign = wait_for(
            lambda: loki.entries('{service_name="tak"} |= "in a pod"'), what="theirs"
        )
    assert found[1] == ours
    assert found[2]["k8s_pod_name"] == "gateway-5d9f"
    assert found[2]["k8s_namespace_name"] == "sightline"
    assert foreign[0][1] == "a line of taky in a pod"


def test_containers_without_our_options_are_left_alone(
    loki: Loki, collector: Collector, containers: Path
) -> None:
    ContainerLog(containers, "other", options=False).write("a neighbour's business")
    ContainerLog(containers, "gateway").write(line("after the neighbour"))
    ours = '{service_name="cop-gateway"} | event="after the neighbour"'
    wait_for(lambda: loki.count(ours) == 1, what="our line")
    assert loki.count('{service_name=~".+"} |= "neighbour\'s business"') == 0


def test_no_line_is_lost_or_doubled_when_either_is_killed(tmp_path: Path) -> None:
    """kill -9 of each and of both, again and again, while lines come and files are rotated."""
    program("otelcol")
    containers = tmp_path / "containers"
    log = ContainerLog(containers, "gateway", max_bytes=1_000_000, max_files=5)
    enough, count = threading.Event(), itertools.count()

    def write() -> None:
        began = time.monotonic()
        while not enough.is_set():
            number = next(count)
            # Now and then a line that Docker cuts.
            text = "y" * 20_000 if number % 500 == 250 else "x" * 100
            log.write(line("numbered", seq=number, camera_id=f"c-{number % 40}", text=text))
            time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))

    loki = Loki(tmp_path / "loki")
    collector = Collector(tmp_path / "collector", loki=loki.url, containers=containers)
    writing = threading.Thread(target=write)
    with started(loki), started(collector):
        writing.start()
        for victims in 3 * ([collector], [loki], [collector, loki]):
            # Not always at the same place in what they do.
            time.sleep(random.uniform(0.8, 1.6))
            # While it still begins, what was on its way is on no disk: see collector.yaml.
            wait_for(collector.is_healthy, what="the collector after its last start")
            for victim in victims:
                victim.kill()
            time.sleep(random.uniform(0.0, 1.0))
            for victim in victims:
                Process.start(victim)
        time.sleep(1.0)
        enough.set()
        writing.join()
        total = next(count)
        assert total > 9_000
        query = '{service_name="cop-gateway"} | event="numbered"'
        wait_for(loki.is_ready, what="Loki after its last start")
        # Which are lost is said below.
        with contextlib.suppress(AssertionError):
            wait_for(lambda: loki.count(query) >= total, seconds=60)
        # For what comes twice to come as well.
        time.sleep(2.0)
        counted = loki.count(query)
        for process in (collector, loki):
            assert process.popen.poll() is None, process.output[-4000:]
        found: dict[int, list[dict[str, str]]] = {}
        for digit in range(10):
            for _, text, labels in loki.entries(f'{query} |= `{digit},"camera_id"`'):
                found.setdefault(json.loads(text)["seq"], []).append(labels)
        log.close()
    lost = sorted(set(range(total)) - set(found))
    assert lost == [], f"of {total}; the collector's log ends with {collector.output[-2000:]}"
    doubled = {number: labels for number, labels in found.items() if len(labels) > 1}
    assert doubled == {}
    assert counted == total


def test_a_slow_start_of_loki_costs_nothing(tmp_path: Path) -> None:
    """Lines wait in the queue on the disk, over a kill of the collector, until Loki is there."""
    containers = tmp_path / "containers"
    program("otelcol")
    loki = Loki(tmp_path / "loki")
    collector = Collector(tmp_path / "collector", loki=loki.url, containers=containers)
    log = ContainerLog(containers, "gateway")
    with started(collector):
        for number in range(500):
            log.write(line("early", seq=number))
        wait_for(lambda: "otelcol_exporter_queue_size" in collector.own_metrics(), what="metrics")
        time.sleep(1.0)
        collector.kill()
        collector.start()
        with started(loki):
            query = '{service_name="cop-gateway"} | event="early"'
            wait_for(lambda: loki.count(query) == 500, seconds=60, what="the early lines")


def test_what_the_gateway_really_writes_is_understood(
    tmp_path: Path, loki: Loki, collector: Collector, containers: Path
) -> None:
    gateway = Gateway(tmp_path, colour="indigo")
    with contained(gateway, ContainerLog(containers, "gateway")):
        wait_for(gateway.is_ready, what="the gateway")
        for number in range(20):
            assert gateway.post(report(f"real-{number}", camera="mast-1")).status == 201
        gateway.post({"nonsense": True})
    mine = '{service_name="cop-gateway", colour="indigo"}'
    frames = f'{mine} | event="request" | camera_id="mast-1"'
    wait_for(lambda: loki.count(frames) == 20, what="a line for each frame")
    wanted = {"started", "listening", "draining", "stopped", "request"}
    wait_for(
        lambda: wanted <= {labels["event"] for _, _, labels in loki.entries(mine)},
        what="a line of each kind",
    )
    (one,) = loki.lines(f'{mine} | frame_id="real-7"')
    assert json.loads(one)["status"] == 201
