"""The guide for operators, held against the commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from deploy.cli.arguments import parse
from deploy.cli.context import projection_named, projections_of
from deploy.cli.running import _VERBS

GUIDE = Path(__file__).parents[3] / "docs" / "operations.md"
COMMANDS = re.findall(r"^\./dugnad (.+)$", GUIDE.read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_guide_is_understood(command: str) -> None:
    options = parse(shlex.split(command))
    target = getattr(options, "projection", None) or getattr(options, "target", None)
    if target is not None and "/" in target:
        projection_named(target)
    elif target is not None:
        assert projections_of(target)


def test_the_guide_shows_every_verb() -> None:
    shown = {(each.verb, getattr(each, "action", None)) for each in map(parse, map(shlex.split, COMMANDS))}
    assert shown == set(_VERBS)
