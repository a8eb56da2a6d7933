"""What other services may learn of a person: a name, a yes or no. Each question leaves a line in the log.

Invariant: nobody but intake gets a birth date or a national id; an audit line holds ids and never what was answered.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from chassis.auth import NotFound, Principal, require
from chassis.logs import get_logger
from chassis.problems import Problem
from services.intake.api.candidates import NO_STORE
from services.intake.core import Intake
from services.intake.domain.eligibility import Period, answer
from services.intake.requests import EligibilityQuestion

NameReader = Annotated[Principal, Depends(require("names:read"))]
Asker = Annotated[Principal, Depends(require("eligibility:read"))]

_log = get_logger(__name__)


def router(intake: Intake) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["for services"])

    @routes.get("/candidates/{candidate_id}/name", summary="A person's name, for a page or a certificate")
    async def name(candidate_id: str, principal: NameReader) -> Response:
        state, _ = await intake.candidate(candidate_id, unseal=True)
        service = principal.role == "service"
        # A protected name is not there for other services, and nothing says why.
        if not (principal.is_of(state.intermediary) or (service and not state.protected)):
            raise NotFound
        if state.name is None:
            raise Problem(410, "key_destroyed")
        _audit("name asked", candidate_id, principal)
        return JSONResponse({"candidate_id": candidate_id, "name": state.name}, headers=NO_STORE)

    @routes.post("/candidates/{candidate_id}/eligibility", summary="Whether a person may take part in a measure")
    async def eligibility(candidate_id: str, body: EligibilityQuestion, principal: Asker) -> Response:
        state, _ = await intake.candidate(candidate_id, unseal=True)
        told = answer(Period(body.measure, body.start, body.end), state, intake.clock.today())
        _audit("eligibility asked", candidate_id, principal)
        longest_end = None if told.longest_end is None else told.longest_end.isoformat()
        return JSONResponse({**asdict(told), "longest_end": longest_end}, headers=NO_STORE)

    return routes


def _audit(what: str, candidate_id: str, principal: Principal) -> None:
    _log.info(f"audit: {what}", asked_by=principal.client, actor=principal.sub, candidate=candidate_id)
