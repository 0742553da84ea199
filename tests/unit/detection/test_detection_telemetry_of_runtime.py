"""What runs the models says nothing of it to anybody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sightline.demo.model import demo_model

LOOK = """
import sys, time
import detection.models.model
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
time.sleep(0.5)
"""


@pytest.mark.parametrize(
    "command", [("-c", LOOK, str(demo_model())), ("-m", "sightline.cli.main", "doctor")],
    ids=["the service", "sightline doctor"],
)  # fmt: skip
def test_onnx_runtime_keeps_no_device_id_and_makes_no_report(command, tmp_path):
    """From 1.32 on it would: an id and a database of events in the home folder, sent by HTTPS."""
    home = tmp_path / "home"
    home.mkdir()
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))
    }
    done = subprocess.run(
        [sys.executable, *command],
        env={**env, "HOME": str(home)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
