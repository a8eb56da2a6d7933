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
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded
from chassis.respond import Creating, resource, respond
from contracts.intake import WorkforceReported
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
        return respond(await report_workforce(intake, principal, context, body))

    @routes.get("/workforce-reports/{org_number}/{year}", summary="The figures that hold for a year")
    async def current(org_number: str, year: int, principal: Employer) -> Response:
        absent_unless(principal.acts_for(org_number))
        figures, version = await figures_of(intake, org_number, year)
        if figures is None:
            raise NotFound
        return resource(figures.data(), version=version)

    return routes


async def report_workforce(
    intake: Intake, principal: Principal, context: CommandContext, body: WorkforceReport
) -> Done:
    """Report a year of one of the caller's employers, or restate it. Raises Refused, NotFound, Stale."""
    number = own_org_number(principal, body.org_number, synthetic=intake.synthetic)
    figures = body.model_dump(exclude={"org_number"})
    command = ReportWorkforce(org_number=number, at=intake.clock.now(), synthetic=intake.synthetic, **figures)
    subject = _subject(number, body.year)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = workforce.decide(command, _fold(loaded[subject]))
        reported = events[0].data()
        answered = {name: reported[name] for name in ("org_number", "year", "reported_on")}
        return Decision(events, Answer(answered, f"/workforce-reports/{number}/{body.year}", subject))

    return await intake.commands.run(context, [subject], decide)


async def figures_of(intake: Intake, org_number: str, year: int) -> tuple[WorkforceReported | None, int]:
    """The figures that hold for a year of an employer, None where nothing was reported, and their version."""
    subject = _subject(org_number, year)
    loaded = (await intake.log.load([subject]))[subject]
    return _fold(loaded).current, loaded.version


def _subject(org_number: str, year: int) -> str:
    return f"workforce:{org_number}-{year}"


def _fold(loaded: Loaded) -> Workforce:
    return reduce(workforce.evolve, loaded.events, Workforce())
