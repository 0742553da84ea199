"""AWS on loopback (moto's server), and Terraform on a copy of deploy/terraform, for real."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from running import Process, free_port, required, started, wait_for

ROOT = Path(__file__).parent.parent
TERRAFORM = ROOT / "deploy/terraform"
ENVIRONMENTS = ("dev", "staging", "prod")
ACCOUNT = "123456789012"
"""Moto's."""
REGION = "eu-central-1"
PROVIDER = "5.100.0"
MIRRORS = ("/opt/tf-plugins", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins")


class Emulator(Process):
    """Moto's server, with AWS' own policies, which roles name."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            command=[
                *(sys.executable, str(Path(__file__).with_name("mended_aws.py"))),
                *("--host", "127.0.0.1", "--port", str(self.port)),
            ],
            log=folder / "moto.log",
            env={"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        )

    def start(self) -> None:
        super().start()
        wait_for(self._listens, seconds=120, what=f"moto listening; its log:\n{self.output}")

    def _listens(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"moto ended with {self.popen.returncode}:\n{self.output}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    @property
    def environment(self) -> dict[str, str]:
        """What leads Terraform and boto3 there, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PROFILE": "",
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """Boto3's, for what somebody does past Terraform."""
        import boto3  # noqa: PLC0415 - only tests that emulate need it

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def program() -> str:
    """Terraform, where it and the provider are."""
    found = shutil.which("terraform")
    if found is None:
        required("terraform is not installed")
    if not any(_provider(Path(mirror)) for mirror in MIRRORS):
        required(f"Terraform's AWS provider {PROVIDER} is in none of {', '.join(MIRRORS)}")
    return found


def _provider(mirror: Path) -> bool:
    return any(mirror.glob(f"*/hashicorp/aws/{PROVIDER}"))


def settings(folder: Path) -> Path:
    """A file of Terraform's own settings, that takes the provider from this machine."""
    mirror = next(each for each in MIRRORS if _provider(Path(each)))
    file = folder / "terraform.rc"
    file.write_text(
        "disable_checkpoint = true\nprovider_installation {\n"
        f'  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    )
    return file


def tree(folder: Path) -> Path:
    """deploy/terraform as it is in the checkout, without anything that is not committed."""
    copy = folder / "deploy/terraform"
    shutil.copytree(
        TERRAFORM,
        copy,
        ignore=shutil.ignore_patterns(
            ".terraform*", "*.tfstate*", "*.tfvars", "*.tfbackend", "__pycache__"
        ),
    )
    return copy


@dataclass
class Workspace:
    """One root module, in a copy of the tree."""

    folder: Path
    terraform: str = field(default_factory=program)
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *arguments: str, codes: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.terraform, *arguments],
            cwd=self.folder,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))},
                "TF_CLI_CONFIG_FILE": str(settings(self.folder)),
                "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0",
                "TF_CLI_ARGS": "-no-color",
                **self.env,
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = re.sub(r"\s+", " ", done.stdout[-4000:] + done.stderr[-4000:])
        assert done.returncode in codes, f"terraform {' '.join(arguments)}: {said}"
        return done

    def init(self, *arguments: str) -> None:
        self.run("init", *(arguments or ("-backend=false",)))

    def variables(self, values: Mapping[str, Any]) -> None:
        """terraform.tfvars, as whoever runs it for an account writes it."""
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(values))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("show", "-json").stdout)
        return found

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("output", "-json").stdout)
        return found


def resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a module in a state and all below it."""
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from resources(child)


GIVEN: dict[str, Any] = {
    "account_id": ACCOUNT,
    "notify": ["platform@example.org"],
    "admins": [f"arn:aws:iam::{ACCOUNT}:role/platform"],
    "deployers": [f"arn:aws:iam::{ACCOUNT}:role/platform"],
    "ci": {"repository": "example/sightline", "branch": "main"},
    "api_cidrs": ["198.51.100.0/24"],
}
"""What one gives for an account."""


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    with started(Emulator(folder)) as server:
        yield server
