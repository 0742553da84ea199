"""Make an API key: python -m access ID ROLE...

The key goes to stdout, once; the entry for the file of keys to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from access.errors import KeysError
from access.keys import new_key
from access.roles import ROLES


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 made, 2 the command line is wrong."""
    parser = argparse.ArgumentParser(prog="python -m access", description="Make an API key.")
    parser.add_argument("id", help="whose key it is, such as drone-7")
    parser.add_argument("roles", nargs="+", choices=ROLES, metavar="role", help=", ".join(ROLES))
    asked = parser.parse_args(argv)
    try:
        key, entry = new_key(asked.id, tuple(dict.fromkeys(asked.roles)))
    except KeysError as error:
        parser.error(str(error))
    sys.stdout.write(key + "\n")
    sys.stderr.write(entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
