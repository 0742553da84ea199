"""`sightline colours` in a process of its own, against an API server and pods that it asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.api_server import ApiServer
from fakes.released import kubeconfig, released
from sightline.cli import exits


class Colours:
    """The command, with a cluster."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.config = kubeconfig(api, folder)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = (
            "import sys; from sightline.cli.main import main; sys.argv[0] = 'sightline'; main()"
        )
        return subprocess.run(
            [sys.executable, "-c", program, "colours", *arguments, "--kubeconfig", self.config],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def document(self, *arguments: str) -> dict[str, Any]:
        done = self(*arguments, "--json")
        assert done.returncode == exits.OK, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def leads(self, service: str) -> str:
        selector: dict[str, str] = self.api.objects["services", service]["spec"]["selector"]
        return selector["colour"]


@pytest.fixture
def colours(tmp_path):
    api = ApiServer()
    released(api)
    yield Colours(api, tmp_path)
    api.close()


def test_a_switch_and_its_rollback(colours):
    receipt = colours.document("switch", "--no-smoke", "--reason", "version 1.1")
    assert receipt["outcome"] == "done"
    assert (receipt["from"], receipt["to"], receipt["reason"]) == ("blue", "green", "version 1.1")
    assert receipt["kubernetes_user"] == "eva"
    assert receipt["sinks"]["sinks"] == ["tak"]
    assert receipt["sinks"]["seconds"] is not None
    assert colours.leads("detection-active") == colours.leads("cop-gateway-active") == "green"
    drained = {name: pod.report["draining"] for name, pod in colours.api.pods.items()}
    assert drained == {name: "blue" in name for name in colours.api.pods}

    back = colours.document("rollback")
    assert (back["kind"], back["outcome"], back["to"]) == ("rollback", "done", "blue")
    drained = {name: pod.report["draining"] for name, pod in colours.api.pods.items()}
    assert drained == {name: "green" in name for name in colours.api.pods}
    kept = json.loads(colours.api.objects["configmaps", "sightline-colours"]["data"]["receipts"])
    assert kept == [receipt, back]


def test_each_change_of_a_selector_holds_only_for_what_was_seen(colours):
    versions = {
        name: each["metadata"]["resourceVersion"]
        for (kind, name), each in colours.api.objects.items()
        if kind == "services"
    }
    assert colours("switch", "--no-smoke").returncode == exits.OK
    assert {name for name, _, _ in colours.api.patches} == {
        f"{component}-{role}"
        for component in ("detection", "cop-gateway") for role in ("active", "preview")
    }  # fmt: skip
    for name, manager, patch in colours.api.patches:
        tests = {each["path"]: each["value"] for each in patch if each["op"] == "test"}
        assert tests["/metadata/resourceVersion"] == versions[name]
        assert tests["/spec/selector/colour"] in ("blue", "green")
        assert manager == "sightline"


def test_status_as_lines_and_as_a_document(colours):
    done = colours("status")
    assert done.returncode == exits.OK, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("cop-gateway-blue: serves users; version 1; 3 of 3 ready")
    assert any("detection-green: idle" in each and "3 drained" in each for each in lines)
    found = colours.document("status")
    assert found["active"] == {"cop-gateway": "blue", "detection": "blue"}
    assert {each["outcome"] for each in found["findings"]} == {"ok"}


def test_a_dry_run_says_each_step_and_changes_nothing(colours):
    done = colours("switch", "--dry-run", "--no-smoke")
    assert done.returncode == exits.OK
    lines = done.stdout.splitlines()
    assert "lead detection-active to green" in lines
    assert lines.index("lead detection-active to green") < lines.index(
        "drain blue: its connections close, its sinks are given away"
    )
    assert colours.api.patches == []
    assert {pod.report["draining"] for n, pod in colours.api.pods.items() if "blue" in n} == {False}


def test_a_colour_that_is_not_fit_is_refused_with_all_findings_as_a_document(colours):
    colours.api.pods["cop-gateway-green-1"].refuses = True
    done = colours("switch", "--no-smoke", "--json")
    assert done.returncode == exits.FAILED
    said = json.loads(done.stdout)
    assert said["outcome"] == "refused"
    (bad,) = [each for each in said["findings"] if each["outcome"] == "failed"]
    assert "cop-gateway-green-1" in bad["sentence"]
    assert "connection refused" in bad["sentence"]
    assert colours.api.patches == []


def test_a_service_that_somebody_changed_meanwhile_is_a_conflict_with_its_own_code(colours):
    api, patch = colours.api, colours.api._patch

    def meanwhile(found, plural, query, body):
        if found["metadata"]["name"] == "detection-active":
            api.add("Service", "detection-active", found)
            found = api.objects["services", "detection-active"]
        return patch(found, plural, query, body)

    api._patch = meanwhile
    done = colours("switch", "--no-smoke")
    assert done.returncode == exits.CONFLICT
    assert "Service detection-active was changed meanwhile" in done.stderr
    assert colours.leads("cop-gateway-active") == "blue"
    assert "intent" not in api.objects["configmaps", "sightline-colours"]["data"]


def test_the_receipt_goes_to_a_file_too(colours, tmp_path):
    file = tmp_path / "receipt.json"
    found = colours.document("switch", "--no-smoke", "--receipt", str(file))
    assert json.loads(file.read_text()) == found


def test_a_probe_counts_what_users_meet(colours):
    def health() -> dict[str, Any]:
        return {"colour": colours.leads("detection-active")}

    pod = colours.api.pods["detection-blue-0"]
    answer = pod.answer

    def with_health(request):
        if request.path != "/health":
            answer(request)
            return
        content = json.dumps(health()).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    pod.answer = with_health
    url = f"http://127.0.0.1:{pod.port}/health"
    probe = colours.document("switch", "--no-smoke", "--probe", url)["probe"]
    assert probe["failures"] == 0
    assert probe["new_connections"] > 0
    assert probe["kept_connections"] > 0
    assert 0 <= probe["first_new_colour_seconds"] < 1.2


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    (sentence,) = [each for each in done.stderr.splitlines() if each.startswith("sightline: ")]
    return sentence


def test_where_nothing_is_deployed_it_says_so(colours):
    colours.api.objects.clear()
    done = colours("status")
    assert done.returncode == exits.FAILED
    assert "nothing is deployed there" in complaint(done)


def test_an_api_server_that_does_not_answer_is_named(colours):
    colours.api._server.server_close()
    done = colours("status")
    assert done.returncode == exits.UNREACHABLE
    assert colours.api.url in complaint(done)


def test_what_the_api_server_forbids_is_told_in_its_words(colours):
    colours.api.forbidden.add("pods")
    done = colours("rollback")
    assert done.returncode == exits.UNREACHABLE
    assert "pods is forbidden" in complaint(done)


def test_without_a_kubeconfig_it_says_that_no_cluster_is_configured(colours):
    colours.config.write_text("")
    done = colours("status")
    assert done.returncode == exits.UNREACHABLE
    assert "no cluster is configured" in complaint(done)


def test_without_the_deployers_secret_it_says_what_to_name(colours):
    del colours.api.objects["secrets", "sightline-deployer"]
    done = colours("status")
    assert done.returncode == exits.FAILED
    assert "--key-file" in complaint(done)
    file = colours.folder / "key"
    file.write_text("another-key\n")
    said = colours.document("status", "--key-file", str(file))["findings"]
    assert any("refuses the key" in each["sentence"] for each in said)


def test_no_key_and_no_token_is_shown(colours):
    for arguments in (["status"], ["switch", "--no-smoke"], ["rollback"]):
        done = colours(*arguments)
        assert not any(
            secret in done.stdout + done.stderr for secret in ("the-deployers-key", "a-token")
        )
