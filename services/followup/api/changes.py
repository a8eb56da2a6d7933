"""What changes while a trial runs, over HTTP: the candidate's voice, other hours, an earlier last day.

Invariant: what the candidate says is there for the case's counsellor alone; for everybody else it is absent.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import NotFound, Principal, authenticated, require
from chassis.commands import CommandContext, Done
from chassis.ids import new_id
from chassis.respond import Changing, Creating, resource, respond
from contracts.followup import VoiceGiven
from contracts.vocabulary import Party
from services.followup import requests as bodies
from services.followup.core import Followup, party_of
from services.followup.domain.commands import AnswerChange, GiveVoice, ProposeChange, Shorten
from services.followup.steps import trial_of, waiting_change
from services.followup.subsidyshowing import NO_STORE

Candidate = Annotated[Principal, Depends(require("candidates:answer"))]
Anybody = Annotated[Principal, Depends(authenticated)]
Approver = Annotated[Principal, Depends(require("agreements:approve"))]
FollowsUp = Annotated[Principal, Depends(require("trials:write", "agreements:decide"))]


def router(followup: Followup) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["trials"])

    @routes.post("/trials/{trial_id}/voices", status_code=201, summary="Say, as the candidate, how it goes")
    async def say(trial_id: str, body: bodies.NewVoice, principal: Candidate, context: Creating) -> Response:
        return respond(await give_voice(followup, principal, context, trial_id, body))

    @routes.get("/trials/{trial_id}/voices", summary="What the candidate has said: for the case's counsellor")
    async def said(trial_id: str, principal: Anybody) -> Response:
        return resource({"items": await voices(followup, principal, trial_id)}, headers=NO_STORE)

    @routes.post("/trials/{trial_id}/changes", status_code=201, summary="Ask the other party for other hours")
    async def propose(trial_id: str, body: bodies.NewChange, principal: Approver, context: Changing) -> Response:
        return respond(await propose_change(followup, principal, context, trial_id, body))

    @routes.post("/trials/{trial_id}/changes/{change_id}/answer", status_code=201, summary="Answer such a question")
    async def answer(
        trial_id: str, change_id: str, body: bodies.ChangeAnswer, principal: Approver, context: Changing
    ) -> Response:
        return respond(await answer_change(followup, principal, context, trial_id, change_id, body))

    @routes.post("/trials/{trial_id}/shortening", status_code=201, summary="Shorten to an earlier last day")
    async def shortening(trial_id: str, body: bodies.Shortening, principal: FollowsUp, context: Changing) -> Response:
        return respond(await shorten(followup, principal, context, trial_id, body))

    return routes


async def give_voice(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.NewVoice
) -> Done:
    """Seal what the candidate says."""
    voice_id = new_id()
    command = partial(GiveVoice, voice_id=voice_id, answers=body.answers())
    # All of it is about the person, also without a text.
    return await followup.on_trial(principal, context, trial_id, command, text="voice", voice_id=voice_id)


async def voices(followup: Followup, principal: Principal, trial_id: str) -> list[dict[str, Any]]:
    """What the candidate has said, the latest first. Raises NotFound for everybody but the case's counsellor.

    That is whoever has taken the case; as long as nobody has, any counsellor of its intermediary.
    """
    if party_of(principal) != Party.COUNSELLOR or "trials:write" not in principal.scopes:
        raise NotFound
    found = await followup.trial(principal, trial_id, unseal=True)
    person = await followup.person(found.drafted.candidate_id)
    case = person.cases[found.drafted.match_id]
    if case.counsellor_id is not None and case.counsellor_id != await followup.counsellors.known(principal.sub):
        raise NotFound
    said = [event for event in found.loaded.events if isinstance(event, VoiceGiven)]
    return [
        {"voice_id": each.voice_id, "given_on": each.given_on.isoformat(), "answers": dict(each.sealed or {})}
        for each in reversed(said)
    ]


async def propose_change(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.NewChange
) -> Done:
    """Ask the other party for other hours."""
    change_id = new_id()
    command = partial(
        ProposeChange,
        change_id=change_id,
        effective_on=body.effective_on,
        hours_per_week=body.hours_per_week,
        note=body.note,
    )
    return await followup.on_trial(principal, context, trial_id, command, text=body.note, change_id=change_id)


async def answer_change(
    followup: Followup,
    principal: Principal,
    context: CommandContext,
    trial_id: str,
    change_id: str,
    body: bodies.ChangeAnswer,
) -> Done:
    """Accept, decline, or take one's own question back."""
    command = partial(AnswerChange, change_id=change_id, accepted=body.accepted, note=body.note)
    return await followup.on_trial(principal, context, trial_id, command, text=body.note, change_id=change_id)


async def answer_waiting(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.ChangeAnswer
) -> Done:
    """The page's way to the same: the change that waits."""
    found = await followup.trial(principal, trial_id, context)
    trial = trial_of(found.document)
    change = None if trial is None else waiting_change(trial[1])
    change_id = "" if change is None else change["change_id"]
    return await answer_change(followup, principal, context, trial_id, change_id, body)


async def shorten(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.Shortening
) -> Done:
    """Shorten, for a reason."""
    command = partial(Shorten, end_on=body.end_on, reason=body.reason, note=body.note)
    return await followup.on_trial(
        principal, context, trial_id, command, text=body.note, end_on=body.end_on.isoformat()
    )
