"""The page of workforce figures: an employer reports a year, and restates it.

Invariant: the form goes the way of the API, with the same checks; it begins with the figures that hold, and is based on
them, so that of two who correct a year at once the second one is told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import Principal, require
from chassis.pages import page_router
from chassis.respond import Creating, respond_page
from chassis.webstate import web_of
from services.intake.api.candidates import NO_STORE
from services.intake.api.workforce import figures_of, report_workforce
from services.intake.core import Intake, own_org_number
from services.intake.domain.workforce import FIRST_YEAR, MOST_PEOPLE
from services.intake.formpages import (
    FORM_ERRORS,
    WAIT_SECONDS,
    Shown,
    beside_now,
    fields,
    form_again,
    status_of,
    typed_in,
)
from services.intake.inputs import Input, numbers, plain
from services.intake.operations import unit_or_none
from services.intake.peopleforms import named
from services.intake.requests import WorkforceReport

Employer = Annotated[Principal, Depends(require("workforce:write"))]
PATH = "/workforce"
YEAR = Input("year", "number", required=True, least=FIRST_YEAR, most=2199)
FIGURES = (
    Input("head_count", "number", required=True, least=1, most=MOST_PEOPLE),
    *(
        Input(name, "number", most=MOST_PEOPLE)
        for name in (
            "immigrant_background",
            "country_group_1",
            "country_group_2",
            "reduced_functional_ability",
            "cv_gap",
        )
    ),
)
_NAMES = tuple(each.name for each in FIGURES)


def router(intake: Intake) -> APIRouter:
    """The page and its form."""
    routes = page_router()

    @routes.get(PATH)
    async def one(
        request: Request,
        principal: Employer,
        year: Annotated[int | None, Query(ge=FIRST_YEAR, le=2199)] = None,
        org_number: Annotated[str | None, Query(max_length=20)] = None,
    ) -> Response:
        return await _page(intake, request, principal, org_number, year)

    @routes.post(PATH)
    async def report(request: Request, principal: Employer, context: Creating) -> Response:
        typed = await typed_in(request, FIGURES)
        try:
            body = WorkforceReport.model_validate({**plain(typed, "org_number"), **numbers(typed, "year", *_NAMES)})
            done = await report_workforce(intake, principal, replace(context, wait=WAIT_SECONDS), body)
        except FORM_ERRORS as error:
            form, year = form_again(request, typed, error, named), typed.get("year", "")
            return await _page(
                *(intake, request, principal, typed.get("org_number"), int(year) if _is_year(year) else None),
                form=form,
                status=status_of(error),
            )
        told = done.answer.body
        query = urlencode({"org_number": told["org_number"], "year": told["year"]})
        return respond_page(f"{PATH}?{query}", done)

    return routes


def _is_year(text: str) -> bool:
    return len(text) == len("2017") and text.isascii() and text.isdecimal()


async def _page(
    intake: Intake,
    request: Request,
    principal: Principal,
    org_number: str | None,
    year: int | None,
    *,
    form: Shown | None = None,
    status: int = 200,
) -> Response:
    org_numbers = sorted(principal.org_numbers)
    number = own_org_number(principal, org_number or next(iter(org_numbers), None), synthetic=intake.synthetic)
    shown = intake.clock.today().year - 1 if year is None else year
    figures, version = await figures_of(intake, number, shown)
    holds: dict[str, Any] = {} if figures is None else figures.data()
    now = {name: str(value) for name in _NAMES if (value := holds.get(name)) is not None}
    units = [await unit_or_none(intake, each) for each in org_numbers]
    return web_of(request).pages.render(
        request,
        "workforce.html",
        status=status,
        headers=NO_STORE,
        org_number=number,
        employers=[(each, each if unit is None else unit.name) for each, unit in zip(org_numbers, units, strict=True)],
        year=shown,
        reported_on=holds.get("reported_on"),
        version=version,
        choose=fields(request, (YEAR,)),
        inputs=fields(request, FIGURES),
        form=beside_now(request, form, FIGURES, now) or Shown(now),
    )
