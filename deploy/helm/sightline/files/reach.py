"""What `helm test` runs in the image of a service: reach.py URL [GUARDED_PATH].

Ready within a minute, and there a call without a key is refused. Exit code 0, or 1 and the reason.
"""

import http.client
import sys
import time
import urllib.error
import urllib.request

SECONDS = 60.0


def status(url: str) -> int:
    """Of one GET; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - its own argument
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException) as error:
        print(f"{url}: {error!r}", file=sys.stderr)
        return 0


def main(base: str, guarded: str | None = None) -> str | None:
    """Ask; gives what is wrong."""
    until = time.monotonic() + SECONDS
    while (ready := status(f"{base}/ready")) != http.HTTPStatus.OK:
        if time.monotonic() > until:
            return f"{base}/ready answers {ready or 'nothing'}"
        time.sleep(1)
    if guarded is not None and (said := status(base + guarded)) != http.HTTPStatus.UNAUTHORIZED:
        return f"{base}{guarded} answers {said} to somebody without a key, and not 401"
    print(f"{base} is ready")
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
