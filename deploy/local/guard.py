"""Run as a script: becomes the command after `--`, tied to the process that started it.

Invariant: an engine or service never outlives its starter, also where that one was killed and could clean up nothing.
Only Linux offers this; elsewhere the command runs without it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """`guard.py <pid of the starter> -- command …`"""
    starter, _, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # The starter may have died before the line above took hold.
        if os.getppid() != int(starter):
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
