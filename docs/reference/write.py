"""Write the pages of this folder that come from the code: python docs/reference/write.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cop_gateway.app
import cop_gateway.settings
import detection.app
import detection.settings
from serving.reference import settings_page
from sightline.messages.__main__ import main as write_schemas

HERE = Path(__file__).parent

HEAD = """# Settings

Written from the code by `make reference`; do not edit.

Both services read a TOML file (`--config FILE`), then variables, then `--host` and `--port`; what
comes later goes before. A secret is named by its file: `NAME_FILE=/run/secrets/x` sets `NAME` to
what that file holds. A list of tables can be set as JSON, too. A name that no setting has is
refused at the start, with exit code 2, and so is a value beyond its limit. `SIGHTLINE_VERSION`
and `SIGHTLINE_COLOUR` mark the log lines and metrics of both.

"""


def settings() -> str:
    """The page of settings."""
    gateway, detector = cop_gateway.settings, detection.settings
    return (
        HEAD
        + "## Detection service: `sightline-detection`\n\n"
        + settings_page(detector.Settings, prefix=detector.PREFIX)
        + "## CoP gateway: `sightline-cop-gateway`\n\n"
        + settings_page(gateway.Settings, prefix=gateway.PREFIX)
    ).rstrip("\n") + "\n"


def openapi() -> dict[str, dict[str, Any]]:
    """Each service's own description, as it answers GET /v1/openapi.json."""
    return {
        "detection": detection.app.description(),
        "cop-gateway": cop_gateway.app.description(),
    }


if __name__ == "__main__":
    write_schemas(HERE / "schema")
    (HERE / "settings.md").write_text(settings(), encoding="utf-8")
    (HERE / "openapi").mkdir(exist_ok=True)
    for name, described in openapi().items():
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        (HERE / "openapi" / f"{name}.json").write_text(text, encoding="utf-8")
