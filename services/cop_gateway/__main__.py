"""`sightline-cop-gateway`, or `python -m cop_gateway`.

Exit codes: 0 stopped by a signal; 1 cannot listen, or failed while starting; 2 a setting is
refused; 143 ended by SIGTERM before it served.
"""

from serving import termination


def main() -> int:
    """Start the gateway and answer until a signal comes; gives the exit code."""
    termination.heed()
    from cop_gateway.process import run  # noqa: PLC0415 - half of the start is imports

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
