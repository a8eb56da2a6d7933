"""What is printed: tables and bars on a terminal, plain lines elsewhere, JSON where it is asked for.

Invariant: with `--json` standard output is one JSON document and nothing else; what comes meanwhile goes to standard
error. Without a terminal `rich` is not even loaded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Self

LINE_SECONDS = 2.0


class Output:
    """Where a command's answer goes."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def give(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """The answer: the document where JSON is asked for, else the lines."""
        if self.as_json:
            print(json.dumps(document, ensure_ascii=False, indent=2, default=str))
        else:
            for line in lines:
                print(line)

    def table(self, document: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The answer as a table: in frames on a terminal, columns elsewhere."""
        if self.as_json or not sys.stdout.isatty():
            self.give(document, _columns([columns, *rows]))
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(*columns)
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        Console().print(table)

    def progress(self, what: str) -> Progress:
        """Tells how far something is."""
        shown = sys.stderr if self.as_json else sys.stdout
        return _Bar(what) if shown.isatty() else Progress(what, to_stderr=self.as_json)


class Progress:
    """Plain lines, one every few seconds at most. A context manager."""

    def __init__(self, what: str, *, to_stderr: bool = False) -> None:
        self._what, self._to_stderr = what, to_stderr
        self._said = monotonic()
        self._last: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def tell(self, done: int, total: int, rate: float) -> None:
        """So many of so many events, and how many a second."""
        now = monotonic()
        # The end is told at once, and once: it may be reached and looked at again.
        if (now - self._said < LINE_SECONDS and done < total) or (done, total) == self._last == (total, total):
            return
        self._said, self._last = now, (done, total)
        line = f"{self._what}: {done} of {total} events, {rate:.0f} events/s, ETA {eta(done, total, rate)}"
        print(line, file=sys.stderr if self._to_stderr else sys.stdout, flush=True)


class _Bar(Progress):
    """A bar that moves, on standard error."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]:.0f} events/s, ETA {task.fields[eta]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(what, total=None, rate=0.0, eta="–")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, done: int, total: int, rate: float) -> None:
        self._bar.update(self._task, completed=done, total=total, rate=rate, eta=eta(done, total, rate))


def eta(done: int, total: int, rate: float) -> str:
    """How long the rest takes at this rate, such as `2 min 5 s`."""
    if done >= total:
        return "0 s"
    if rate <= 0:
        return "unknown"
    minutes, seconds = divmod(round((total - done) / rate), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
