"""Reporting's page over documents that are given, without engines: both cases, many simulated ones, or nothing.

Invariant: the page, its reading of the facts and the server are the service's own; only where documents and keys come
from is replaced.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import services.reporting
from chassis.clock import Clock
from chassis.keyring import KeyDestroyed, KeyringOfMany, seal
from chassis.pages import Link, Pages
from chassis.projection import Document, fold_all
from chassis.projector import Stored, View
from chassis.settings import Settings
from chassis.web import create_app
from services.reporting import pages
from services.reporting import views as projections
from services.reporting.reading import Reading
from tests.system import system_helpers
from tests.tables import TEXTS
from tests.unit.reporting.simulation import simulate
from tests.webapp import StillService

KEY = bytes(range(32))
COMPLETE = 41
_CASES = json.loads((Path(system_helpers.__file__).parent / "expected_views.json").read_text(encoding="utf-8"))
_DECLARED = {"immigrant_background": "immigrant", "country_of_birth": "SY", "cv_gap": "no"}


class _View(View):
    """Documents in memory. They stand there in the order of their ids."""

    def __init__(self, name: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self.name, self.sources = name, frozenset()
        self._given = [{**document, "_id": key} for key, document in sorted(documents.items())]

    async def find(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (("_id", 1),),
        limit: int = 0,
    ) -> list[Document]:
        wanted = [name for name, asked in (where or {}).items() if asked == {"$exists": True}]
        return [document for document in self._given if all(name in document for name in wanted)]

    async def complete_to(self, source: str) -> int:
        return COMPLETE if self._given else 0

    async def counted(self) -> Sequence[object]:
        return [self.name]

    def stored(self) -> Stored:
        return _Stored(self.name, self._given)

    async def continued(self, source: str) -> list[str]:
        return []


class _Stored(Stored):
    def __init__(self, name: str, given: Sequence[Document]) -> None:
        self.name, self._given = name, given

    async def values(self, field: str) -> dict[str, Any]:
        return {each["_id"]: 1 if field == "rev" else each[field] for each in self._given}

    async def of(self, keys: Sequence[str]) -> list[tuple[int, Document]]:
        return [(1, dict(each)) for each in self._given if each["_id"] in set(keys)]


@dataclass
class Documents:
    """What each view holds, by its name."""

    views: Mapping[str, Mapping[str, Mapping[str, Any]]]
    clock: Clock = field(default_factory=Clock)

    def view(self, name: str) -> View:
        return _View(name, self.views.get(name, {}))


class Keys:
    """One key for all, or whatever the test wants to happen."""

    def __init__(self, raises: Callable[[str], Exception] | None = None) -> None:
        self._raises = raises

    async def keys(self, persons: Sequence[str]) -> dict[str, bytes]:
        gone = await self.destroyed(persons)
        return {person: KEY for person in persons if person not in gone}

    async def destroyed(self, persons: Sequence[str]) -> set[str]:
        for person in persons:
            if self._raises is not None and not isinstance(error := self._raises(person), KeyDestroyed):
                raise error
        return set(persons) if self._raises is not None else set()


@dataclass(frozen=True)
class Employers:
    """Who is called what, as far as the test says."""

    called: Mapping[str, str]

    async def of(self, org_numbers: Iterable[str]) -> dict[str, str]:
        return {number: self.called[number] for number in org_numbers if number in self.called}


def both_cases() -> dict[str, dict[str, Any]]:
    """The documents that both cases lead to, as the system test knows them, with what both persons declared."""
    views: dict[str, dict[str, Any]] = json.loads(json.dumps(_CASES["reporting"]))
    for person, document in views["persons"].items():
        for position, declaration in enumerate(document["declarations"], 1):
            declaration["position"] = position
            declaration["ciphertext"] = base64.b64encode(seal(KEY, _DECLARED, person)).decode()
    return views


def many_cases(seed: int = 5, cases: int = 120) -> dict[str, dict[str, Any]]:
    """Simulated cases, folded by the projections themselves; and what two employers reported over many years."""
    records = list(simulate(seed, cases).records())
    folded = {each.name: dict(fold_all(each, records)) for each in (projections.placement, projections.needs)}
    return {**folded, "workforce": {document["_id"]: document for document in _reports()}}


def _reports() -> Iterator[dict[str, Any]]:
    """Years without a report, numbers that were not told, and what nobody told ever."""
    for org_number, years in (("311122339", (2009, *range(2012, 2026))), ("315486890", (2024,))):
        for year in years:
            told = {
                "head_count": 1_234_567 - year,
                "immigrant_background": (year - 2000) * 9_000,
                "country_group_1": None,
            }
            told |= {"country_group_2": (year - 2000) * 5_500, "reduced_functional_ability": 50_000}
            told |= {"cv_gap": None if year % 3 else 24_000}
            yield {"_id": f"{org_number}-{year}", "org_number": org_number, "year": year, **told}


def app_of(
    views: Mapping[str, Mapping[str, Any]],
    settings: Settings,
    *,
    raises: Callable[[str], Exception] | None = None,
    called: Mapping[str, str] | None = None,
) -> FastAPI:
    """The page, over these documents. `raises` is what the keyring answers instead of a key; `called` are employers."""
    keys: KeyringOfMany = Keys(raises)
    reading = Reading(Documents(views), keys)
    templates = Path(services.reporting.__file__).parent / "templates"
    return create_app(
        StillService(settings),
        routers=[pages.router(reading, TEXTS, Employers(called or {}))],
        texts=TEXTS,
        title="reporting",
        pages=Pages(TEXTS, templates, menu=[Link("/", "report.title")]),
    )
