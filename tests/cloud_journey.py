"""One environment's way through an account: made, looked at, spoilt, mended, taken down."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_emulator import ACCOUNT, GIVEN, REGION, Emulator, Workspace, resources, tree

NO_CHANGES, CHANGES = 0, 2
"""Of `terraform plan -detailed-exitcode`."""
SOMEBODY = {
    "ID": "11111111-2222-3333-4444-555555555555",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "somebody@elsewhere",
    "Version": "1.11.4",
    "Created": "2026-11-26T00:00:00Z",
    "Path": "",
}


@dataclass
class Journey:
    """What happened, for tests to look at."""

    environment: str
    seconds: dict[str, float] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    second_plan: int = -1
    second_plan_says: str = ""
    locked: str = ""
    drift: int = -1
    drift_says: str = ""
    mended: bool = False
    protected: str = ""
    stopped: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - start, 1)

    @property
    def resources(self) -> list[dict[str, Any]]:
        found = resources(self.state["values"]["root_module"])
        return [each for each in found if each["mode"] == "managed"]


def backend(emulator: Emulator, environment: str) -> str:
    """A bucket for the state, as bootstrap makes it, and what init is told of it."""
    bucket = f"sightline-{environment}-state-{ACCOUNT}"
    emulator.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return f'bucket = "{bucket}"\nregion = "{REGION}"\n'


def travel(environment: str, emulator: Emulator, folder: Path) -> Journey:
    """All of it. Steps that go wrong for another reason than what is tried raise."""
    journey = Journey(environment=environment)
    workspace = Workspace(tree(folder) / "environments" / environment, env=emulator.environment)
    (workspace.folder / "state.tfbackend").write_text(backend(emulator, environment))
    workspace.variables(GIVEN | {"emulated": True})
    workspace.init("-backend-config=state.tfbackend")
    with journey.timed("apply"):
        workspace.run("apply", "-auto-approve", "-parallelism=30")
    journey.state = workspace.state()
    journey.outputs = workspace.outputs()
    with journey.timed("second plan"):
        plan = _plan(workspace)
    journey.second_plan, journey.second_plan_says = plan
    # All else would be about what the second plan finds.
    assert journey.second_plan == NO_CHANGES, f"{environment}: {journey.second_plan_says}"
    _lock(journey, workspace, emulator)
    _spoil(journey, workspace, emulator)
    _protect(journey, workspace, emulator)
    with journey.timed("destroy"):
        _destroy(journey, workspace, emulator)
    left = resources(workspace.state().get("values", {}).get("root_module", {}))
    journey.left = [each["address"] for each in left]
    return journey


def _plan(workspace: Workspace) -> tuple[int, str]:
    done = workspace.run("plan", "-detailed-exitcode", codes=(NO_CHANGES, CHANGES))
    lines = [each for each in done.stdout.splitlines() if "Refreshing state" not in each]
    return done.returncode, "\n".join(lines)


def _lock(journey: Journey, workspace: Workspace, emulator: Emulator) -> None:
    """While somebody else has the state's lock, nothing is done."""
    environment = journey.environment
    s3 = emulator.client("s3")
    where = {
        "Bucket": f"sightline-{environment}-state-{ACCOUNT}",
        "Key": f"{environment}.tfstate.tflock",
    }
    s3.put_object(Body=json.dumps(SOMEBODY).encode(), **where)
    done = workspace.run("apply", "-auto-approve", "-lock-timeout=0s", codes=(1,))
    journey.locked = done.stderr
    s3.delete_object(**where)


def _spoil(journey: Journey, workspace: Workspace, emulator: Emulator) -> None:
    """Somebody opens the bucket by hand; the plan tells, the apply mends it."""
    bucket = journey.outputs["sightline"]["value"]["backups"]["bucket"]
    s3 = emulator.client("s3")
    s3.delete_public_access_block(Bucket=bucket)
    with journey.timed("plan with drift"):
        journey.drift, journey.drift_says = _plan(workspace)
    with journey.timed("mend"):
        workspace.run("apply", "-auto-approve", "-parallelism=30")
    found: Mapping[str, Any] = s3.get_public_access_block(Bucket=bucket)
    journey.mended = all(found["PublicAccessBlockConfiguration"].values())


def _protect(journey: Journey, workspace: Workspace, emulator: Emulator) -> None:
    """A destroy stops at the database, until somebody has taken its protection away by hand."""
    name = f"sightline-{journey.environment}"
    rds = emulator.client("rds")
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    if not instance["DeletionProtection"]:
        return
    target = "-target=module.platform.module.rds.aws_db_instance.this"
    done = workspace.run("destroy", "-auto-approve", target, codes=(1,))
    journey.protected = done.stderr
    rds.modify_db_instance(
        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
    )


def _destroy(journey: Journey, workspace: Workspace, emulator: Emulator) -> None:
    """It stops at what S3 wrote of who read what, until somebody has emptied that."""
    done = workspace.run("destroy", "-auto-approve", "-parallelism=30", codes=(0, 1))
    journey.stopped = sorted(set(re.findall(r"deleting S3 Bucket \(([^)]+)\)", done.stderr)))
    refused = len(re.findall(r"^Error: ", done.stderr, re.MULTILINE))
    assert refused == done.stderr.count("BucketNotEmpty"), done.stderr
    for bucket in journey.stopped:
        s3 = emulator.client("s3", region_of(bucket))
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for each in (each for page in pages for each in page.get("Versions", ())):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    if journey.stopped:
        workspace.run("destroy", "-auto-approve", "-parallelism=30")


def region_of(bucket: str) -> str:
    return "eu-west-1" if "-replica" in bucket else REGION


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What became of bootstrap and its state."""

    bucket: str
    refused: str
    policy: str
    kept: bytes
    drift: str


BACKEND = """\
terraform {
  backend "s3" {
    key          = "bootstrap.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
"""


def bootstrap(emulator: Emulator, folder: Path) -> Moved:
    """As the tutorial does it: the state is moved into the bucket that was made with it."""
    workspace = Workspace(tree(folder) / "bootstrap", env=emulator.environment)
    workspace.variables({"environment": "dev", "account_id": ACCOUNT, "emulated": True})
    workspace.init()
    workspace.run("apply", "-auto-approve")
    told = workspace.run("output", "-raw", "backend").stdout
    refused = workspace.run("destroy", "-auto-approve", codes=(1,))
    # The emulator takes no notice of conditions: to it, "without TLS" is everybody.
    bucket = f"sightline-dev-state-{ACCOUNT}"
    s3 = emulator.client("s3")
    policy: str = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    (workspace.folder / "backend.tf").write_text(BACKEND)
    (workspace.folder / "state.tfbackend").write_text(told)
    workspace.init("-migrate-state", "-force-copy", "-backend-config=state.tfbackend")
    return Moved(
        bucket=bucket,
        refused=refused.stderr,
        policy=policy,
        kept=s3.get_object(Bucket=bucket, Key="bootstrap.tfstate")["Body"].read(),
        drift=_plan(workspace)[1],
    )
