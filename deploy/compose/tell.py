"""Say where everything of `make dev` is, and how to log in.

No secret is printed, only the file that it is in: a terminal's scrollback is not a safe.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ.get("SIGHTLINE_DEV_FOLDER", "var/dev"))


def address(name: str, port: int) -> str:
    """Of a published port."""
    return f"http://127.0.0.1:{os.environ.get(f'SIGHTLINE_DEV_{name}_PORT', port)}"


def lines() -> list[str]:
    """What to print."""
    secrets = FOLDER / "secrets"
    key = f"$(cat {secrets}/operator-key)"
    return [
        f"map           {address('GATEWAY', 8001)}/   with the key in {secrets}/operator-key",
        f"gateway       {address('GATEWAY', 8001)}/v1/sinks",
        f"detection     {address('DETECTION', 8000)}/v1/models",
        f'              curl -H "Authorization: Bearer {key}" ADDRESS',
        f"Grafana       {address('GRAFANA', 3000)}   as admin, with {secrets}/grafana-password",
        f"Prometheus    {address('PROMETHEUS', 9090)}",
        f"Alertmanager  {address('ALERTMANAGER', 9093)}",
        f"TAK           {address('TAK', 8089).replace('http', 'tls')}   for your ATAK or WinTAK:",
        "              docker compose cp tak:/var/lib/packages/operator.zip .",
        "drones        make dev PROFILES=demo",
        "then          make dev-logs, make dev-down, make dev-reset (forgets everything)",
    ]


if __name__ == "__main__":
    print("\n".join(lines()))
