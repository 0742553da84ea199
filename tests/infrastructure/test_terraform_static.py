"""deploy/terraform as it is read: laid out, valid, described, without wildcards, explained."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from cloud import costs, pages, readmes
from cloud.hcl import Block, blocks, keys
from cloud_emulator import ENVIRONMENTS, PROVIDER, ROOT, TERRAFORM, Workspace, program, tree
from running import required

MODULES = tuple(TERRAFORM / each for each in readmes.folders())
FOLDERS = (*MODULES, *(TERRAFORM / "environments" / each for each in ENVIRONMENTS))
SKIP = re.compile(r"# checkov:skip=(?P<check>CKV2?_AWS_\d+): ?(?P<why>.*)")


def of_kind(kind: str) -> list[Block]:
    return [each for folder in FOLDERS for each in blocks(folder) if each.kind == kind]


def test_every_file_is_laid_out_as_terraform_does():
    done = subprocess.run(
        [program(), f"-chdir={TERRAFORM}", "fmt", "-check", "-recursive", "-diff"],
        env=os.environ | {"TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("root", ["bootstrap", "environments/prod"])
def test_it_is_valid(root, tmp_path):
    workspace = Workspace(tree(tmp_path) / root)
    workspace.init()
    assert json.loads(workspace.run("validate", "-json").stdout)["diagnostics"] == []


def test_modules_keep_their_promises_and_refuse_what_breaks_them(tmp_path):
    """`terraform test`, with a mocked provider: what the emulator lacks, too."""
    workspace = Workspace(tree(tmp_path) / "modules/platform")
    workspace.init()
    done = workspace.run("test")
    passed = re.search(r"Success! (\d+) passed, 0 failed\.", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 50


def test_every_module_pins_the_provider_exactly():
    for folder in FOLDERS:
        text = "".join(each.read_text() for each in folder.glob("*.tf"))
        assert re.findall(r'(?<!_)version += "([^"]+)"', text) == [PROVIDER], folder
        assert 'required_version = ">= 1.10"' in text


def test_readmes_and_tables_are_those_of_the_code():
    for path, text in pages.written().items():
        assert path.read_text() == text, f"{path}: run `make terraform-reference` and commit"


def test_everything_that_is_taken_or_given_is_described():
    for each in (*of_kind("variable"), *of_kind("output")):
        assert len(each.text("description")) > 8, f"{each.file}: {each.name}"
    for each in of_kind("variable"):
        assert each.argument("type"), f"{each.file}: {each.name}"


def test_a_refusal_is_a_sentence_that_names_what_is_wrong():
    found = [
        (each, said)
        for each in (*of_kind("variable"), *of_kind("resource"))
        for said in each.sentences
    ]
    assert len(found) > 50
    for each, said in found:
        assert said.endswith((".", "}.")), said
        assert len(said.split()) >= 6, said
        if each.kind == "variable":
            assert each.name in said, f"{each.file}: {each.name}: {said}"


def test_a_refusal_of_the_tests_is_one_of_a_variable_or_resource_that_is_there():
    names = {f"var.{each.name}" for each in of_kind("variable")} | {
        each.name for each in of_kind("resource")
    }
    for file in TERRAFORM.rglob("*.tftest.hcl"):
        for expected in re.findall(r"expect_failures += \[([^\]]*)\]", file.read_text()):
            assert {each.strip() for each in expected.split(",")} <= names, file


def test_each_variable_that_refuses_something_has_a_test_that_it_does():
    tested = " ".join(file.read_text() for file in TERRAFORM.rglob("*.tftest.hcl"))
    refused = set(
        re.findall(
            r"var\.([a-z_]+)", " ".join(re.findall(r"expect_failures += \[([^\]]*)\]", tested))
        )
    )
    # Formats: what is wrong there, AWS or the next apply says as well.
    formats = {
        "account_id", "region", "name", "bucket", "class", "service_cidr", "nat",
        "storage_gb", "other_networks", "endpoint_zones", "insights_days", "images",
        "untagged_image_days", "pod_roles", "cold_days", "old_states_days", "environment",
    }  # fmt: skip
    for each in of_kind("variable"):
        if each.sentences and each.name not in formats:
            assert each.name in refused, f"{each.file}: no test has {each.name} refused"


def test_the_environments_take_the_same():
    taken = {
        environment: {
            each.name
            for each in blocks(TERRAFORM / "environments" / environment)
            if each.kind == "variable"
        }
        for environment in ENVIRONMENTS
    }
    assert taken["dev"] == taken["staging"]
    assert taken["prod"] - taken["dev"] == {"replica_region"}
    # A root module cannot share its variables with another: alike to the letter, then.
    files = [
        (TERRAFORM / "environments" / each / "variables.tf").read_text() for each in ENVIRONMENTS
    ]
    assert all(each.startswith(files[0].rstrip()) for each in files)


def test_no_policy_in_the_code_allows_everything_on_everything():
    """The real apply parses all of them; this finds one in a file at once."""
    for file in TERRAFORM.rglob("*.tf"):
        text = file.read_text()
        for said in re.findall(r'Effect += "Allow".{0,700}?Resource += [^\n]*', text, re.DOTALL):
            if re.search(r'Resource += "\*"', said):
                actions = re.findall(r'"([a-z0-9-]+:[A-Za-z*]+)"', said)
                assert "boundary" in file.name or not [each for each in actions if "*" in each], (
                    file
                )
            assert 'Action   = "*"' not in said, file


def test_sizes_are_growing_and_known():
    for row in costs.rows():
        if row["setting"].startswith(
            ("node_m", "database_storage", "database_backup", "log_days", "lock_days")
        ):
            numbers = [float(row[each]) for each in ENVIRONMENTS]
            assert numbers == sorted(numbers), row
    for environment in ENVIRONMENTS:
        size = costs.sizes(environment)
        assert float(size["budget_usd"]) > costs.total(environment), (
            f"{environment} is over its budget from the first day"
        )
        most = costs.total(environment, size | {"node_desired": size["node_max"]})
        assert float(size["budget_usd"]) >= most * 0.8, (
            f"{environment}: the autoscaler alone would break the budget"
        )


def test_more_of_anything_costs_more():
    size = costs.sizes("prod")
    for change in (
        {"node_desired": "9"},
        {"node_type": "m7i.2xlarge"},
        {"database_storage_gb": "400"},
    ):
        assert costs.total("prod", size | change) > costs.total("prod")
    for change in (
        {"nat": "one"},
        {"database_multi_az": "false"},
        {"replicated": "false"},
        {"endpoint_zones": "1"},
    ):
        assert costs.total("prod", size | change) < costs.total("prod")


def test_checkov_has_nothing_to_say_but_what_is_explained_beside_it():
    checkov = ROOT / ".cache/checks/bin/checkov"
    if not checkov.exists():
        required("checkov is not there: make tools")
    done = subprocess.run(
        [
            *(checkov, "--directory", TERRAFORM, "--framework", "terraform"),
            *("--skip-download", "--quiet", "--output", "json"),
        ],
        capture_output=True, text=True, check=False, env=dict(os.environ, LOG_LEVEL="ERROR"),
    )  # fmt: skip
    found = json.loads(done.stdout)
    failed = {
        f"{each['check_id']} {each['resource']}: {each['check_name']}"
        for each in found["results"]["failed_checks"]
    }
    assert failed == set(), "\n".join(sorted(failed))
    assert found["summary"]["passed"] > 150, "it looked at nothing"
    assert found["summary"]["skipped"] < 30


def test_every_skip_says_why():
    found = [
        (file, match["check"], match["why"])
        for file in TERRAFORM.rglob("*.tf")
        for match in SKIP.finditer(file.read_text())
    ]
    assert found
    assert all(len(why.split()) >= 5 for _, _, why in found), found


def test_keys_of_an_output_are_read():
    (output,) = (
        each
        for each in blocks(TERRAFORM / "modules/platform")
        if each.kind == "output" and each.name == "sightline"
    )
    assert {"region", "database.cidrs", "backups.lock_mode"} <= set(keys(output))


def test_blocks_are_read_as_written(tmp_path: Path):
    (tmp_path / "a.tf").write_text(
        'variable "size" {\n  description = "How \\"large\\"."\n'
        "  type = object({\n    a = string\n  })\n  default = {}\n\n"
        "  validation {\n    condition     = true\n"
        '    error_message = "size is ${join(", ", var.size)}: no."\n  }\n}\n'
    )
    (block,) = blocks(tmp_path)
    assert block.text("description") == 'How "large".'
    assert block.argument("type") == "object({ a = string })"
    assert block.argument("default") == "{}"
    assert block.sentences == ('size is ${join(", ", var.size)}: no.',)
