"""Runs matching as a process of its own."""

from __future__ import annotations

from chassis.server import run
from chassis.settings import Settings
from services.matching.app import create_app

if __name__ == "__main__":
    run(create_app, Settings(), name="matching")
