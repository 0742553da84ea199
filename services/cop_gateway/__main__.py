"""`sightline-cop-gateway`, or `python -m cop_gateway`; with `migrate`, see `cop_gateway.migration`.

Exit codes: 0 stopped by a signal; 1 cannot listen, or failed while starting; 2 a setting is
refused; 143 ended by SIGTERM before it served.
"""

import sys

from serving import termination


def main() -> int:
    """Start the gateway and answer until a signal comes; gives the exit code."""
    termination.heed()
    if sys.argv[1:2] == ["migrate"]:
        from cop_gateway import migration  # noqa: PLC0415 - half of the start is imports

        return migration.run(sys.argv[2:])
    from cop_gateway.process import run  # noqa: PLC0415 - half of the start is imports

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
