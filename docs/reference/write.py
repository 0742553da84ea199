"""Write the pages of this folder that come from the code: python docs/reference/write.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

import cop_gateway.app
import cop_gateway.settings
import detection.app
import detection.settings
from detection.layouts import LAYOUTS
from detection.layouts.layout import Preparation
from detection.models.manifest import Entry
from series import metrics_page
from serving.reference import settings_page
from sightline import environments
from sightline.messages.__main__ import main as write_schemas

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

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


MAKERS = {
    "yolov8": "Ultralytics YOLOv8, 9, 11, 12: `[1, 4 + labels, n]`",
    "yolov5": "YOLOv5, YOLOv7: `[1, n, 5 + labels]`",
    "yolov6": "YOLOv6: the same, with objectness 1",
    "yolox": "YOLOX: the same, boxes relative to the cells of its feature maps",
    "yolox_decoded": "YOLOX exported with its boxes in pixels",
    "end2end": "YOLOv10, YOLO26, exports with `nms=True`: `[1, n, 6]`",
    "rtdetr": "Ultralytics RT-DETR: `[1, n, 4 + labels]`",
    "rtdetr_topk": "the same, the best picked already: `[1, n, 6]`",
    "dfine": "D-FINE, DEIM, lyuwenyu's RT-DETR: `labels`, `boxes`, `scores`, and the input"
    " `orig_target_sizes`",
    "rfdetr": "RF-DETR: `dets` and `labels`",
    "hf_detr": "DETR, YOLOS and others of transformers: `logits` (one for no object), `pred_boxes`",
    "hf_rtdetr": "RT-DETR, D-FINE and others of transformers: `logits`, `pred_boxes`",
    "tf_ssd": "TensorFlow's object detection by tf2onnx: `detection_boxes` and its fellows",
    "torchvision": "torchvision's detectors: `boxes`, `labels`, `scores`",
}
"""Whose models are of each layout, and how they write their boxes."""


def models() -> str:
    """The page about models, with its tables as the code has them; its words are written there."""
    page = (HERE / "models.md").read_text(encoding="utf-8")
    tables = {
        "fields": settings_page(Entry, prefix=None).replace("### `[pixels]`", "### `pixels`"),
        "layouts": layouts(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name}: by `make reference` -->\n", f"<!-- end of {name} -->\n"
        block = f"{begin}\n{table.strip()}\n\n{end}"
        page, count = re.subn(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _, new=block: new,
            page,
            flags=re.DOTALL,
        )
        assert count == 1, f"models.md has {count} places for {name}"
    return page


def layouts() -> str:
    """Every layout, and what its models want of an image."""
    lines = ["| layout | whose | image | value of a pixel | suppresses itself |", "|---" * 5 + "|"]
    for name, layout in LAYOUTS.items():
        wish = layout.preparation
        image = f"{wish.fit.replace('_', ' ')}, {wish.colours}"
        own = "yes" if layout.suppressed else "no"
        lines.append(f"| `{name}` | {MAKERS[name]} | {image} | {value(wish)} | {own} |")
    return "\n".join(lines)


def value(wish: Preparation) -> str:
    """What becomes of a pixel of 0..255."""
    plain = {1.0: "0..255", 1 / 255: "0..1"}[wish.scale]
    return plain if wish.mean is None else f"{plain}, less ImageNet's mean, by its deviation"


def openapi() -> dict[str, dict[str, Any]]:
    """Each service's own description, as it answers GET /v1/openapi.json."""
    return {
        "detection": detection.app.description(),
        "cop-gateway": cop_gateway.app.description(),
    }


ENVIRONMENTS = """# Environments

Written from the code by `make reference`; do not edit.

`environments/NAME.yaml` says what commands must know of a place that Sightline runs in; `--env
NAME` (or `SIGHTLINE_ENV`) names it, and an option of the command goes before what the file says.
`sightline init` writes a new one. What the file holds is checked before anything is done: a name
that is not known here, a value beyond its limit, a values file that does not exist.
`environments/schema.json` is the same for editors. Paths are relative to the checkout. Secrets are
never in it, only the names of their files.

From Python: `sightline.environments.load("prod", root=Path("."))` gives an
`sightline.environments.Environment`.

`name` is required, and is the file's. `key_file` names a file with an API key of both services (by
default the cluster's Secret `sightline-deployer` is asked); `gateway_url` is where users reach the
gateway: `doctor` looks up its name and its certificate. `probe_url` is asked all the while a switch
is made, such as the `/health` of the gateway's `-active` Service where it can be reached from here.

"""
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "cluster": environments.Place,
    "chart": environments.Chart,
    "images": environments.Images,
    "guards": environments.Guards,
    "approvals": environments.Approvals,
    "git": environments.Git,
    "watch": environments.Watching,
    "grafana": environments.Grafana,
    "backups": environments.Backups,
    "secrets": environments.Secrets,
}


def environments_page() -> str:
    """The page about environments' files."""
    parts = [
        f"## `{name}`\n\n" + settings_page(kind, prefix=None) for name, kind in SECTIONS.items()
    ]
    return (ENVIRONMENTS + "".join(parts)).rstrip("\n") + "\n"


def environments_schema() -> str:
    """For editors: what a file may hold."""
    schema = msgspec.json.schema(environments.Environment)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_schemas(HERE / "schema")
    (HERE / "settings.md").write_text(settings(), encoding="utf-8")
    (HERE / "models.md").write_text(models(), encoding="utf-8")
    (HERE / "metrics.md").write_text(metrics_page(), encoding="utf-8")
    (HERE / "environments.md").write_text(environments_page(), encoding="utf-8")
    (ROOT / environments.FOLDER / "schema.json").write_text(environments_schema(), encoding="utf-8")
    (HERE / "openapi").mkdir(exist_ok=True)
    for name, described in openapi().items():
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        (HERE / "openapi" / f"{name}.json").write_text(text, encoding="utf-8")
