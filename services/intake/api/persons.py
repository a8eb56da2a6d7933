"""What other services may learn of a person: a name, a yes or no. Each question is audited, also one that is refused.

Invariant: nobody but intake gets a birth date or a national id.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse, Response

from chassis.audit import Why
from chassis.auth import Principal, require
from chassis.problems import Problem
from services.intake.api.candidates import NO_STORE
from services.intake.core import Intake, candidate_subject, fold_candidate
from services.intake.domain.candidates import Candidate
from services.intake.domain.eligibility import Period, answer
from services.intake.requests import EligibilityQuestion

NameReader = Annotated[Principal, Depends(require("names:read"))]
Asker = Annotated[Principal, Depends(require("eligibility:read"))]


def router(intake: Intake) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["for services"])

    @routes.get("/candidates/{candidate_id}/name", summary="A person's name, for a page or a certificate")
    async def name(candidate_id: str, principal: NameReader) -> Response:
        state = await _state(intake, candidate_id)
        await intake.audit.read(principal, candidate_id, "name", _reason(principal, state))
        named, _ = await intake.candidate(candidate_id, unseal=True)
        if named.name is None:
            raise Problem(410, "key_destroyed")
        return JSONResponse({"candidate_id": candidate_id, "name": named.name}, headers=NO_STORE)

    @routes.post("/candidates/{candidate_id}/eligibility", summary="Whether a person may take part in a measure")
    async def eligibility(candidate_id: str, body: EligibilityQuestion, principal: Asker) -> Response:
        known = await _state(intake, candidate_id) is not None
        await intake.audit.read(principal, candidate_id, "eligibility", Why.SERVICE if known else None)
        state, _ = await intake.candidate(candidate_id, unseal=True)
        told = answer(Period(body.measure, body.start, body.end), state, intake.clock.today())
        longest_end = None if told.longest_end is None else told.longest_end.isoformat()
        return JSONResponse({**asdict(told), "longest_end": longest_end}, headers=NO_STORE)

    return routes


async def _state(intake: Intake, candidate_id: str) -> Candidate | None:
    subject = candidate_subject(candidate_id)
    return fold_candidate((await intake.log.load([subject]))[subject])


def _reason(principal: Principal, state: Candidate | None) -> Why | None:
    if state is None:
        return None
    if principal.is_of(state.intermediary):
        return Why.OWN_CANDIDATE
    # A protected name is not there for other services, and nothing says why.
    return Why.SERVICE if principal.role == "service" and not state.protected else None
