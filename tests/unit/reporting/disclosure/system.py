"""Everything that is published of the same units as one system of sums, and what follows from it for a single cell.

The attacker knows which counties and measures take part, all codes, how cells add up within a table and across tables,
and the noise table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from services.reporting.domain.background import AGES, BACKGROUNDS, CODES, GENDERS
from services.reporting.domain.disclosure.noise import LARGEST
from services.reporting.domain.diversity import CHARACTERISTICS, joined
from services.reporting.domain.placements import WAITING_CODES
from services.reporting.domain.publications import PUBLICATIONS, units
from services.reporting.domain.trials import OUTCOMES
from tests.unit.reporting.disclosure.released import At, Cell, facts

Range = tuple[float, float]
"""The least and the most that a cell can hold."""
CLOSE = 1e-6
BACKGROUND = "immigrant_background"


@dataclass(frozen=True)
class Parts:
    """One way to part the same units: a code per variable, and a content."""

    codes: Mapping[str, Sequence[str]]
    contents: Sequence[str]
    some: bool = False
    """Whether it leaves out some of the units that the first way parts."""

    @cached_property
    def finest(self) -> list[tuple[str, ...]]:
        """A code per variable, the content last."""
        return list(product(*self.codes.values(), self.contents))


@dataclass(frozen=True)
class Question:
    """What is counted, in which tables, and the ways in which these part it."""

    published: Mapping[str, Mapping[str, frozenset[str]]]
    """By table and published content the parts that it is the sum of."""
    ways: Sequence[Parts]

    @cached_property
    def sums(self) -> tuple[dict[At, list[int]], list[tuple[list[int], list[int], bool]]]:
        """Which unknowns each published cell is the sum of; and which two sums are the same units, parted twice, or of
        which the second leaves some out."""
        cells: dict[At, list[int]] = defaultdict(list)
        numbered: list[list[tuple[dict[str, str], str, int]]] = []
        number = 0
        for way in self.ways:
            parts = []
            for *codes, content in way.finest:
                of = dict(zip(way.codes, codes, strict=True))
                for at in self._cells(way, of, content):
                    cells[at].append(number)
                parts.append((_told(of), content, number))
                number += 1
            numbered.append(parts)
        alike = []
        for way, parts in zip(self.ways[1:], numbered[1:], strict=True):
            names = sorted(set(numbered[0][0][0]) & set(parts[0][0]))
            first, other = (_added(each, names) for each in (numbered[0], parts))
            alike += [(first[key], other[key], way.some) for key in other]
        return dict(cells), alike

    def _cells(self, way: Parts, of: Mapping[str, str], content: str) -> Iterable[At]:
        for table, contents in self.published.items():
            axes = PUBLICATIONS[table].axes
            names = {axis.dimension.id for axis in axes}
            # What the first way does not reach is told by the others.
            if names <= set(of) and (way is self.ways[0] or not names <= set(self.ways[0].codes)):
                for at in product(*(axis.above(of[axis.dimension.id]) for axis in axes)):
                    yield from ((table, shown, at) for shown, parts in contents.items() if content in parts)


def _told(of: Mapping[str, str]) -> dict[str, str]:
    """What the codes of a part say in the words of other parts: of a municipality its county, and the background."""
    told = dict(of)
    if "Region" in of:
        told["Region"] = PUBLICATIONS["trakt"].axes[0].above(of["Region"])[0]
    if of.get("Kjennetegn", "").startswith(f"{BACKGROUND}_"):
        told["Bakgrunn"] = of["Kjennetegn"].removeprefix(f"{BACKGROUND}_")
    return told


def _added(
    parts: Sequence[tuple[Mapping[str, str], str, int]], names: Sequence[str]
) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for told, content, number in parts:
        found[(*(told[name] for name in names), content)].append(number)
    return found


def _taking_part(seed: int, table: str, content: str, place: int) -> list[str]:
    return sorted({each.at[place] for each in units(PUBLICATIONS[table], facts(seed)) if each.content == content})


def waiting(seed: int) -> Question:
    """Slots that were registered: how long they waited, in four tables."""
    everyone = frozenset(WAITING_CODES)
    waits = {
        "slots": everyone,
        "due": everyone - {"withdrawn"},
        "within_promise": frozenset(("0_7", "8_14", "15_28")),
        **{code: frozenset((code,)) for code in WAITING_CODES},
    }
    slots = {"slots": everyone}
    codes = {name: _taking_part(seed, "trakt", "slots", n) for n, name in enumerate(("Region", "Tiltak", "Formidler"))}
    return Question(
        {"ventetid": waits, "ventetid_kommune": waits, "trakt": slots, "trakt_kommune": slots},
        [Parts(codes, WAITING_CODES)],
    )


def starts(seed: int) -> Question:
    """Slots that started: where, by whom, and what their participants had declared."""
    one = frozenset(("start",))
    codes = {
        name: _taking_part(seed, "trakt", "started", n) for n, name in enumerate(("Region", "Tiltak", "Formidler"))
    }
    axis = PUBLICATIONS["trakt"].axes[0]
    counties = sorted({axis.above(code)[0] for code in codes["Region"]})
    declared = [
        Parts(
            {
                "Region": counties,
                "Tiltak": codes["Tiltak"],
                "Kjennetegn": [joined(each, code) for code in CODES[each]],
            },
            ("start",),
        )
        for each in CHARACTERISTICS
    ]
    return Question(
        {"trakt": {"started": one}, "trakt_kommune": {"started": one}, "mangfold": {"starts": one}},
        [Parts(codes, ("start",)), *declared],
    )


def endings(seed: int) -> Question:
    """Trials that were closed: how, and what their participants had declared."""
    ended = {"closed": frozenset(OUTCOMES), **{code: frozenset((code,)) for code in OUTCOMES}}
    known = {"Tiltak": _taking_part(seed, "utfall", "closed", 0), "Bakgrunn": BACKGROUNDS}
    return Question(
        {"utfall": ended, "utfall_alder": ended},
        [Parts({**known, "Kjonn": GENDERS}, OUTCOMES), Parts({**known, "Alder": AGES}, OUTCOMES)],
    )


def endings_beside_hires(seed: int) -> Question:
    """The same, beside the slots that hired in `mangfold`: each is a trial that ended so, and has another draw.

    A slot counts once, however many of its trials ended so.
    """
    question = endings(seed)
    regions = _taking_part(seed, "mangfold", "hires", 0)
    backgrounds = [joined(BACKGROUND, code) for code in CODES[BACKGROUND]]
    measures = question.ways[0].codes["Tiltak"]
    codes = {"Region": regions, "Tiltak": measures, "Kjennetegn": backgrounds}
    hires = {"hires": frozenset(("hired",))}
    return Question({**question.published, "mangfold": hires}, [*question.ways, Parts(codes, ("hired",), some=True)])


class System:
    """The sums, with what is known of each."""

    def __init__(self, question: Question, known: Mapping[At, Range]) -> None:
        self._cells, same = question.sums
        rows = [(dict.fromkeys(numbers, 1), *known[at]) for at, numbers in self._cells.items()]
        rows += [
            (dict.fromkeys(one, 1) | dict.fromkeys(other, -1), 0, np.inf if some else 0) for one, other, some in same
        ]
        self._unknowns = sum(len(way.finest) for way in question.ways)
        matrix = csr_array(
            (
                [sign for row, *_ in rows for sign in row.values()],
                (
                    [n for n, (row, *_) in enumerate(rows) for _ in row],
                    [number for row, *_ in rows for number in row],
                ),
            ),
            shape=(len(rows), self._unknowns),
        )
        self._sums = LinearConstraint(matrix, [least for _, least, _ in rows], [most for *_, most in rows])

    def range_of(self, at: At) -> tuple[int, int]:
        """The least and the most whole number that this cell can hold."""
        wanted = np.zeros(self._unknowns)
        wanted[self._cells[at]] = 1
        least, most = (
            sign * milp(sign * wanted, constraints=self._sums, bounds=Bounds(0, np.inf)).fun for sign in (1, -1)
        )
        return int(np.ceil(least - CLOSE)), int(np.floor(most + CLOSE))


def of_noised(shown: int | None) -> Range:
    """What a count can have been, by the noise table: at most five away, and none only where it may become 0."""
    if shown is None:
        return 0, np.inf
    return (0, LARGEST) if shown == 0 else (max(1, shown - LARGEST), shown + LARGEST)


def is_finest(at: At) -> bool:
    """Whether it is no total of its table."""
    table, _, codes = at
    return all(code != axis.dimension.total for axis, code in zip(PUBLICATIONS[table].axes, codes, strict=True))


def of_hidden(at: At, cell: Cell) -> Range:
    """An unprotected build shows exact counts, and only hides what is under five and no total."""
    return (1, 4) if is_finest(at) and 1 <= cell.true <= 4 else (cell.true, cell.true)
