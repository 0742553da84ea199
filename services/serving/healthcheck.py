"""What a container engine asks: python -m serving.healthcheck PORT_VARIABLE [PATH].

Exit code 0 where this container's service answers 200 at PATH (/ready), else 1, and the reason in
one line. The variable holds the service's port.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

SECONDS = 2.5
_READY = "/ready"
_LINE = 300


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Ask once; gives the exit code."""
    variable, path = argv[0], argv[1] if len(argv) > 1 else _READY
    connection = http.client.HTTPConnection("127.0.0.1", int(environ[variable]), timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(_LINE).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        said = f"{path}: {error!r}"
    else:
        said = f"{answer.status} {said}"
        if answer.status == http.HTTPStatus.OK:
            return 0
    finally:
        connection.close()
    print(said, file=sys.stderr)  # noqa: T201 - the engine keeps it as the check's output
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
