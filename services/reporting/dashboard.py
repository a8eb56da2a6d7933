"""What the page shows: sections of charts, each over the table of the same numbers.

Invariant: a chart is drawn from the rows of the table below it and from nothing else; a number that there is not is
said, never drawn as zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup

from chassis.formats import Language, percent
from chassis.texts import Texts
from services.reporting.charts.bars import Bar, Fill, Mark, Row, bars
from services.reporting.charts.lines import Series, lines, top_of
from services.reporting.domain.placements import WAITING_CODES, WEEKS
from services.reporting.domain.table import Cell, Column, Kind, Table
from services.reporting.domain.workforce import CHARACTERISTICS
from services.reporting.presenting import ShownTable, complete_sentences, shown, table_title, written
from services.reporting.reading import Completeness, Overview, Read

FIRST = {"ventetid": ("within_promise_share", "median", "percentile_90")}
"""The figures that a reader sees first; where none are named, all."""
MOST_EMPLOYERS = 6
"""More charts than these side by side compare nothing."""
MOST_COLUMNS_BESIDE = 4
"""Of a table with more, the last columns would be out of sight where the definitions stand beside it."""
_ROWS_WITHIN = {"ventetid": WAITING_CODES.index("15_28") + 1, "ventetid_uker": WEEKS.index("22_28") + 1}
"""After how many rows day 28 is over."""
_OF_EMPLOYEES = tuple(name for name, whole in CHARACTERISTICS.items() if whole == "head_count")
_OF_IMMIGRANTS = tuple(name for name in CHARACTERISTICS if name not in _OF_EMPLOYEES)
_FILLS = (Fill.FULL, Fill.HATCHED)
_NEVER = dict.fromkeys(WAITING_CODES[-2:], Fill.OPEN)


@dataclass(frozen=True)
class Part:
    """A chart and its table."""

    id: str
    heading: str | None
    chart: Markup | None
    said: str | None
    """What a reader has to know of the chart, or why there is none."""
    table: ShownTable


@dataclass(frozen=True)
class Section:
    """`unavailable`: why there is nothing at all; `empty`: what to do to get figures."""

    id: str
    title: str
    tiles: Sequence[tuple[str, str, str | None]] = ()
    """The figures to see first: name, number, and what the number is taken of."""
    facts: Sequence[tuple[str, str]] = ()
    """The other figures."""
    parts: Sequence[Part] = ()
    definitions: Sequence[tuple[str, str, str]] = ()
    """Name, sentence and version."""
    notes: Sequence[str] = ()
    empty: str | None = None
    unavailable: str | None = None

    @property
    def wide(self) -> bool:
        """Whether its tables need the whole width: the definitions then stand below."""
        return any(len(part.table.columns) > MOST_COLUMNS_BESIDE for part in self.parts)


@dataclass(frozen=True)
class Dashboard:
    """Writes in one language."""

    texts: Texts
    language: Language
    called: Mapping[str, str] = field(default_factory=dict)
    """Employers' names by their numbers, as far as they are known."""
    complete: Completeness = field(default_factory=dict)
    """What the page says of all of it: a section only says what is otherwise with itself."""

    def sections(self, overview: Overview) -> list[Section]:
        """All of the page, in its order."""
        return [
            self._section(
                [overview.waiting],
                [self._plain(overview.waiting), self._plain(overview.weeks, self._title(overview.weeks))],
            ),
            self._section([overview.funnel], [self._plain(overview.funnel)]),
            self._section([overview.outcomes], [self._plain(overview.outcomes)]),
            self._diversity(overview.diversity),
            self._workforce(overview.workforce),
            self._section([overview.follow_up], [self._plain(overview.follow_up)]),
        ]

    def _say(self, key: str, **params: object) -> str:
        return self.texts.say(self.language, key, **params)

    def _shown(self, table: Table, read: Read) -> ShownTable:
        return shown(Read(table, read.complete_to), self.texts, self.language)

    def _section(self, reads: Sequence[Read], parts: Sequence[Part]) -> Section:
        """Of one table, or of one table in several cuts; its definitions and notes are said once."""
        shown_tables = [self._shown(read.table, read) for read in reads]
        whole = shown_tables[0]
        figures = dict(zip((each.id for each in reads[0].table.figures), whole.figures, strict=True))
        first = FIRST.get(whole.id, tuple(figures))
        definitions = dict.fromkeys(each for read in reads for each in read.table.definitions)
        notes = dict.fromkeys(note for each in shown_tables for note in each.notes)
        return Section(
            id=whole.id,
            title=whole.title,
            tiles=[(*figures[name], self._taken_of(name, reads[0].table)) for name in first],
            facts=[figure for name, figure in figures.items() if name not in first],
            parts=() if whole.empty else parts,
            definitions=[
                (
                    self._say(f"definition_name.{each.name}"),
                    self._say(each.text_key),
                    self._say("report.version", version=each.version),
                )
                for each in definitions
            ],
            notes=[*notes, *complete_sentences(self._otherwise(reads[0]), self.texts, self.language)],
            empty=whole.empty,
        )

    def _otherwise(self, read: Read) -> Completeness:
        return {source: at for source, at in read.complete_to.items() if self.complete.get(source) != at}

    def _taken_of(self, figure_id: str, table: Table) -> str | None:
        """`2 av 2`, `av 2`: a share without what it is a share of says little."""
        numbers = {each.id: each.value for each in table.figures}
        match figure_id:
            case "within_promise_share":
                return self._say("report.part_of", part=numbers["within_promise"], whole=numbers["due"])
            case "median" | "percentile_90":
                return self._say("report.taken_of", number=numbers["started"])
        return None

    def _title(self, read: Read) -> str:
        return table_title(self.texts, self.language, read.table.id)

    def _plain(self, read: Read, heading: str | None = None) -> Part:
        """One column of codes, one of numbers; where some kept the promise, they are marked off from those that did
        not, and from those that never started."""
        table = read.table
        category, number = table.columns
        within = _ROWS_WITHIN.get(table.id)
        rows = []
        for index, row in enumerate(each for each in table.rows if each[category.id] != "total"):
            fill = Fill.FULL if within is None or index < within else Fill.HATCHED
            fill = _NEVER.get(str(row[category.id]), fill)
            label = written(row[category.id], category, self.texts, self.language)
            rows.append(Row(label, self._bars([number], row, [fill])))
        mark = None if within is None else Mark(within, self._say("report.promise_line"))
        return self._bar_part(table.id, heading, rows, self._shown(table, read), mark)

    def _bars(self, columns: Sequence[Column], row: Mapping[str, Cell], fills: Sequence[Fill]) -> list[Bar]:
        found = []
        for column, fill in zip(columns, fills, strict=True):
            value = row[column.id]
            words = self._say("report.missing") if value is None else written(value, column, self.texts, self.language)
            if len(columns) > 1:
                words = f"{self._say(f'column.{column.id}')}: {words}"
            found.append(Bar(value if isinstance(value, (int, Decimal)) else None, words, fill))
        return found

    def _bar_part(
        self, part_id: str, heading: str | None, rows: Sequence[Row], table: ShownTable, mark: Mark | None = None
    ) -> Part:
        title, description = self._named(heading or table.title)
        return Part(part_id, heading, bars(f"chart-{part_id}", title, description, rows, mark), None, table)

    def _named(self, title: str) -> tuple[str, str]:
        return self._say("report.chart", title=title), self._say("report.chart_below")

    def _diversity(self, reads: Sequence[Read] | None) -> Section:
        if reads is None:
            title = table_title(self.texts, self.language, "mangfold")
            return Section("mangfold", title, unavailable=self._say("report.unavailable"))
        parts = []
        for read in reads:
            category, *numbers = read.table.columns
            rows = [
                Row(written(row[category.id], category, self.texts, self.language), self._bars(numbers, row, _FILLS))
                for row in read.table.rows
                if row[category.id] != "total"
            ]
            heading = self._say(f"column.{category.id}")
            parts.append(self._bar_part(f"mangfold-{category.id}", heading, rows, self._shown(read.table, read)))
        return self._section(reads, parts)

    def _workforce(self, read: Read) -> Section:
        table = read.table
        employers = drawn_apart(table)
        if not employers and table.rows:
            said = self._say("report.choose_employer", number=len(_employers(table)))
            return self._section([read], [Part(table.id, None, None, said, self._shown(table, read))])
        parts = [
            self._shares(read, org_number, whole, names)
            for org_number in employers
            for whole, names in (("of_employees", _OF_EMPLOYEES), ("of_immigrants", _OF_IMMIGRANTS))
        ]
        return self._section([read], parts)

    def _shares(self, read: Read, org_number: str, whole: str, names: Sequence[str]) -> Part:
        rows = [
            row for row in read.table.rows if row["org_number"] == org_number and str(row["characteristic"]) in names
        ]
        part_id = f"arbeidsstyrke-{org_number}-{whole}"
        heading = self._say(f"report.{whole}", employer=self._employer(org_number))
        columns = tuple(column for column in read.table.columns if column.id != "org_number")
        cut = replace(read.table, rows=rows, columns=columns, filters={"org_number": org_number})
        points = {
            name: {int(str(row["year"])): _share(row["share"]) for row in rows if row["characteristic"] == name}
            for name in names
        }
        most = max((share for each in points.values() for share in each.values() if share is not None), default=None)
        chart = None
        said = [
            self._say("report.gaps", name=self._characteristic(name), years=", ".join(map(str, gaps)))
            for name, each in points.items()
            if (gaps := [year for year, share in each.items() if share is None]) and len(gaps) < len(each)
        ]
        if most is not None:
            top, step = top_of(most)
            scale = {value: percent(value, self.language, 0) for value in range(0, top + 1, step)}
            series = [Series(each, self._characteristic(name), self._last(each)) for name, each in points.items()]
            chart = lines(f"chart-{part_id}", *self._named(heading), series, scale)
            if any(_spans(each) for each in points.values()):
                said.append(self._say("report.apart"))
        return Part(part_id, heading, chart, " ".join(said) or None, self._shown(cut, read))

    def _employer(self, org_number: str) -> str:
        name = self.called.get(org_number)
        if name is None:
            return self._say("report.employer_number", org_number=org_number)
        return self._say("report.employer", name=name, org_number=org_number)

    def _characteristic(self, code: str) -> str:
        return written(code, Column("characteristic", Kind.CATEGORY), self.texts, self.language)

    def _last(self, points: Mapping[int, Decimal | None]) -> str:
        for year, share in sorted(points.items(), reverse=True):
            if share is not None:
                return self._say("report.last_share", share=percent(share, self.language), year=str(year))
        return self._say("report.missing")


def complete_for_all(overview: Overview) -> Completeness:
    """Per source the position up to which every table of the page that is made of it is complete."""
    reads = [overview.waiting, overview.funnel, overview.outcomes, *(overview.diversity or ())]
    found: dict[str, int] = {}
    for read in (*reads, overview.follow_up, overview.workforce):
        for source, at in read.complete_to.items():
            found[source] = min(at, found.get(source, at))
    return found


def drawn_apart(workforce: Table) -> Sequence[str]:
    """The numbers of the employers that have a chart each; none where they are too many."""
    employers = _employers(workforce)
    return employers if len(employers) <= MOST_EMPLOYERS else ()


def _employers(workforce: Table) -> Sequence[str]:
    return sorted({str(row["org_number"]) for row in workforce.rows})


def _spans(points: Mapping[int, Decimal | None]) -> bool:
    """Whether a line is drawn over years that were not reported: only then is there a faint one to explain."""
    return any(
        later > year + 1 and points[year] is not None and points[later] is not None
        for year, later in pairwise(sorted(points))
    )


def _share(cell: Cell) -> Decimal | None:
    return cell if isinstance(cell, Decimal) else None
