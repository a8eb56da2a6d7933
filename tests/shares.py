"""All tests in so many shares, for runs side by side: `pytest --share 1/3`.

Invariant: every test is in exactly one share. Tests that need each other are in the same one: those of one file, and
those of every folder but `service`, whose files share servers and packages or count each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

DIVIDED = "service"
"""The only folder that is divided; all others are whole, in the last share."""
LARGER = 3
"""How many times as many of those files the other shares have, so that all take about as long."""
_SHARE = re.compile(r"(?P<number>[1-9][0-9]*)/(?P<of>[1-9][0-9]*)")


@dataclass(frozen=True)
class Share:
    """The `number`-th of `of` shares, from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """`2/3`. Raises ValueError for what is no share: a run of no tests must not look like one that passed."""
        found = _SHARE.fullmatch(text)
        if found is None or int(found["number"]) > int(found["of"]):
            raise ValueError(f"{text!r} is no share: give the number of one and how many there are, like 1/3")
        return cls(int(found["number"]), int(found["of"]))

    def files(self, files: Iterable[PurePath]) -> set[PurePath]:
        """Which of these files (relative to `tests/`) are in this share.

        Files of `service` are dealt out in turn, fewer of them to the last share, which has all other folders.
        """
        known = sorted(set(files))
        divided = [file for file in known if file.parts[0] == DIVIDED]
        mine = {file for turn, file in enumerate(divided) if self._deal(turn) == self.number}
        return mine.union(set(known) - set(divided) if self.number == self.of else ())

    def _deal(self, turn: int) -> int:
        others = self.of - 1
        within = turn % (LARGER * others + 1)
        return self.of if within == LARGER * others else within % others + 1
