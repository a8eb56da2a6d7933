"""What the commands print, and where: lines, JSON, frames and bars on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.generations import Generation
from deploy.cli.output import Output, eta
from deploy.cli.projections import _generation, _row
from deploy.cli.status import _intervals

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("done", "total", "rate", "said"),
    [(5, 5, 0.0, "0 s"), (0, 5, 0.0, "unknown"), (0, 100, 50.0, "2 s"), (0, 1250, 10.0, "2 min 5 s")],
)
def test_the_rest_of_the_time_is_told(done: int, total: int, rate: float, said: str) -> None:
    assert eta(done, total, rate) == said


def test_progress_is_plain_lines_without_a_terminal_and_never_in_the_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for as_json in (False, True):
        ticking = iter([0.0, 0.1, 2.5, 2.6, 2.7, 9.0])
        monkeypatch.setattr("deploy.cli.output.monotonic", lambda clock=ticking: next(clock))
        with Output(as_json=as_json).progress("intake/needs") as progress:
            for done in (0, 40, 50, 100, 100):
                progress.tell(done, 100, 50.0)
        printed = capsys.readouterr()
        lines = printed.err if as_json else printed.out
        # One every two seconds, and the last one once.
        assert lines.splitlines() == [
            "intake/needs: 40 of 100 events, 50 events/s, ETA 1 s",
            "intake/needs: 100 of 100 events, 50 events/s, ETA 0 s",
        ]
        assert (printed.out if as_json else printed.err) == ""


def test_a_terminal_gets_frames_and_a_bar_and_a_pipe_gets_neither() -> None:
    code = (
        "import sys; from deploy.cli.output import Output\n"
        "output = Output(as_json='--json' in sys.argv)\n"
        "output.table({'a': 1}, ('name',), [['value']])\n"
        "with output.progress('x') as progress: progress.tell(1, 1, 1.0)\n"
        "print('rich' in sys.modules)"
    )
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert piped.splitlines() == ["name", "value", "x: 1 of 1 events, 1 events/s, ETA 0 s", "False"]
    shown = on_a_terminal([sys.executable, "-c", code])
    assert "┃" in shown
    assert shown.rstrip().endswith("True")
    assert "┃" not in on_a_terminal([sys.executable, "-c", code, "--json"])


def on_a_terminal(command: list[str]) -> str:
    """What a command writes when it is given a terminal of its own."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    written = b""
    # At its end a terminal raises where a pipe gives nothing.
    with contextlib.suppress(OSError):
        while some := os.read(ours, 65_536):
            written += some
    os.close(ours)
    assert running.wait(20) == 0
    return written.decode()


def test_the_generations_say_what_they_hold_and_which_one_is_served() -> None:
    built = datetime(2025, 1, 13, 9, tzinfo=UTC)
    kept = [
        Generation("needs", 1, 1, created=built, completed=built),
        Generation("needs", 2, 1, created=built, completed=built),
        Generation("needs", 3, 1, as_of=built, until={"dugnad/intake": 3, "dugnad/intake~2": 1}, created=built),
    ]
    rows = [_row(_generation(each, each.number == 2), previous=1) for each in kept]
    assert rows == [
        ["1", "1", "2025-01-13T09:00:00Z", "everything", "served before: `rollback` goes back to it"],
        ["2", "1", "2025-01-13T09:00:00Z", "everything", "served"],
        ["3", "1", "2025-01-13T09:00:00Z", "as of 2025-01-13T09:00:00Z: intake 3, intake~2 1", "not complete"],
    ]


def test_positions_that_were_overtaken_are_shown_with_their_source() -> None:
    def of(source: str, *missing: list[int]) -> dict[str, Any]:
        return {"source": source, "missing": list(missing)}

    assert _intervals([of("dugnad/intake"), of("dugnad/matching")]) == "none"
    assert _intervals([of("dugnad/intake", [4, 4], [7, 9]), of("dugnad/intake~2", [1, 1])]) == (
        "intake 4, intake 7-9, intake~2 1"
    )
    assert _intervals([of("dugnad/intake", [1, 1], [3, 3], [5, 5], [7, 7])]) == "intake 1, intake 3, intake 5, …"
