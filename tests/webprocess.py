"""The tiny service as a process of its own: `python -m tests.webprocess`."""

from __future__ import annotations

import os

from fastapi import FastAPI

from chassis.server import run
from chassis.settings import Settings
from tests.webapp import StillService, thing_app


def create_app(settings: Settings) -> FastAPI:
    """The tiny service; `THING_DOWN` is what it cannot reach."""
    service = StillService(settings)
    service.down = os.environ.get("THING_DOWN")
    return thing_app(service)


if __name__ == "__main__":
    run(create_app, Settings(), name="thing")
