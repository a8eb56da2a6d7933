"""The documents about tables: configuration, lists of tables, code lists, default selections.

Invariant: links are absolute; no string is null; a page past the end is 404.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from urllib.parse import urlencode

from chassis.formats import LANGUAGES
from chassis.problems import NotFound
from services.reporting.domain.cube import Codelist, Described, Dimension
from services.reporting.domain.periods import Frequency
from services.reporting.pxweb.formats import DEFAULT, Format
from services.reporting.pxweb.jsonstat import stamp
from services.reporting.pxweb.labels import Labels
from services.reporting.pxweb.selection import default_of

API_VERSION = "2.0.0"
PAGE_SIZE = 20
_NAMES = {"nb": "Norsk (bokmål)", "en": "English"}
_UNITS = {Frequency.MONTH: "Monthly", Frequency.QUARTER: "Quarterly", Frequency.YEAR: "Annual"}


@dataclass(frozen=True)
class Place:
    """Where the API stands, and what its readers may."""

    base: str
    """The absolute address, without a slash at its end."""
    public: bool
    max_cells: int
    calls: int
    window_seconds: int

    def links(self, language: str, relations: Mapping[str, str]) -> list[dict[str, str]]:
        """One link per relation, to a path below the base."""
        return [
            {"rel": name, "hreflang": language, "href": f"{self.base}/{path}?lang={language}"}
            for name, path in relations.items()
        ]


def config(place: Place, app_version: str) -> dict[str, Any]:
    """`config`: what a client has to know before it asks."""
    return {
        "apiVersion": API_VERSION,
        "appVersion": app_version,
        "languages": [{"id": language, "label": _NAMES[language]} for language in LANGUAGES],
        "defaultLanguage": LANGUAGES[0],
        "maxDataCells": place.max_cells,
        "maxCallsPerTimeWindow": place.calls,
        "timeWindow": place.window_seconds,
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "sourceReferences": [{"language": language, "text": "Dugnad"} for language in LANGUAGES],
        "defaultDataFormat": DEFAULT.value,
        "dataFormats": [each.value for each in Format],
        "features": [{"id": "CORS", "params": [{"key": "enabled", "value": str(place.public)}]}],
    }


def chosen(
    found: Sequence[Described], labels: Labels, *, query: str, past_days: int | None, now: datetime
) -> list[Described]:
    """The tables whose words hold every word of the query, and that were updated so lately."""
    words = query.lower().split()
    listed = []
    for table in found:
        told = " ".join((table.id, labels.title(table), *(labels.content(table, each.code) for each in table.contents)))
        recent = past_days is None or (table.updated is not None and table.updated >= now - timedelta(days=past_days))
        if recent and all(word in told.lower() for word in words):
            listed.append(table)
    return listed


def page(
    found: Sequence[Described],
    labels: Labels,
    place: Place,
    ended: Mapping[str, bool],
    *,
    number: int,
    size: int,
    asked: Mapping[str, str],
) -> dict[str, Any]:
    """`tables`. Raises NotFound for a page past the end."""
    pages = max(1, ceil(len(found) / size))
    if number > pages:
        raise NotFound
    language = labels.language

    def to(relation: str, at: int) -> dict[str, str]:
        query = urlencode({"lang": language, **asked, "pageNumber": at, "pageSize": size})
        return {"rel": relation, "hreflang": language, "href": f"{place.base}/tables?{query}"}

    links = [to("first", 1), to("last", pages)]
    links += [to("next", number + 1)] if number < pages else []
    links += [to("previous", number - 1)] if number > 1 else []
    shown = found[(number - 1) * size : number * size]
    return {
        "language": language,
        "tables": [table(each, labels, place, discontinued=ended.get(each.id, False)) for each in shown],
        "page": {
            "pageNumber": number,
            "pageSize": size,
            "totalElements": len(found),
            "totalPages": pages,
            "links": links,
        },
        "links": place.links(language, {"self": "tables"}),
    }


def table(found: Described, labels: Labels, place: Place, *, discontinued: bool) -> dict[str, Any]:
    """One entry of the list; also the answer of `tables/{id}`."""
    periods = found.time.codes
    at = f"tables/{found.id}"
    return {
        "type": "Table",
        "language": labels.language,
        "id": found.id,
        "label": labels.title(found),
        "description": labels.name(found),
        "sortCode": found.id,
        "updated": stamp(found),
        "firstPeriod": periods[0],
        "lastPeriod": periods[-1],
        "category": "public" if place.public else "internal",
        "variableNames": [labels.dimension(each) for each in found.dimensions],
        "discontinued": discontinued,
        "source": labels.say("px.source"),
        "subjectCode": "dugnad",
        "timeUnit": _UNITS.get(Frequency(found.time.labels or Frequency.MONTH), "Other"),
        "paths": [[{"id": "dugnad", "label": labels.say("px.subject")}]],
        "links": place.links(labels.language, {"self": at, "metadata": f"{at}/metadata", "data": f"{at}/data"}),
    }


def codelist(
    found: Codelist, table_of: Described, dimension: Dimension, labels: Labels, place: Place
) -> dict[str, Any]:
    """`codelists/{id}`: a choice of codes of a variable, each standing for itself."""
    words = labels.codes(table_of, dimension)
    return {
        "id": found.id,
        "label": labels.say(f"codelist.{found.id}"),
        "language": labels.language,
        "languages": list(LANGUAGES),
        "elimination": False,
        "type": "Valueset",
        "values": [{"code": code, "label": words[code], "valueMap": [code]} for code in found.codes],
        "links": place.links(labels.language, {"self": f"codelists/{found.id}"}),
    }


def default_selection(found: Described, labels: Labels, place: Place) -> dict[str, Any]:
    """`tables/{id}/defaultselection`: what data are sent to whoever chooses nothing."""
    codes = default_of(found)
    return {
        "language": labels.language,
        "selection": [
            {"variableCode": each.id, "codelist": None, "valueCodes": list(codes[each.id])} for each in found.dimensions
        ],
        "placement": {
            "heading": [found.time.id],
            "stub": [each.id for each in found.dimensions if each.id != found.time.id],
        },
        "links": place.links(labels.language, {"self": f"tables/{found.id}/defaultselection"}),
    }
