"""Every environment, applied for real against AWS on loopback."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from cloud import outputs
from cloud_emulator import ACCOUNT, ENVIRONMENTS, REGION, ROOT, emulator, program
from cloud_journey import CHANGES, NO_CHANGES, Journey, Moved, bootstrap, travel
from figures import record_figure

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

AT_ONCE = int(os.environ.get("SIGHTLINE_TERRAFORM_AT_ONCE", "3"))
"""An apply mostly waits; where other work needs the processors, 1."""
CHOSEN = os.environ.get("SIGHTLINE_TERRAFORM_ENVIRONMENTS", ",".join(ENVIRONMENTS)).split(",")
EVERYTHING_WITH_REASON = {"ecr:GetAuthorizationToken": "ECR knows no resource for it"}


@dataclass(frozen=True, kw_only=True)
class Travelled:
    """All at once: most of each is waiting."""

    journeys: dict[str, Journey]
    bootstrap: Moved


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Travelled:
    program()
    folders = {each: tmp_path_factory.mktemp(each) for each in (*CHOSEN, "bootstrap")}

    def one(environment: str) -> Journey:
        with emulator(folders[environment]) as server:
            return travel(environment, server, folders[environment])

    def first() -> Moved:
        with emulator(folders["bootstrap"]) as server:
            return bootstrap(server, folders["bootstrap"])

    with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as beside:
        moved = beside.submit(first)
        waiting = {each: pool.submit(one, each) for each in CHOSEN}
        return Travelled(
            journeys={each: future.result() for each, future in waiting.items()},
            bootstrap=moved.result(),
        )


@pytest.fixture(scope="module")
def journeys(travelled: Travelled) -> dict[str, Journey]:
    found = travelled.journeys
    for environment, journey in found.items():
        record_figure(f"terraform {environment} resources", len(journey.resources), "")
        for what, seconds in journey.seconds.items():
            record_figure(f"terraform {environment} {what}", seconds)
    return found


@pytest.fixture(params=CHOSEN)
def journey(journeys: dict[str, Journey], request: pytest.FixtureRequest) -> Journey:
    return journeys[request.param]


def statements(journey: Journey) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every policy that was really made."""
    for each in journey.resources:
        for name in ("policy", "assume_role_policy"):
            text = each["values"].get(name)
            if not text or each["type"] == "aws_ecr_lifecycle_policy":
                continue
            said = json.loads(text)["Statement"]
            for statement in said if isinstance(said, list) else [said]:
                yield each["address"], statement


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_a_second_plan_has_nothing_to_do(journey):
    assert journey.second_plan == NO_CHANGES, journey.second_plan_says


def test_what_somebody_changed_by_hand_is_told_and_mended(journey):
    assert journey.drift == CHANGES
    assert "aws_s3_bucket_public_access_block.backups" in journey.drift_says
    assert re.search(r"Plan: 1 to add, 0 to change, 0 to destroy|1 to change", journey.drift_says)
    assert journey.mended


def test_nothing_is_left_after_a_destroy(journey):
    assert journey.left == []


def test_a_destroy_stops_at_buckets_that_hold_something(journey):
    """Of which here only those for access logs do: the emulator writes them as AWS does."""
    assert all(each.endswith("-logs") for each in journey.stopped)
    assert f"sightline-{journey.environment}-backups-{ACCOUNT}-logs" in journey.stopped


def test_nobody_applies_while_somebody_else_does(journey):
    assert "Error acquiring the state lock" in journey.locked
    assert "somebody@elsewhere" in journey.locked


def test_a_destroy_stops_at_a_protected_database(journey):
    if journey.environment == "dev":
        assert journey.protected == ""
    else:
        assert "protection" in journey.protected.lower()


def test_no_policy_has_a_wildcard_that_is_not_explained(journey):
    looked_at = 0
    for address, statement in statements(journey):
        if statement["Effect"] != "Allow":
            continue
        looked_at += 1
        actions = listed(statement.get("Action", []))
        assert "NotAction" not in statement, address
        assert "*" not in actions, address
        if address.endswith("aws_iam_policy.boundary"):
            # Grants nothing: it is the most that policies may grant.
            continue
        everything = "*" in listed(statement.get("Resource", []))
        wide = [each for each in actions if each.endswith(":*")]
        if "aws_vpc_endpoint.s3" in address:
            assert not everything, address
            continue
        assert not wide, f"{address}: {wide}"
        of_itself = "aws_kms_key" in address or "aws_vpc_endpoint" in address
        if everything and not of_itself:
            assert set(actions) <= set(EVERYTHING_WITH_REASON), f"{address}: {actions}"
        if statement.get("Principal") in ("*", {"AWS": "*"}) and "aws_vpc_endpoint" not in address:
            pytest.fail(f"{address} lets in everybody")
    assert looked_at > 40


def test_every_role_has_the_boundary(journey):
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/sightline-{journey.environment}-boundary"
    roles = [each for each in journey.resources if each["type"] == "aws_iam_role"]
    assert len(roles) >= 8
    assert {each["values"]["permissions_boundary"] for each in roles} == {boundary}


def test_whatever_can_have_tags_has_ours(journey):
    expected = {
        "Project": "sightline",
        "Environment": journey.environment,
        "ManagedBy": "terraform",
    }
    tagged = [each for each in journey.resources if "tags_all" in each["values"]]
    assert len(tagged) > 60
    for each in tagged:
        assert expected.items() <= (each["values"]["tags_all"] or {}).items(), each["address"]


def test_the_outputs_become_values_of_the_chart(journey):
    given = journey.outputs["sightline"]["value"]
    made = outputs.values(given)
    assert made["image"]["registry"].endswith(f".amazonaws.com/sightline-{journey.environment}")
    assert made["backups"]["bucket"]["region"] == REGION
    assert len(made["networkPolicies"]["database"]) == 3
    text = (ROOT / f"environments/{journey.environment}.yaml").read_text()
    assert given["backups"]["bucket"] in outputs.environment_file(text, given, values_path="x.yaml")
    assert given["database"]["host"] in outputs.next_steps(given)


def test_prod_has_more_of_what_survives(journey):
    made = Counter(each["type"] for each in journey.resources)
    prod = journey.environment == "prod"
    assert made["aws_nat_gateway"] == (3 if prod else 1)
    assert made["aws_s3_bucket_replication_configuration"] == (1 if prod else 0)
    (database,) = (each for each in journey.resources if each["type"] == "aws_db_instance")
    assert database["values"]["multi_az"] == (journey.environment != "dev")


def test_bootstrap_moves_its_state_into_the_bucket_that_it_made(travelled):
    moved = travelled.bootstrap
    assert "prevent_destroy" in moved.refused
    assert json.loads(moved.kept)["outputs"]["bucket"]["value"] == moved.bucket
    # Its policy alone is missing, as the journey has seen to.
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in moved.drift
    assert "TlsOnly" in moved.policy
