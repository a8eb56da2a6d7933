"""How a trial ends, over HTTP: closing talk, reversal, certificate, and whether somebody is still employed.

Invariant: a certificate is made from facts when it is fetched, with a name that is asked for then and kept nowhere.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.commands import CommandContext, Done
from chassis.formats import Language
from chassis.ids import new_id
from chassis.problems import busy
from chassis.respond import Changing, respond
from chassis.texts import Texts
from chassis.webstate import language_of
from contracts.vocabulary import Party
from services.followup import requests as bodies
from services.followup.certificate import Facts, certificate_pdf
from services.followup.core import Followup, party_of
from services.followup.domain.commands import (
    ConfirmEmployment,
    HoldClosingTalk,
    IssueCertificate,
    ReverseOutcome,
)

Reader = Annotated[Principal, Depends(require("cases:read"))]
FollowsUp = Annotated[Principal, Depends(require("trials:write"))]


def router(followup: Followup, texts: Texts) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["trials"])

    @routes.post("/trials/{trial_id}/closing-talk", status_code=201, summary="Hold the closing talk")
    async def talk(trial_id: str, body: bodies.ClosingTalk, principal: FollowsUp, context: Changing) -> Response:
        return respond(await hold_closing_talk(followup, principal, context, trial_id, body))

    @routes.post("/trials/{trial_id}/outcome-reversal", status_code=201, summary="Take a wrong outcome back")
    async def reversal(trial_id: str, body: bodies.Reversal, principal: FollowsUp, context: Changing) -> Response:
        return respond(await reverse_outcome(followup, principal, context, trial_id, body))

    @routes.post("/trials/{trial_id}/certificate", status_code=201, summary="Issue the certificate")
    async def issue(trial_id: str, body: bodies.NewCertificate, principal: FollowsUp, context: Changing) -> Response:
        return respond(await issue_certificate(followup, principal, context, trial_id, body))

    @routes.get("/trials/{trial_id}/certificate", summary="The certificate as a PDF, in Norwegian or English")
    async def certificate(
        request: Request,
        trial_id: str,
        principal: Reader,
        language: Annotated[Language | None, Query()] = None,
    ) -> Response:
        chosen = language or language_of(request)
        pdf = await _certificate(followup, texts, principal, trial_id, chosen)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="attest-{chosen}.pdf"',
            "Content-Language": chosen,
        }
        return Response(pdf, media_type="application/pdf", headers=headers)

    @routes.post("/trials/{trial_id}/employment", status_code=201, summary="Say whether somebody is still employed")
    async def employment(trial_id: str, body: bodies.Employment, principal: FollowsUp, context: Changing) -> Response:
        return respond(await confirm_employment(followup, principal, context, trial_id, body))

    return routes


async def hold_closing_talk(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.ClosingTalk
) -> Done:
    """Record the last talk."""
    command = partial(HoldClosingTalk, held_on=body.held_on, note=body.note)
    return await followup.on_trial(principal, context, trial_id, command, text=body.note)


async def reverse_outcome(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.Reversal
) -> Done:
    """Take an outcome back, and say the right one."""
    command = partial(ReverseOutcome, outcome=body.outcome, reason=body.reason, note=body.note)
    return await followup.on_trial(principal, context, trial_id, command, text=body.note)


async def issue_certificate(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, _: bodies.NewCertificate
) -> Done:
    """Issue the certificate; it can be fetched from then on."""
    certificate_id = new_id()
    command = partial(IssueCertificate, certificate_id=certificate_id)
    return await followup.on_trial(principal, context, trial_id, command, certificate_id=certificate_id)


async def confirm_employment(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.Employment
) -> Done:
    """Record whether somebody is still employed."""
    command = partial(ConfirmEmployment, after_months=body.after_months, employed=body.employed, on=body.on)
    return await followup.on_trial(principal, context, trial_id, command)


async def _certificate(
    followup: Followup, texts: Texts, principal: Principal, trial_id: str, language: Language
) -> bytes:
    """For the participant and the counsellors of the case. Raises NotFound, also where none was issued."""
    if party_of(principal) not in (Party.PARTICIPANT, Party.COUNSELLOR):
        raise NotFound
    found = await followup.trial(principal, trial_id)
    case = await followup.case(principal, found.drafted.match_id)
    if "certificate" not in case["trials"].get(trial_id, {}):
        raise NotFound
    name = await followup.persons.name(found.drafted.candidate_id)
    if name is None:
        # A certificate without the name would be somebody else's.
        raise busy("name_unavailable")
    return certificate_pdf(Facts.of(case, trial_id, name), texts, language)
