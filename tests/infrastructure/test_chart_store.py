"""Where detections are kept: three kinds of database, their migration, backups and volumes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import manifests
from manifests import COLOURS, ENVIRONMENTS, rendered

SQLITE: dict[str, Any] = {
    "database": {"mode": "sqlite"},
    "gateway": {"autoscaling": {"enabled": False}, "replicas": 1},
}
EXTERNAL: dict[str, Any] = {
    "database": {"mode": "external"},
    "networkPolicies": {"database": [{"ipBlock": {"cidr": "192.0.2.7/32"}}]},
}
KEPT = {
    "helm.sh/resource-policy": "keep",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
}


def test_with_postgresql_the_address_comes_from_the_secret():
    for values in ({}, EXTERNAL):
        pod = rendered(values).pod("Deployment/cop-gateway-blue")
        assert pod.environment["SIGHTLINE_GATEWAY_DATABASE_FILE"] == "/run/secrets/database-url"
        assert "emptyDir" in pod.volume("state")


@pytest.mark.parametrize("colour", COLOURS)
def test_with_sqlite_each_colour_has_its_own_file_and_one_gateway(colour):
    all_ = rendered(SQLITE)
    pod = all_.pod(f"Deployment/cop-gateway-{colour}")
    claim = pod.volume("state")["persistentVolumeClaim"]["claimName"]
    assert claim == f"cop-gateway-{colour}"
    assert all_.one("PersistentVolumeClaim", claim)["metadata"]["annotations"] == KEPT
    deployment = all_.one("Deployment", f"cop-gateway-{colour}")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    file = pod.environment["SIGHTLINE_GATEWAY_DATABASE_FILE"]
    assert file == "/etc/sightline/database-url"
    url = all_.one("ConfigMap", f"cop-gateway-{colour}")["data"]["database-url"]
    assert url == "sqlite:////var/lib/sightline/gateway.db"
    state = next(m for m in pod.main["volumeMounts"] if m["name"] == "state")
    assert url.removeprefix("sqlite:///").startswith(state["mountPath"] + "/")
    # Detection goes on as it is.
    assert all_.has("HorizontalPodAutoscaler", f"detection-{colour}")


def test_the_chart_has_a_database_of_its_own_only_where_asked():
    assert rendered().has("StatefulSet", "sightline-database")
    for values in (SQLITE, EXTERNAL):
        assert not rendered(values).kind("StatefulSet")
        assert not rendered(values).has("Service", "sightline-database")


def test_the_charts_own_database_keeps_its_volume_and_its_password_in_a_file():
    all_ = rendered()
    spec = all_.one("StatefulSet", "sightline-database")["spec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    pod = all_.pod("StatefulSet/sightline-database")
    assert pod.environment["POSTGRES_PASSWORD_FILE"] == "/run/secrets/password"
    assert pod.volume("secrets")["secret"]["secretName"] == "sightline-database"
    mounts = {m["name"]: m["mountPath"] for m in pod.main["volumeMounts"]}
    # A file system's own lost+found is no place for initdb.
    assert pod.environment["PGDATA"].startswith(mounts["data"] + "/")
    (port,) = all_.one("Service", "sightline-database")["spec"]["ports"]
    assert port["port"] == 5432
    selector = all_.one("Service", "sightline-database")["spec"]["selector"]
    assert manifests.selects(selector, pod.labels)


def test_the_charts_own_database_is_the_one_that_compose_pins():
    compose = yaml.safe_load((manifests.ROOT / "compose.yaml").read_text())
    pod = rendered(environment="dev").pod("StatefulSet/sightline-database")
    assert pod.main["image"] == compose["x-images"]["postgres"]


def test_postgresql_is_told_its_parameters():
    parameters = {"max_connections": 200, "shared_buffers": "256MB"}
    all_ = rendered(manifests.at("database.embedded.parameters", parameters))
    args = all_.pod("StatefulSet/sightline-database").main["args"]
    assert args == ["postgres", "-c", "max_connections=200", "-c", "shared_buffers=256MB"]


@pytest.mark.parametrize(("values", "when"), [(EXTERNAL, "pre-install"), ({}, "post-install")])
def test_the_schema_is_migrated_before_new_code_and_not_before_there_is_a_database(values, when):
    all_ = rendered(values)
    hooks = {
        (o["kind"], int(o["metadata"]["annotations"]["helm.sh/hook-weight"]))
        for o in all_.objects
        if o["metadata"]["name"] == "sightline-migration"
    }
    assert hooks == {
        ("ServiceAccount", -20),
        ("ConfigMap", -20),
        ("NetworkPolicy", -20),
        ("Job", -10),
    }
    job = all_.one("Job", "sightline-migration")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == f"{when},pre-upgrade"
    policies = job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
    assert policies == "before-hook-creation,hook-succeeded"
    argo = job["metadata"]["annotations"].get("argocd.argoproj.io/hook")
    assert argo == (None if values else "PostSync")
    pod = all_.pod("Job/sightline-migration")
    assert pod.main["args"] == [
        "migrate",
        "--config=/etc/sightline/gateway.toml",
        "--on-duty=blue",
        "--wait=60",
    ]
    assert pod.environment["SIGHTLINE_GATEWAY_DATABASE_FILE"] == "/run/secrets/database-url"
    assert pod.spec["restartPolicy"] == "Never"
    assert job["spec"]["activeDeadlineSeconds"] == 900


@pytest.mark.parametrize(
    ("blue", "green", "migrates"),
    [
        ("1.9.0", "1.10.0", "1.10.0"),
        ("1.10.0", "1.9.0", "1.10.0"),
        ("1.10.0", "1.10.0-rc.1", "1.10.0"),
        ("main-1", "main-2", "main-2"),
    ],
)
def test_the_newer_code_migrates_or_else_the_idle_colours(blue, green, migrates):
    all_ = rendered(
        {
            "colours": {
                "blue": {"gateway": {"image": {"tag": blue}}},
                "green": {"gateway": {"image": {"tag": green}}},
            }
        }
    )
    image = all_.pod("Job/sightline-migration").main["image"]
    assert image == f"sightline-cop-gateway:{migrates}"


def test_a_file_is_migrated_by_its_gateway_alone():
    assert not rendered(SQLITE).has("Job", "sightline-migration")
    off = manifests.at("migration.enabled", False)
    assert not rendered(off).has("Job", "sightline-migration")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_there_is_a_backup_each_night(environment):
    jobs = rendered(environment=environment).kind("CronJob")
    names = (
        {"sightline-backups"}
        if environment != "edge"
        else {"sightline-backups-blue", "sightline-backups-green"}
    )
    assert set(jobs) == names
    for job in jobs.values():
        spec = job["spec"]
        assert (spec["schedule"], spec["timeZone"]) == ("0 2 * * *", "Etc/UTC")
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["startingDeadlineSeconds"] == 3600
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 7200
        assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 5)


def test_a_backup_asks_the_command_line_and_sees_of_secrets_the_address_alone():
    all_ = rendered()
    pod = all_.pod("CronJob/sightline-backups")
    assert pod.main["image"] == "sightline-cli:0.1.0"
    assert pod.main["args"] == [
        "backups", "create", "--target=/backups", "--schedule-name=sightline-backups",
        "--database-file=/run/secrets/database-url", "--wait=1m", "--json",
    ]  # fmt: skip
    assert pod.volume("secrets")["secret"]["items"] == [
        {"key": "database-url", "path": "database-url"}
    ]
    assert pod.volume("backups")["persistentVolumeClaim"] == {"claimName": "sightline-backups"}
    claim = all_.one("PersistentVolumeClaim", "sightline-backups")
    assert claim["metadata"]["annotations"] == KEPT


def test_with_files_both_gateways_and_the_backups_volume_are_on_one_node():
    all_ = rendered(environment="edge")
    (first_user,) = [
        name for name in all_.kind("Job") if name.startswith("sightline-backups-volume-")
    ]
    for name in (
        "Deployment/cop-gateway-blue", "Deployment/cop-gateway-green", f"Job/{first_user}",
    ):  # fmt: skip
        affinity = all_.pod(name).spec["affinity"]
        ((term),) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert term["labelSelector"]["matchLabels"] == {
            "app.kubernetes.io/name": "sightline",
            "app.kubernetes.io/component": "cop-gateway",
        }
        assert "podAntiAffinity" not in affinity


def test_a_files_backup_runs_beside_its_gateway():
    pod = rendered(SQLITE).pod("CronJob/sightline-backups-green")
    assert "--target=/backups/green" in pod.main["args"]
    assert pod.volume("state")["persistentVolumeClaim"]["claimName"] == "cop-gateway-green"
    (near,) = pod.spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    selector = near["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert manifests.selects(selector, rendered(SQLITE).pod("Deployment/cop-gateway-green").labels)


def test_the_backups_volume_is_used_once_at_the_first_install():
    """Storage that waits for its first user would else make a waiting helm wait for the night."""
    (name,) = (each for each in rendered().kind("Job") if each != "sightline-migration")
    pod = rendered().pod(f"Job/{name}")
    assert pod.volume("backups")["persistentVolumeClaim"] == {"claimName": "sightline-backups"}
    assert pod.main["image"] == rendered().pod("CronJob/sightline-backups").main["image"]
    compile(pod.main["command"][2], "use", "exec")
    assert "helm.sh/hook" not in rendered().one("Job", name)["metadata"].get("annotations", {})
    for path, value in (
        ("backups.image.tag", "2.0.0"),
        ("backups.resources.limits.cpu", "2"),
        ("image.pullPolicy", "Always"),
        ("gateway.nodeSelector", {"disk": "fast"}),
    ):
        changed = rendered(manifests.at(path, value))
        assert not changed.has("Job", name), f"{path}: a Job cannot be changed"


def test_backups_can_go_to_a_volume_that_is_there():
    all_ = rendered(manifests.at("backups.volume.existingClaim", "vault"))
    assert not all_.kind("PersistentVolumeClaim")
    claim = all_.pod("CronJob/sightline-backups").volume("backups")["persistentVolumeClaim"]
    assert claim == {"claimName": "vault"}
    assert not rendered(manifests.at("backups.enabled", False)).kind("CronJob")


@pytest.mark.parametrize(("values", "folder"), [({}, "/backups"), (SQLITE, "/backups/green")])
def test_while_a_backup_is_brought_back_nobody_else_writes(values, folder):
    restore = {"restore": {"enabled": True, "from": "2026-11-01", "colour": "green"}}
    all_ = rendered(manifests.merged(values, restore))
    for colour in COLOURS:
        assert all_.one("Deployment", f"cop-gateway-{colour}")["spec"]["replicas"] == 0
        assert not all_.has("HorizontalPodAutoscaler", f"cop-gateway-{colour}")
        assert "replicas" not in all_.one("Deployment", f"detection-{colour}")["spec"]
    assert not all_.kind("CronJob")
    (job,) = all_.kind("Job").values()
    pod = all_.pod(f"Job/{job['metadata']['name']}")
    assert pod.labels["sightline.io/job"] == "restore", "by which notes find its log"
    assert pod.main["args"][:3] == ["backups", "restore", f"--from={folder}/2026-11-01"]
    assert "helm.sh/hook" not in job["metadata"].get("annotations", {})


def test_another_backup_is_another_job():
    def name(backup: str) -> str:
        (job,) = rendered({"restore": {"enabled": True, "from": backup}}).kind("Job")
        return job

    assert name("a") != name("b")
    assert name("") not in (name("a"), name("b"))


BUCKET: dict[str, Any] = {
    "backups": {
        "bucket": {
            "name": "vault", "prefix": "site/backups", "endpointUrl": "https://s3.site.example",
            "region": "garage", "credentialsSecret": "s3-keys", "caKey": "ca.crt",
            "objectLockDays": 30,
        },
        "encryption": {"recipients": ["age1abc", "age1def"], "identitySecret": "age-identity"},
        "prune": {"enabled": True, "last": 3},
        "verify": {"enabled": True},
    },
    "networkPolicies": {
        "backups": [{"to": [{"ipBlock": {"cidr": "192.0.2.9/32"}}], "ports": [{"port": 443}]}]
    },
}  # fmt: skip


def test_backups_can_go_to_a_bucket_locked_encrypted_and_pruned():
    pod = rendered(BUCKET).pod("CronJob/sightline-backups")
    assert pod.main["args"] == [
        "backups", "create", "--target=s3://vault/site/backups",
        "--schedule-name=sightline-backups", "--endpoint-url=https://s3.site.example",
        "--region=garage", "--credentials-file=/run/s3/credentials", "--scratch=/backups",
        "--object-lock-days=30", "--object-lock-mode=compliance", "--recipient=age1abc",
        "--recipient=age1def", "--prune", "--keep-last=3", "--keep-daily=7", "--keep-weekly=4",
        "--keep-monthly=6", "--database-file=/run/secrets/database-url", "--wait=1m", "--json",
    ]  # fmt: skip
    assert pod.environment["AWS_CA_BUNDLE"] == "/run/s3/ca.crt"
    assert pod.volume("s3")["secret"]["secretName"] == "s3-keys"
    assert pod.labels["sightline.io/job"] == "backup"


def test_who_makes_backups_cannot_read_them():
    pod = rendered(BUCKET).pod("CronJob/sightline-backups")
    assert "age-identity" not in str(pod.spec)


@pytest.mark.parametrize("job", ["CronJob/sightline-backups-verify", "Job/sightline-restore"])
def test_who_restores_has_the_identity(job):
    values = manifests.merged(BUCKET, {"restore": {"enabled": job.startswith("Job/")}})
    all_ = rendered(values)
    kind, _, start = job.partition("/")
    (name,) = (each for each in all_.kind(kind) if each.startswith(start))
    pod = all_.pod(f"{kind}/{name}")
    assert pod.volume("age")["secret"] == {
        "secretName": "age-identity",
        "defaultMode": 288,
        "items": [{"key": "identity", "path": "identity"}],
    }
    mounts = {m["name"]: m["mountPath"] for m in pod.main["volumeMounts"]}
    assert f"--identity={mounts['age']}/identity" in pod.main["args"]
    assert "--from=s3://vault/site/backups" in pod.main["args"]


def test_the_weekly_proof_restores_into_a_throwaway_database_and_writes_it_down():
    all_ = rendered(manifests.at("backups.verify.enabled", True))
    assert set(all_.kind("CronJob")) == {"sightline-backups", "sightline-backups-verify"}
    spec = all_.one("CronJob", "sightline-backups-verify")["spec"]
    assert spec["schedule"] == "0 4 * * 0"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 14400
    pod = all_.pod("CronJob/sightline-backups-verify")
    assert pod.main["args"] == [
        "backups", "verify", "--from=/backups", "--scratch=/backups",
        "--server-file=/run/secrets/database-url", "--database-file=/run/secrets/database-url",
        "--wait=1m", "--json",
    ]  # fmt: skip
    assert pod.labels["sightline.io/job"] == "verify"


def test_with_files_each_colour_has_its_own_proof_and_its_own_place():
    all_ = rendered(manifests.merged(SQLITE, BUCKET))
    for colour in COLOURS:
        made = all_.pod(f"CronJob/sightline-backups-{colour}").main["args"]
        proven = all_.pod(f"CronJob/sightline-backups-{colour}-verify").main["args"]
        assert f"--target=s3://vault/site/backups/{colour}" in made
        assert f"--from=s3://vault/site/backups/{colour}" in proven
        assert not [each for each in proven if each.startswith("--server")]


def test_what_the_chart_asks_of_the_command_line_is_there(monkeypatch):
    """Each option of each Job is one that the command has."""
    from sightline.cli.backups import backups  # noqa: PLC0415

    restore = {"restore": {"enabled": True}}
    for values in ({}, SQLITE, BUCKET, manifests.merged(SQLITE, BUCKET)):
        for more, kinds in (({}, ["CronJob"]), (restore, ["Job"])):
            all_ = rendered(manifests.merged(values, more))
            for kind in kinds:
                for name in all_.kind(kind):
                    args = all_.pod(f"{kind}/{name}").main.get("args", [])
                    if args[:1] != ["backups"]:
                        continue
                    command = backups.commands[args[1]]
                    known = {each for parameter in command.params for each in parameter.opts}
                    assert {each.partition("=")[0] for each in args[2:]} <= known
