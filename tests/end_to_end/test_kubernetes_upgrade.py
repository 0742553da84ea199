"""The chart of yesterday on an old database, its upgrade, and a release with a new schema."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster_backups import ask, small
from cluster_images import EXPANDING
from deployment import CHART, COMPONENTS, MANIFESTS, Sightline, Traffic
from engine import ROOT
from figures import record_figure
from kubernetes_cluster import Cluster

pytestmark = pytest.mark.e2e

UPGRADED = "sightline-upgraded"
OLD_STORE = ROOT / "tests/vectors/schema/postgres-1.sql"
OLD_EVENTS = {
    ("drone-1", "f-1", 0), ("drone-1", "f-1", 1), ("drone-1", "f-2", 0), ("drone-1", "f-3", 0),
}  # fmt: skip


@dataclass
class Upgrade:
    """Before and after; what clients saw meanwhile."""

    site: Sightline
    chart: Path
    """The previous revision."""
    old_pods: set[str]
    traffic: Traffic


@pytest.fixture(scope="module")
def database(published: Cluster) -> Iterator[str]:
    """PostgreSQL of the site's own, with what the first release left in it: its address."""
    password = secrets.token_urlsafe(16)
    text = (MANIFESTS / "postgres.yaml").read_text().replace("REGISTRY", published.registry)
    published.kubectl("apply", "-f", "-", input=text.replace("CHOSEN", json.dumps(password)))
    try:
        published.kubectl(
            "-n", "postgres", "wait", "--for=condition=ready", "pod/postgres", "--timeout=120s"
        )
        sql(published, OLD_STORE.read_text())
        yield f"postgresql://sightline:{password}@postgres.postgres/sightline"
    finally:
        published.kubectl("delete", "namespace", "postgres", "--wait=false")


def sql(cluster: Cluster, text: str) -> list[list[str]]:
    """What the site's own database answers."""
    said = cluster.kubectl(
        "-n", "postgres", "exec", "-i", "postgres", "--",
        "psql", "-U", "sightline", "-d", "sightline", "-AtXq", "-v", "ON_ERROR_STOP=1",
        input=text,
    )  # fmt: skip
    return [line.split("|") for line in said.splitlines()]


def previous(folder: Path) -> Path:
    """The chart as an older one: another version, one object more and one less, and other pods."""
    chart = folder / "sightline"
    shutil.copytree(CHART, chart)
    head = chart / "Chart.yaml"
    head.write_text(
        "\n".join(
            "version: 0.0.1" if line.startswith("version:") else line
            for line in head.read_text().splitlines()
        )
    )
    (chart / "templates/disruption-budgets.yaml").unlink()
    (chart / "templates/previous.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: previous}\ndata: {of: yesterday}\n"
    )
    pods = chart / "templates/deployments.yaml"
    text = pods.read_text()
    assert "minReadySeconds: 2" in text
    assert "periodSeconds: 10" in text
    pods.write_text(
        text.replace("minReadySeconds: 2", "minReadySeconds: 1").replace(
            "periodSeconds: 10", "periodSeconds: 15"
        )
    )
    return chart


def migrations(site: Sightline) -> int:
    """How often the hook's Job has come to its end, as far as the cluster remembers."""
    found = site.kubectl(
        "get", "events", "-o", "json",
        "--field-selector", "involvedObject.name=sightline-migration,reason=Completed",
    )  # fmt: skip
    return sum(each.get("count") or 1 for each in json.loads(found)["items"])


def uids(site: Sightline, *colours: str) -> set[str]:
    return {
        pod["metadata"]["uid"]
        for colour in colours
        for component in COMPONENTS
        for pod in site.pods(component, colour)
    }


def sightings(site: Sightline) -> set[tuple[str, str, int]]:
    """What is kept of the old release's."""
    events = ask(site, "/v1/events?camera_id=drone-1").json["events"]
    return {(each["camera_id"], each["frame_id"], each["index"]) for each in events}


@pytest.fixture(scope="module")
def upgrade(
    published: Cluster, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgrade]:
    """Installed by Helm 3 from the previous chart, upgraded by Helm 4 to this one under load."""
    folder = tmp_path_factory.mktemp("upgraded")
    site = Sightline(published, folder, namespace=UPGRADED)
    site.secrets.mkdir(mode=0o700, parents=True)
    (site.secrets / "database-url").write_text(database)
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "postgres"}}}
    site.values = small(
        published,
        {
            "database": {"mode": "external"},
            "networkPolicies": {"database": [peer]},
            "backups": {"enabled": False},
            "gateway": {"disruptionBudget": {"enabled": True}},
        },
    )
    chart = previous(folder)
    try:
        site.prepare(database="external")
        site.helm("install", "--wait", "--timeout", "240s", chart=chart, version=3)
        before = uids(site, "blue", "green")
        with site.tak() as client:
            with site.traffic("upgrade", clients=1) as traffic:
                time.sleep(3)
                began = time.monotonic()
                site.helm("upgrade", "--wait", "--timeout", "240s")
                record_figure("helm upgrade until every pod is new", time.monotonic() - began)
                time.sleep(2)
            traffic.arrived(client)
        yield Upgrade(site=site, chart=chart, old_pods=before, traffic=traffic)
    finally:
        published.kubectl("delete", "namespace", UPGRADED, "--wait=false")


class TestTheUpgradeOfTheChart:
    def test_migrates_and_keeps_what_an_old_release_stored(self, upgrade: Upgrade) -> None:
        ((version,),) = sql(upgrade.site.cluster, "SELECT version FROM schema_version")
        assert int(version) > 1
        assert migrations(upgrade.site) >= 2, "once for the install, once for the upgrade"
        assert sightings(upgrade.site) == OLD_EVENTS

    def test_replaces_every_pod_and_loses_nothing_that_was_acknowledged(
        self, upgrade: Upgrade
    ) -> None:
        # That all of it arrived was seen by the fixture. One pod alone serves here.
        assert not upgrade.old_pods & uids(upgrade.site, "blue", "green")
        assert len(upgrade.traffic.expected()) > 100

    def test_brings_what_is_new_and_takes_away_what_is_not(self, upgrade: Upgrade) -> None:
        site = upgrade.site
        assert "NotFound" in site.kubectl("get", "configmap", "previous", check=False)
        budgets = {each["metadata"]["name"] for each in site.get("pdb")["items"]}
        assert {"cop-gateway-blue", "cop-gateway-green"} <= budgets


class TestAReleaseWithANewStepOfTheSchema:
    @pytest.fixture(scope="class")
    @classmethod
    def released(cls, upgrade: Upgrade) -> tuple[set[str], Traffic, int]:
        """Into green, while blue serves: blue's pods before, and what clients saw."""
        site = upgrade.site
        before, known = uids(site, "blue"), migrations(site)
        with site.traffic("released", clients=1) as traffic:
            time.sleep(2)
            began = time.monotonic()
            site.release("green", {"gateway": {"image": {"tag": EXPANDING}}})
            record_figure("release into the idle colour until ready", time.monotonic() - began)
            time.sleep(2)
        return before, traffic, known

    def test_is_expanded_by_the_hook_while_the_old_code_serves(
        self, upgrade: Upgrade, released: tuple[set[str], Traffic, int]
    ) -> None:
        before, traffic, known = released
        assert migrations(upgrade.site) > known
        assert sql(upgrade.site.cluster, "SELECT count(*) FROM later") == [["0"]]
        assert uids(upgrade.site, "blue") == before
        assert traffic.failures == []

    def test_users_are_switched_to_it_and_back(
        self, upgrade: Upgrade, released: tuple[set[str], Traffic, int]
    ) -> None:
        site = upgrade.site
        with site.tak() as client:
            with site.traffic("both", clients=1) as traffic:
                time.sleep(2)
                for to in ("green", "blue", "green"):
                    site.colours("switch", "--to", to, "--no-smoke")
                    time.sleep(1)
            assert traffic.failures == []
            traffic.arrived(client)

    def test_helm_rollback_moves_users_and_the_colours_tell(
        self, upgrade: Upgrade, released: tuple[set[str], Traffic, int]
    ) -> None:
        # Of a release that Helm 3 has installed, any Helm overwrites what others changed.
        site = upgrade.site
        assert site.active("cop-gateway") == "green"
        site.cluster.helm("rollback", "sightline", "-n", UPGRADED)
        assert site.active("cop-gateway") == "blue"
        said = site.colours("status").said["findings"]
        assert any("by hand" in each["sentence"] for each in said if each["outcome"] != "ok"), said
