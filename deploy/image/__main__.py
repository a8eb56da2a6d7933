"""`python -m deploy.image [TAG]`: build the image with podman or docker; exit code 3 and one line where that fails."""

from __future__ import annotations

import subprocess
import sys

from deploy.image.base import base, wheels
from deploy.image.containers import Containers, NotPossible

TAG = "localhost/dugnad:built"


def build(tag: str = TAG) -> Containers:
    """The image under `tag`, and the program that made it. Raises NotPossible."""
    try:
        containers = Containers.find()
        stands_on = base(containers)
        containers.build(tag, stands_on, wheels() if containers.program == "podman" else None)
    except subprocess.TimeoutExpired as late:
        raise NotPossible(f"{late.cmd[0]} did not end within {late.timeout:.0f} s") from late
    return containers


if __name__ == "__main__":
    try:
        made = build(*sys.argv[1:2])
    except NotPossible as reason:
        print(f"no image: {reason}", file=sys.stderr)
        sys.exit(3)
    print(f"{made.program} built {(sys.argv[1:] or [TAG])[0]}")
