"""Write the contract's JSON Schemas into a folder: python -m sightline.messages FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sightline.messages.schema import json_schemas


def main(folder: Path) -> None:
    """One file per document."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in json_schemas().items():
        text = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
