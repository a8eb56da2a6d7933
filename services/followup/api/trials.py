"""Trials over HTTP: check-ins, extension, closing.

Invariant: notes are answered to counsellors of the case who ask for them, and to nobody else.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from chassis.auth import Principal, require
from chassis.commands import Answer, CommandContext, Done
from chassis.ids import new_id
from chassis.problems import Problem
from chassis.requests import Id
from chassis.respond import Changing, resource, respond
from contracts.followup import TrialExtended, TrialStarted
from contracts.vocabulary import Measure, Party
from services.followup import requests as bodies
from services.followup.core import Followup, Found, acting, party_of
from services.followup.domain.commands import Close, Extend, HoldCheckIn, ReverseCheckIn
from services.followup.domain.decide import decide
from services.followup.domain.guards import found_trial
from services.followup.domain.subsidies import plan_of
from services.followup.showing import trial_body, with_notes
from services.followup.steps import trial_of
from services.followup.subjects import trial_subject
from services.followup.subsidyshowing import NO_STORE, plan_body

Reader = Annotated[Principal, Depends(require("cases:read"))]
FollowsUp = Annotated[Principal, Depends(require("trials:write"))]
Extender = Annotated[Principal, Depends(require("trials:write", "agreements:decide"))]


def router(followup: Followup) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["trials"])

    @routes.get("/trials/{trial_id}", summary="One trial")
    async def one(
        trial_id: str,
        principal: Reader,
        notes: Annotated[bool, Query(description="With the notes: for counsellors of the case.")] = False,
    ) -> Response:
        opened = notes and party_of(principal) == Party.COUNSELLOR
        if notes and not opened:
            raise Problem(403, "forbidden", scopes="trials:write")
        found = await followup.trial(principal, trial_id, unseal=opened)
        body = trial_body(found, party_of(principal))
        return resource(with_notes(body, found) if opened else body, version=found.loaded.version)

    @routes.post("/trials/{trial_id}/check-ins", status_code=201, summary="Hold a check-in")
    async def check_in(trial_id: str, body: bodies.NewCheckIn, principal: FollowsUp, context: Changing) -> Response:
        return respond(await hold_check_in(followup, principal, context, trial_id, body))

    @routes.post(
        "/trials/{trial_id}/check-ins/{check_in_id}/reversal", status_code=201, summary="Take a wrong check-in back"
    )
    async def check_in_reversal(
        trial_id: str, check_in_id: Id, body: bodies.CheckInReversed, principal: FollowsUp, context: Changing
    ) -> Response:
        return respond(await reverse_check_in(followup, principal, context, trial_id, check_in_id, body))

    @routes.get("/trials/{trial_id}/extension", summary="Dry run: what an extension would do", responses={409: {}})
    async def dry_run(trial_id: str, principal: Extender, asked: Annotated[bodies.Extension, Query()]) -> Response:
        return resource(await preview_extension(followup, principal, trial_id, asked), headers=NO_STORE)

    @routes.post("/trials/{trial_id}/extension", status_code=201, summary="Extend to a later last day")
    async def extension(trial_id: str, body: bodies.Extension, principal: Extender, context: Changing) -> Response:
        return respond(await extend(followup, principal, context, trial_id, body))

    @routes.post("/trials/{trial_id}/closing", status_code=201, summary="Close with an outcome")
    async def closing(trial_id: str, body: bodies.Closing, principal: FollowsUp, context: Changing) -> Response:
        return respond(await close(followup, principal, context, trial_id, body))

    return routes


async def hold_check_in(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.NewCheckIn
) -> Done:
    """Record a check-in."""
    check_in_id = new_id()
    command = partial(
        HoldCheckIn,
        check_in_id=check_in_id,
        held_on=body.held_on,
        progress=body.progress,
        note=body.note,
        agreed=body.agreed,
    )
    text = body.note or body.agreed
    return await followup.on_trial(principal, context, trial_id, command, text=text, check_in_id=check_in_id)


async def reverse_check_in(
    followup: Followup,
    principal: Principal,
    context: CommandContext,
    trial_id: str,
    check_in_id: str,
    body: bodies.CheckInReversed,
) -> Done:
    """Take a check-in back, and say what was missed without it."""
    command = partial(ReverseCheckIn, check_in_id=check_in_id, reason=body.reason, note=body.note, task_id=new_id())
    return await followup.on_trial(principal, context, trial_id, command, text=body.note, check_in_id=check_in_id)


async def reverse_check_in_by_day(
    followup: Followup,
    principal: Principal,
    context: CommandContext,
    trial_id: str,
    body: bodies.CheckInReversedByDay,
) -> Done:
    """The page's way to the same: of the check-ins on that day the last one."""
    found = await followup.trial(principal, trial_id, context)
    trial = trial_of(found.document)
    known = [] if trial is None else trial[1]["check_ins"]
    that_day = [each["check_in_id"] for each in known if each["held_on"] == body.held_on.isoformat()]
    return await reverse_check_in(followup, principal, context, trial_id, that_day[-1] if that_day else "", body)


async def extend(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.Extension
) -> Done:
    """Extend, after intake has said again whether the person may."""
    found = await followup.trial(principal, trial_id, context)
    command = await _extension(followup, principal, found, trial_id, body)
    told = {"trial_id": trial_id, "end_on": body.end_on.isoformat()}
    answer = Answer(told, f"/trials/{trial_id}", trial_subject(trial_id))
    # Who approved is sealed, and must not be the one who extends.
    unseal = command.acting == Party.DECISION_MAKER
    person = found.drafted.candidate_id
    return await followup.run(context, found.subjects, person, command, lambda _: answer, unseal=unseal)


async def preview_extension(
    followup: Followup, principal: Principal, trial_id: str, body: bodies.Extension
) -> dict[str, Any]:
    """The same decision on the same state, and nothing appended. Raises what the extension would."""
    found = await followup.trial(principal, trial_id)
    command = await _extension(followup, principal, found, trial_id, body)
    person = await followup.person(found.drafted.candidate_id, unseal=True)
    _, agreement, trial = found_trial(person, trial_id)
    extended = next(event for event in decide(command, person) if isinstance(event, TrialExtended))
    plan = plan_of(person, agreement, end_on=extended.end_on, percent=extended.wage_subsidy_percent)
    return {
        "trial_id": trial_id,
        "end_on": {"from": trial.end_on.isoformat(), "to": extended.end_on.isoformat()},
        "wage_subsidy_percent": {"from": trial.wage_subsidy_percent, "to": extended.wage_subsidy_percent},
        "decided_by": extended.decided_by,
        "rule_version": extended.rule_version,
        "subsidy_plan": plan_body(agreement.agreement_id, plan),
    }


async def _extension(
    followup: Followup, principal: Principal, found: Found, trial_id: str, body: bodies.Extension
) -> Extend:
    caller = acting(principal)
    if caller == Party.DECISION_MAKER and "agreements:decide" not in principal.scopes:
        raise Problem(403, "forbidden", scopes="agreements:decide")
    person, started = found.drafted.candidate_id, _started(found)
    return Extend(
        at=followup.service.clock.now(),
        trial_id=trial_id,
        acting=caller,
        actor=principal.sub,
        end_on=body.end_on,
        wage_subsidy_percent=body.wage_subsidy_percent,
        eligibility=await followup.persons.eligibility(person, Measure(started.measure), started.on, body.end_on),
    )


async def close(
    followup: Followup, principal: Principal, context: CommandContext, trial_id: str, body: bodies.Closing
) -> Done:
    """Close with an outcome."""
    command = partial(Close, on=body.on, outcome=body.outcome, reason=body.reason, note=body.note)
    return await followup.on_trial(principal, context, trial_id, command, text=body.note)


def _started(found: Found) -> TrialStarted:
    # The last one holds: an earlier one may have been reversed.
    return [event for event in found.loaded.events if isinstance(event, TrialStarted)][-1]
