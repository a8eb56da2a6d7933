"""`python -m deploy.cli`, or `./dugnad`.

Invariant: exit codes are 0 fine, 1 a fault was found, 2 wrong usage or not confirmed, 3 a dependency is down; an error
is one line on standard error that says what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from deploy.cli.arguments import parse
from deploy.cli.outcome import DOWN, FAULT, INTERRUPTED, USAGE, Fault, Usage, Wanting


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    options = parse(argv)
    # Here and not above: help and a misspelt verb must not wait for the libraries of brokers and databases.
    from deploy.cli.running import run

    try:
        return run(options)
    except Usage as wrong:
        return _say(wrong.message, USAGE)
    except Fault as fault:
        return _say(fault.message, FAULT)
    except Wanting as wanting:
        return _say(wanting.message, DOWN)
    except KeyboardInterrupt:
        return _say("interrupted: the same command goes on where it was", INTERRUPTED)


def _say(message: str, code: int) -> int:
    print(f"dugnad: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
