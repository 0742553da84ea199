"""What Grafana is given at its start.

Grafana itself cannot be had on the build machines, so nothing here starts it: the files are held to
a schema written from its documentation, and to the names that boards and compose use.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from alertmanager.configuration import read
from dashboard_queries import committed
from grafana import write

GRAFANA = write.HERE
SCHEMA = json.loads(Path(__file__).with_name("provisioning.schema.json").read_text())
FILES = sorted((GRAFANA / "provisioning").rglob("*.yaml"))
HOME = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"


def sources() -> dict[str, dict[str, Any]]:
    document = read(GRAFANA / "provisioning/datasources/sightline.yaml")
    return {each["uid"]: each for each in document["datasources"]}


def settings() -> dict[str, str]:
    lines = (GRAFANA / "grafana.env").read_text(encoding="utf-8").splitlines()
    return dict(each.split("=", 1) for each in lines if each and not each.startswith("#"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_the_files_are_as_grafana_reads_them(path: Path) -> None:
    jsonschema.validate(read(path), SCHEMA)


def test_there_is_a_source_for_every_query() -> None:
    assert sources().keys() == {"prometheus", "loki", "alertmanager"}
    assert [each["uid"] for each in sources().values() if each.get("isDefault")] == ["prometheus"]
    for board in committed():
        for each in board["templating"]["list"]:
            if each["type"] == "datasource":
                assert each["current"]["value"] in sources()
                assert each["query"] == sources()[each["current"]["value"]]["type"]


def test_traces_lead_to_the_board_of_logs() -> None:
    told = [
        *sources()["prometheus"]["jsonData"]["exemplarTraceIdDestinations"],
        *sources()["loki"]["jsonData"]["derivedFields"],
    ]
    boards = {each["uid"]: each for each in committed()}
    for each in told:
        found = re.match(r"/d/([a-z-]+)\?var-(\w+)=\$\$\{__value\.raw\}", each["url"])
        assert found, each["url"]
        variables = {one["name"] for one in boards[found[1]]["templating"]["list"]}
        assert found[2] in variables


def test_every_folder_of_boards_is_mounted_once() -> None:
    document = read(GRAFANA / "provisioning/dashboards/sightline.yaml")
    mounted = [each["options"]["path"] for each in document["providers"]]
    assert mounted == [
        f"/etc/grafana/dashboards/{folder.name}" for folder in (write.BOARDS, write.RUNBOOKS)
    ]


def test_grafana_starts_at_a_board_that_is_there() -> None:
    path = settings()[HOME]
    assert path.startswith("/etc/grafana/dashboards/")
    assert (write.GENERATED / path.removeprefix("/etc/grafana/dashboards/")).exists()


def test_grafanas_settings_hold_no_secret_and_need_no_network() -> None:
    names = settings()
    for name in names:
        secret = any(each in name for each in ("PASSWORD", "SECRET", "TOKEN"))
        assert not secret or name.endswith("__FILE"), name
    for name in ("GF_ANALYTICS_REPORTING_ENABLED", "GF_ANALYTICS_CHECK_FOR_UPDATES",
                 "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_NEWS_NEWS_FEED_ENABLED"):  # fmt: skip
        assert names[name] == "false"
