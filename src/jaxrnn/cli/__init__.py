"""The command line: `jaxrnn train`, `jaxrnn sample`, `jaxrnn bench`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; asks for the extra `app` where it is not installed."""
    try:
        from jaxrnn.cli.main import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("matplotlib", "orbax", "rich", "tyro"):
            raise
        print("error: the command line needs more: pip install 'jaxrnn[app]'", file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(run(sys.argv[1:]))
