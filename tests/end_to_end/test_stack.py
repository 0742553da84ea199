"""compose.yaml as a whole: what `make dev PROFILES=demo` gives its user."""

from __future__ import annotations

import json
import time

import pytest

from dashboard_queries import Clock, committed, unanswered
from running import http, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROOT_SERVICES = {"collector": "the engine's log files are root's"}


def test_all_of_it_is_healthy_and_nothing_had_to_be_started_twice(stack):
    print(f"all healthy after {stack.started:.1f} s")
    states = stack.states()
    assert states.pop("secrets") == "exited"
    assert set(states.values()) <= {"healthy", "running"}, states
    for service in states:
        assert stack.engine.inspect(stack.container(service))["RestartCount"] == 0, service


def test_every_container_may_do_next_to_nothing(stack):
    for service in stack.states():
        found = stack.engine.inspect(stack.container(service))
        host, config = found["HostConfig"], found["Config"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"], service
        if service != "secrets":
            assert not host["CapAdd"], service
            assert host["PidsLimit"], service
            assert service in ROOT_SERVICES or not config["User"].startswith("0"), service
        for bindings in (host["PortBindings"] or {}).values():
            assert {each["HostIp"] for each in bindings} == {"127.0.0.1"}, service


def test_secrets_are_files_that_only_their_owner_reads(stack):
    made = {path.name: path.stat() for path in stack.secrets.iterdir()}
    assert {"operator-key", "grafana-password", "database-password"} <= made.keys()
    assert {stat.st_mode & 0o777 for stat in made.values()} == {0o600}
    planted = [path.read_text() for path in stack.secrets.glob("*[!l]") if path.suffix != ".toml"]
    for service in stack.states():
        said = json.dumps(stack.engine.inspect(stack.container(service))["Config"])
        said += stack.engine.docker("logs", stack.container(service))
        assert not [secret for secret in planted if secret in said], service


def test_a_door_without_a_key_is_shut(stack):
    assert http(f"{stack.url('gateway')}/v1/sinks").status == 401
    assert http(f"{stack.url('detection')}/v1/models").status == 401
    assert stack.get("detection", "/v1/models").json["models"][0]["name"] == "demo"


def test_drones_become_tracks_in_the_tak_server(stack):
    (sink,) = wait_for(
        lambda: (
            sinks
            if (sinks := stack.get("gateway", "/v1/sinks").json["sinks"])[0]["acknowledged"] > 100
            else None
        ),
        seconds=90,
        what="a hundred acknowledged events",
    )
    assert (sink["state"], sink["dead_letters"]) == ("connected", 0)
    assert stack.get("gateway", "/v1/events?limit=5").json["events"]


def test_prometheus_scrapes_all_and_believes_its_rules(stack):
    wait_for(
        lambda: (
            {r["metric"]["job"] for r in stack.query("up == 1")}
            == {"detection", "cop-gateway", "prometheus", "alertmanager", "loki", "collector"}
        ),
        seconds=60,
        what="all targets up",
    )
    groups = http(f"{stack.url('prometheus')}/api/v1/rules").json["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len([rule for rule in rules if rule["type"] == "alerting"]) >= 30
    wait_for(
        lambda: all(
            rule["health"] == "ok"
            for group in http(f"{stack.url('prometheus')}/api/v1/rules").json["data"]["groups"]
            for rule in group["rules"]
        ),
        seconds=90,
        what="every rule evaluated",
    )


def test_the_dead_mans_switch_beats(stack):
    watchdog = wait_for(
        lambda: stack.firing().get("SightlineWatchdog"), seconds=150, what="the watchdog's alert"
    )
    assert {each["name"] for each in watchdog["receivers"]} == {"watchdog"}
    assert "grafana" not in watchdog["labels"]
    assert watchdog["annotations"]["runbook_url"] == (f"{stack.url('grafana')}/d/runbook-watchdog")


def test_a_frame_is_followed_by_its_trace_through_both_services(stack):
    def frame() -> dict | None:
        lines = stack.logs('{service_name="detection"} |= "/v1/detect" | frame_id!=""', minutes=1)
        # Its delivery has been told of as well.
        return json.loads(lines[-20]) if len(lines) > 20 else None

    found = wait_for(frame, seconds=60, what="lines of frames in Loki")
    trace = found["trace_id"]

    def services() -> dict[str, list[dict]]:
        told: dict[str, list[dict]] = {}
        query = f'{{service_name=~".+"}} | trace_id="{trace}"'
        for line in map(json.loads, stack.logs(query, minutes=5)):
            told.setdefault(line["service"], []).append(line)
        return told

    told = wait_for(
        lambda: found if {"detection", "cop-gateway"} <= (found := services()).keys() else None,
        seconds=30,
        what="lines of both services",
    )
    for lines in told.values():
        assert {line["frame_id"] for line in lines if "frame_id" in line} == {found["frame_id"]}
    spans = stack.engine.docker(
        "run", "--rm", "--network", "none", "--volume", f"{stack.name}_collector:/c:ro",
        "--user", "0", "--entrypoint", "python", "sightline-cop-gateway:e2e", "-c",
        f"print(sum('{trace}' in line for line in open('/c/traces/traces.json')))",
    )  # fmt: skip
    assert int(spans) > 0


def test_every_panel_of_every_board_has_something_to_show(stack):
    """The last minutes of the running stack, asked as Grafana asks; see docs/reference."""
    wait_for(lambda: time.monotonic() - stack.up_at > 75, seconds=120, what="a minute of history")
    troubles = unanswered(
        committed(),
        stack.url("prometheus"),
        stack.url("loki"),
        clock=Clock(range_seconds=60, step_seconds=5, rate_seconds=20),
    )
    assert troubles == []


def test_no_line_is_lost_over_kills_of_the_collector_and_of_loki(stack):
    """Numbered lines from a container of its own, while both are killed and come back."""
    count = 6000
    program = (
        "import json, time\n"
        f"for n in range({count}):\n"
        "    print(json.dumps({'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),"
        " 'level': 'info', 'event': 'numbered', 'service': 'counter', 'number': n}), flush=True)\n"
        "    time.sleep(0.004)\n"
    )
    began = time.monotonic()
    stack.engine.docker(
        "run", "--detach", "--name", f"{stack.name}-counter", "--network", "none",
        "--log-driver", "json-file", "--log-opt", "tag={{.Name}}", "--log-opt", "max-size=300k",
        "--log-opt", "max-file=8", "--entrypoint", "python", "sightline-cop-gateway:e2e",
        "-c", program,
    )  # fmt: skip
    try:
        for victim in ("collector", "loki", "collector", "loki"):
            time.sleep(4)
            stack.engine.docker("kill", "--signal", "KILL", stack.container(victim))
            time.sleep(2)
            stack.compose("start", victim)

        def numbers() -> list[int]:
            found: list[int] = []
            for begin in range(0, count, 1000):
                query = (
                    '{service_name="counter"} | json number="number"'
                    f" | number >= {begin} | number < {begin + 1000}"
                )
                found += [json.loads(line)["number"] for line in stack.logs(query, minutes=10)]
            return found

        def all_there() -> list[int] | None:
            try:
                found = numbers()
            except (OSError, ValueError, AssertionError, KeyError):
                return None  # Loki is still starting
            return found if len(set(found)) == count else None

        found = wait_for(all_there, seconds=120, what=f"{count} lines in Loki")
        assert sorted(found) == list(range(count)), "some are there twice"
        print(f"{count} lines, none lost, none twice, in {time.monotonic() - began:.0f} s")
    finally:
        stack.engine.docker("rm", "--force", f"{stack.name}-counter")


def test_idle_memory(stack):
    """Printed, and bounded by compose.yaml's own limits."""
    listed = stack.engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
    print(listed)
    assert len(listed.splitlines()) >= 9
