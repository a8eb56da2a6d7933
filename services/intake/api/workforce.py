"""Workforce figures over HTTP.

Invariant: an employer reports and reads the figures of its own organisation alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import NotFound, Principal, absent_unless, require
from chassis.commands import Answer, Decision, Loaded
from chassis.respond import Creating, resource, respond
from services.intake.core import Intake, own_org_number
from services.intake.domain import workforce
from services.intake.domain.workforce import ReportWorkforce, Workforce
from services.intake.requests import WorkforceReport

Employer = Annotated[Principal, Depends(require("workforce:write"))]


def router(intake: Intake) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["workforce"])

    @routes.post("/workforce-reports", status_code=201, summary="Report a year's figures, or restate them")
    async def report(body: WorkforceReport, principal: Employer, context: Creating) -> Response:
        number = own_org_number(principal, body.org_number, synthetic=intake.synthetic)
        figures = body.model_dump(exclude={"org_number"})
        command = ReportWorkforce(org_number=number, at=intake.clock.now(), synthetic=intake.synthetic, **figures)
        subject = f"workforce:{number}-{body.year}"

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = workforce.decide(command, _fold(loaded[subject]))
            reported = events[0].data()
            answered = {name: reported[name] for name in ("org_number", "year", "reported_on")}
            return Decision(events, Answer(answered, f"/workforce-reports/{number}/{body.year}", subject))

        return respond(await intake.commands.run(context, [subject], decide))

    @routes.get("/workforce-reports/{org_number}/{year}", summary="The figures that hold for a year")
    async def current(org_number: str, year: int, principal: Employer) -> Response:
        absent_unless(principal.acts_for(org_number))
        subject = f"workforce:{org_number}-{year}"
        loaded = (await intake.log.load([subject]))[subject]
        figures = _fold(loaded).current
        if figures is None:
            raise NotFound
        return resource(figures.data(), version=loaded.version)

    return routes


def _fold(loaded: Loaded) -> Workforce:
    return reduce(workforce.evolve, loaded.events, Workforce())
