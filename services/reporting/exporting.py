"""Facts and published tables as Parquet files, for those who would rather query than call an interface.

Invariant: a file of facts says up to which positions it is complete, and nothing in it says who somebody is or what
they have declared: an erasure could not reach a copy. Every column has its sentence in both languages.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chassis.formats import LANGUAGES, Language
from chassis.texts import Texts
from services.reporting.domain.cube import CONTENTS, Cube
from services.reporting.domain.facts import Slot
from services.reporting.domain.placements import waiting_class
from services.reporting.domain.workforce import CHARACTERISTICS, YearFigures
from services.reporting.pxweb.files import as_parquet
from services.reporting.pxweb.grid import Words
from services.reporting.pxweb.labels import Labels

_CODE, _DAY, _COUNT, _YES = pa.string(), pa.date32(), pa.int32(), pa.bool_()
FACTS, PUBLISHED = "facts", "published"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class File:
    """One file of facts: its columns, and its rows made of what there is."""

    name: str
    columns: Mapping[str, pa.DataType]
    rows: Callable[[Sequence[Slot], Sequence[YearFigures]], Iterable[Row]]

    def key(self, column: str) -> str:
        """Where the sentence about a column stands in the catalogues."""
        return f"export.{self.name}.{column}"


def _slots(slots: Sequence[Slot], _: Sequence[YearFigures]) -> Iterable[Row]:
    for slot in slots:
        yield {
            "slot_id": slot.slot_id,
            "need_id": slot.need_id,
            "org_number": slot.org_number,
            "region": slot.region,
            "intermediary": slot.intermediary,
            "wished_measure": slot.wished_measure,
            "measure": slot.measure,
            "registered_on": slot.registered_on,
            "promise_date": slot.promise_date,
            "start_from": slot.start_from,
            "withdrawn": slot.withdrawn,
            "agreed_on": slot.agreed_on,
            "started_on": None if slot.start is None else slot.start.started_on,
            "hired_on": None if slot.hire is None else slot.hire.closed_on,
            "days": slot.days,
            "waiting_class": waiting_class(slot),
            "late_window": slot.late_window,
            "employer_delay": slot.employer_delay,
        }


def _matches(slots: Sequence[Slot], _: Sequence[YearFigures]) -> Iterable[Row]:
    for slot in slots:
        for match in slot.matches:
            yield {
                "match_id": match.match_id,
                "slot_id": slot.slot_id,
                "proposed_on": match.proposed_on,
                "asked_on": match.asked_on,
                "presented_on": match.presented_on,
                "interview_on": match.interview_on,
            }


def _trials(slots: Sequence[Slot], _: Sequence[YearFigures]) -> Iterable[Row]:
    for slot in slots:
        for trial in slot.trials:
            yield {
                "trial_id": trial.trial_id,
                "slot_id": slot.slot_id,
                "measure": trial.measure,
                "started_on": trial.started_on,
                "closed_on": trial.closed_on,
                "outcome": trial.outcome,
                "check_ins_held": len(trial.held),
                "check_ins_missed": len(trial.missed),
                "extensions": len(trial.extended),
                "cuts": len(trial.shortened),
                **{f"employed_{months}": trial.still_employed.get(months) for months in (3, 6, 12)},
            }


def _workforce(_: Sequence[Slot], figures: Sequence[YearFigures]) -> Iterable[Row]:
    for one in sorted(figures, key=lambda one: (one.org_number, one.year)):
        yield {"org_number": one.org_number, "year": one.year, **one.counts}


FILES = (
    File(
        "slots",
        {
            **dict.fromkeys(("slot_id", "need_id", "org_number", "region"), _CODE),
            **dict.fromkeys(("intermediary", "wished_measure", "measure"), _CODE),
            **dict.fromkeys(("registered_on", "promise_date", "start_from"), _DAY),
            "withdrawn": _YES,
            **dict.fromkeys(("agreed_on", "started_on", "hired_on"), _DAY),
            "days": _COUNT,
            "waiting_class": _CODE,
            "late_window": _YES,
            "employer_delay": _YES,
        },
        _slots,
    ),
    File(
        "matches",
        {
            **dict.fromkeys(("match_id", "slot_id"), _CODE),
            **dict.fromkeys(("proposed_on", "asked_on", "presented_on", "interview_on"), _DAY),
        },
        _matches,
    ),
    File(
        "trials",
        {
            **dict.fromkeys(("trial_id", "slot_id", "measure"), _CODE),
            **dict.fromkeys(("started_on", "closed_on"), _DAY),
            "outcome": _CODE,
            **dict.fromkeys(("check_ins_held", "check_ins_missed", "extensions", "cuts"), _COUNT),
            **dict.fromkeys(("employed_3", "employed_6", "employed_12"), _YES),
        },
        _trials,
    ),
    File(
        "workforce",
        {"org_number": _CODE, "year": _COUNT, **dict.fromkeys(("head_count", *CHARACTERISTICS), _COUNT)},
        _workforce,
    ),
)


def facts_as_parquet(
    folder: Path,
    slots: Sequence[Slot],
    figures: Sequence[YearFigures],
    complete_to: Mapping[str, int],
    at: datetime,
    texts: Texts,
) -> list[Path]:
    """Write a file per kind of fact; returns them."""
    about = {"complete_to": json.dumps(dict(complete_to)), "written": at.isoformat()}
    written = []
    for file in FILES:
        fields = [
            pa.field(name, kind, metadata={language: texts.say(language, file.key(name)) for language in LANGUAGES})
            for name, kind in file.columns.items()
        ]
        table = pa.Table.from_pylist(list(file.rows(slots, figures)), schema=pa.schema(fields, metadata=about))
        with _own_file(folder / f"{FACTS}_{file.name}.parquet") as stream:
            pq.write_table(table, stream, compression="zstd")
        written.append(folder / f"{FACTS}_{file.name}.parquet")
    return written


def published_as_parquet(folder: Path, cubes: Iterable[Cube], texts: Texts) -> list[Path]:
    """Write a file per published table; returns them."""
    written = []
    for cube in cubes:
        path = folder / f"{PUBLISHED}_{cube.id}.parquet"
        with _own_file(path) as stream:
            stream.write(as_parquet(cube, Labels(texts, "nb"), Words.CODES))
        written.append(path)
    return written


def dictionary(language: Language, texts: Texts, cubes: Sequence[Cube], *, facts: bool) -> str:
    """What every column of every file means, as Markdown."""
    lines = [f"# {texts.say(language, 'export.title')}", ""]
    for file in FILES if facts else ():
        lines += [f"## {FACTS}_{file.name}.parquet", "", texts.say(language, f"export.about.{file.name}"), ""]
        lines += _table(
            language,
            texts,
            ((name, str(kind), texts.say(language, file.key(name))) for name, kind in file.columns.items()),
        )
    labels = Labels(texts, language)
    for cube in cubes:
        lines += [f"## {PUBLISHED}_{cube.id}.parquet", "", f"{labels.title(cube)}.", ""]
        lines += [f"- {note}" for note in labels.notes(cube)] + [""]
        variables = ((each.id, "string", labels.dimension(each)) for each in cube.dimensions if each.id != CONTENTS)
        contents = (
            (
                each.code,
                "double" if each.decimals else "int64",
                f"{labels.content(cube, each.code)}. {' '.join(labels.definitions(each))}",
            )
            for each in cube.contents
        )
        symbols = [("*_symbol", "string", texts.say(language, "export.symbol"))]
        lines += _table(language, texts, chain(variables, contents, symbols))
    return "\n".join(lines)


def _table(language: Language, texts: Texts, rows: Iterable[tuple[str, str, str]]) -> list[str]:
    heads = [texts.say(language, f"export.head.{name}") for name in ("column", "type", "meaning")]
    return [
        f"| {' | '.join(heads)} |",
        "|---|---|---|",
        *(f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in rows),
        "",
    ]


def write_dictionary(folder: Path, texts: Texts, cubes: Sequence[Cube], *, facts: bool) -> list[Path]:
    """`dictionary.nb.md` and `dictionary.en.md`."""
    written = []
    for language in LANGUAGES:
        path = folder / f"dictionary.{language}.md"
        with _own_file(path) as stream:
            stream.write(dictionary(language, texts, cubes, facts=facts).encode())
        written.append(path)
    return written


def _own_file(path: Path) -> Any:
    # Live facts are for those who may read them: the file must not be anybody's who can log in here.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
