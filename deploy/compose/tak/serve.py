"""Serve TAK over TLS: certificates and data packages at the first start, then taky itself.

/var/lib/tak is the server's own folder, /var/lib/packages what it hands out: a data package for the
gateway, and one for a person's ATAK, WinTAK or iTAK.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

SITE = Path("/var/lib/tak")
PACKAGES = Path("/var/lib/packages")
NEW = SITE / "new"
CONFIGURATION = SITE / "taky.conf"
CLIENTS = ("gateway", "operator")


def takyctl(*arguments: str) -> None:
    """Have taky's own tool do it; it talks of passwords, so that nobody listens."""
    subprocess.run(["takyctl", *arguments], cwd=SITE, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Prepare what is missing, and become taky."""
    os.umask(0o077)
    if not CONFIGURATION.exists():
        # A try that was cut off leaves half of it there.
        shutil.rmtree(NEW, ignore_errors=True)
        takyctl(
            "setup", "--host", os.environ["TAK_HOST"], "--public-ip", os.environ["TAK_PUBLIC_IP"],
            "--p12_pw", secrets.token_hex(16), str(NEW),
        )  # fmt: skip
        # Last its configuration: with it, the rest is there.
        for each in sorted(NEW.iterdir(), key=lambda path: path.name == CONFIGURATION.name):
            target = SITE / each.name
            if target.is_dir():
                shutil.rmtree(target)
            each.rename(target)
        NEW.rmdir()
    for client in CLIENTS:
        package = PACKAGES / f"{client}.zip"
        if not package.exists():
            takyctl("-c", str(CONFIGURATION), "build_client", "--p12_pw",
                    secrets.token_hex(16), client)  # fmt: skip
            part = package.with_suffix(".part")
            shutil.move(SITE / package.name, part)
            part.rename(package)
    os.execvp("taky", ["taky", "-c", str(CONFIGURATION), "-l", "info"])


if __name__ == "__main__":
    main()
