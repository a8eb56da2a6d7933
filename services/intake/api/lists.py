"""Code lists over HTTP: occupations as one types, municipalities, and the lists of this product's own.

Invariant: a list is answered in a fixed order with both names, and its version where it has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse, Response

from chassis.auth import authenticated
from chassis.formats import sort_key
from chassis.problems import Problem
from chassis.validation import Found
from contracts import codelists
from contracts.codelists import ADAPTATIONS_VERSION
from services.intake.occupations import search

KEPT_AN_HOUR = {"Cache-Control": "private, max-age=3600"}


def router() -> APIRouter:
    """The routes; whoever is logged in may ask."""
    routes = APIRouter(tags=["code lists"], dependencies=[Depends(authenticated)])

    @routes.get("/occupations", summary="Occupations (STYRK-08) by what somebody types, in Norwegian or English")
    async def occupations(
        q: Annotated[str, Query(max_length=100, description="A code, a name or the beginnings of words in it.")] = "",
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
    ) -> Response:
        return _listed(each._asdict() for each in search(q, limit))

    @routes.get("/municipalities", summary="Municipalities in force; with `code` those that took an older one's place")
    async def municipalities(
        code: Annotated[
            str | None, Query(pattern=r"^[0-9]{4}$", description="A number of any year since 1972.")
        ] = None,
    ) -> Response:
        listed = codelists.municipalities()
        wanted = listed if code is None else codelists.current_municipalities(code)
        return _listed(listed[each]._asdict() for each in sorted(wanted, key=lambda each: sort_key(listed[each].name)))

    @routes.get("/adaptations", summary="What a workplace can adapt, as a hierarchy")
    async def adaptations(
        version: Annotated[str, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="The first day of a version.")] = (
            ADAPTATIONS_VERSION
        ),
    ) -> Response:
        try:
            found = codelists.adaptations(version)
        except KeyError as unknown:
            expected = {"expected": ADAPTATIONS_VERSION}
            raise Problem(422, "invalid", errors=[Found("", "not_in_list", expected, "version")]) from unknown
        return _listed((each._asdict() for each in found.values()), version=version)

    @routes.get("/certificates", summary="Certificates that work may need and people may hold")
    async def certificates() -> Response:
        return _listed(each._asdict() for each in codelists.certificates().values())

    @routes.get("/skills", summary="Skills that a mapping may name")
    async def skills() -> Response:
        return _listed(each._asdict() for each in codelists.skills().values())

    return routes


def _listed(items: Iterable[dict[str, Any]], **more: str) -> Response:
    return JSONResponse({"items": list(items), **more}, headers=KEPT_AN_HOUR)
