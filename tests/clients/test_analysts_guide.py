"""`docs/analysts.md` says what the service does: its programs run, its tables are the code's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.places import ROOT
from services.reporting.domain.cube import CONTENTS
from services.reporting.pxweb.formats import PARAMETERS, Format
from services.reporting.pxweb.older import FORMATS
from tests.clients.conftest import Served
from tests.subscribers.node import NODE

GUIDE = (ROOT / "docs" / "analysts.md").read_text("utf-8")
ADDRESS = "https://tall.dugnad.example"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def said(served: Served, command: list[str | Path], program: str, folder: Path) -> str:
    """What a program prints when the address is the running service's."""
    assert ADDRESS in program
    done = subprocess.run(
        [*command, program.replace(ADDRESS, served.url)],
        cwd=folder,
        env={**os.environ, "DUGNAD_TOKEN": served.token},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    return done.stdout


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, r"trakt From need to job, by region(.|\n)*'value': \d"),
        (1, r"Contents +All places +Share within 28 days"),
        (2, r"Characteristic +Month +Starts +Hires\n0 +Total +20\d\dM\d\d +\d+"),
        (3, r"held +missed"),
    ],
)
def test_each_python_program_runs_and_shows_figures(served: Served, number: int, expected: str, tmp_path: Path) -> None:
    assert re.search(expected, said(served, [sys.executable, "-c"], blocks("python")[number], tmp_path))


def test_every_python_program_is_tested() -> None:
    assert len(blocks("python")) == 4


def test_the_javascript_program_runs_and_shows_figures(served: Served, node_folder: Path) -> None:
    (program,) = blocks("js")
    shown = said(served, [NODE, "--input-type=module", "--eval"], program, node_folder)
    assert "Region: 'The whole country'" in shown


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_the_commands_with_curl_run(served: Served, tmp_path: Path) -> None:
    csv, json, older = (said(served, ["sh", "-c"], command, tmp_path) for command in blocks("sh"))
    assert csv.startswith('"Statistikkvariabel","')
    assert '"class":"dataset"' in json
    assert re.fullmatch(r'"Contents","Month","value"\n("Places","2025M\d\d",\d+\n){2}', older)


def test_the_guide_names_every_table_with_its_variables(served: Served) -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| .* \| (`.*`) \|$", GUIDE, re.MULTILINE)
    listed = {table_id: set(re.findall(r"`(\w+)`", variables)) for table_id, variables in rows}
    assert listed == {table.id: {each.id for each in table.dimensions} - {CONTENTS} for table in served.tables.values()}


def test_the_guide_names_the_formats_of_older_clients() -> None:
    older = GUIDE.partition("## Older clients")[2].partition("\n## ")[0]
    assert [name for name in FORMATS if f"`{name}`" not in older] == []


def test_the_guide_names_every_format_parameter_and_code_list(served: Served) -> None:
    for name in [*Format, *(parameter for allowed in PARAMETERS.values() for parameter in allowed)]:
        assert f"`{name}`" in GUIDE
    for name in ("vs_fylker", "vs_kommuner", "vs_landet"):
        assert name in GUIDE
        assert any(name == each.id for each in served.tables["trakt"].dimension("Region").codelists)
