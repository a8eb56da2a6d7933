"""JSON-stat 2.0, as metadata (without numbers) and as data; and as data in the version before.

Invariant: `value` is dense and row-major; `category.index` and `category.label` have the same keys in the same order;
each symbol in `status` is explained in `note`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from chassis.formats import Language
from services.reporting.domain.cube import CONTENTS, Cube, Described, Dimension, Number, Role
from services.reporting.pxweb.labels import Labels

_ROLES = {Role.TIME: "time", Role.REGION: "geo", Role.CONTENTS: "metric"}


def metadata(table: Described, labels: Labels, links: Mapping[str, str], codelist_url: str) -> dict[str, Any]:
    """The document of `tables/{id}/metadata`: everything but the numbers. `links` by their relation."""
    names = [each.id for each in table.dimensions]
    heading = [table.time.id]
    return _document(table, labels, codelist_url, [name for name in names if name not in heading], heading) | {
        "link": {relation: [{"href": href}] for relation, href in links.items()},
    }


def dataset(cube: Cube, labels: Labels, codelist_url: str, stub: Sequence[str], heading: Sequence[str]) -> bytes:
    """The document of `tables/{id}/data`."""
    document = _document(cube, labels, codelist_url, stub, heading)
    document["value"] = [plain(value) for value in cube.values]
    if cube.status:
        document["status"] = {str(place): symbol.value for place, symbol in cube.status.items()}
    return msgspec.json.encode(document)


def as_version_1(document: bytes) -> bytes:
    """A dataset as older clients read it: named, and with ids, sizes and roles among the dimensions."""
    new: dict[str, Any] = msgspec.json.decode(document)
    dimension = {
        **{name: {"label": each["label"], "category": each["category"]} for name, each in new["dimension"].items()},
        "id": new["id"],
        "size": new["size"],
        "role": new["role"],
    }
    kept = {name: new[name] for name in ("label", "source", "updated", "value", "status") if name in new}
    return msgspec.json.encode({"dataset": {"dimension": dimension, **kept}})


def plain(value: Number | None) -> int | float | None:
    """As a JSON number: the shortest text of the double is the decimal again."""
    return float(value) if isinstance(value, Decimal) else value


def stamp(table: Described) -> str:
    """`updated`, in UTC and whole seconds; never null."""
    return "" if table.updated is None else table.updated.strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(
    table: Described, labels: Labels, codelist_url: str, stub: Sequence[str], heading: Sequence[str]
) -> dict[str, Any]:
    roles: dict[str, list[str]] = {}
    for each in table.dimensions:
        if each.role in _ROLES:
            roles.setdefault(_ROLES[each.role], []).append(each.id)
    return {
        "version": "2.0",
        "class": "dataset",
        "label": labels.title(table),
        "source": labels.say("px.source"),
        "updated": stamp(table),
        "note": labels.notes(table),
        "role": roles,
        "id": [each.id for each in table.dimensions],
        "size": list(table.size),
        "dimension": {each.id: _dimension(table, each, labels, codelist_url) for each in table.dimensions},
        "extension": {
            "px": {
                "tableid": table.id,
                "infofile": "",
                "decimals": min(each.decimals for each in table.contents),
                "official-statistics": False,
                "aggregallowed": False,
                "copyright": False,
                "language": px_language(labels.language),
                "contents": labels.name(table),
                "description": "",
                "descriptiondefault": False,
                "heading": list(heading),
                "stub": list(stub),
                "matrix": table.id,
                "subject-code": "dugnad",
                "subject-area": labels.say("px.subject"),
            },
            "contact": [{"name": labels.say("px.contact"), "raw": labels.say("px.contact")}],
            "tableVersion": table.version,
            "completeTo": dict(table.complete_to),
            "definitions": [
                {"name": each.name, "version": each.version, "text": labels.say(each.text_key)}
                for each in table.definitions
            ],
        },
    }


def px_language(language: Language) -> str:
    """The language as PX files and JSON-stat of PxWeb name it."""
    return "no" if language == "nb" else "en"


def _dimension(table: Described, dimension: Dimension, labels: Labels, codelist_url: str) -> dict[str, Any]:
    listed = [
        {
            "id": each.id,
            "label": labels.say(f"codelist.{each.id}"),
            "type": "Valueset",
            "links": [{"rel": "metadata", "hreflang": labels.language, "href": f"{codelist_url}/{each.id}"}],
        }
        for each in dimension.codelists
    ]
    extension: dict[str, Any] = {
        "elimination": dimension.eliminated,
        "show": "value",
        # Both spellings: clients look for one or the other.
        "codelists": listed,
        "codeLists": listed,
    }
    if dimension.total is not None:
        extension["eliminationValueCode"] = dimension.total
    words = labels.codes(table, dimension)
    category: dict[str, Any] = {
        "index": {code: at for at, code in enumerate(dimension.codes)},
        "label": words,
    }
    if dimension.id == CONTENTS:
        category["unit"] = {
            each.code: {"base": labels.unit(each), "decimals": each.decimals} for each in table.contents
        }
        category["note"] = {each.code: labels.definitions(each) for each in table.contents}
    return {"label": labels.dimension(dimension), "category": category, "extension": extension}
