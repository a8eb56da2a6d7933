"""`python -m deploy.cli`, or `./dugnad`.

Invariant: exit codes are 0 fine, 1 a fault was found, 2 wrong usage or not confirmed, 3 a dependency is down; an error
is one line on standard error that says what to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from deploy.cli.arguments import parse
from deploy.cli.outcome import DOWN, FAULT, INTERRUPTED, OK, USAGE, Fault, Usage, Wanting, fault_of


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    options = parse(argv)
    # Here and not above: help and a misspelt verb must not wait for the libraries of brokers and databases.
    from deploy.cli.running import run

    try:
        code = run(options)
        sys.stdout.flush()
        return code
    except Usage as wrong:
        return _say(wrong.message, USAGE)
    except Fault as fault:
        return _say(fault.message, FAULT)
    except Wanting as wanting:
        return _say(wanting.message, DOWN)
    except BrokenPipeError:
        # Whoever reads (`| head`) has seen enough. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return _say("interrupted: the same command goes on where it was", INTERRUPTED)
    except Exception as unforeseen:  # the edge of the program: a traceback would quote data, and end with any code
        return _say(f"a fault in the program: {fault_of(unforeseen)}", FAULT)


def _say(message: str, code: int) -> int:
    print(f"dugnad: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
