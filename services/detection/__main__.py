"""`sightline-detection`, or `python -m detection`.

Exit codes: 0 stopped by a signal; 1 cannot listen, or failed while starting; 2 a setting or a
model is refused; 143 ended by SIGTERM before it served.
"""

from serving import termination


def main() -> int:
    """Start the service and answer until a signal comes; gives the exit code."""
    termination.heed()
    from detection.process import run  # noqa: PLC0415 - half of the start is imports

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
