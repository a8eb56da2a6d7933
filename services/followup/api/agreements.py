"""Agreements over HTTP: approve, take back, annul, confirm the start or that nobody came.

Invariant: the caller's role says which party the caller is; the body only says for whom they speak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import Principal, require
from chassis.commands import Answer, CommandContext, Done
from chassis.ids import new_id
from chassis.problems import Problem
from chassis.respond import Changing, resource, respond
from contracts.followup import AgreementConcluded, FollowupEvent, TrialStarted
from contracts.vocabulary import Party
from services.followup import requests as bodies
from services.followup.core import Followup, acting
from services.followup.domain.commands import Annul, Approve, ConfirmStart, ReportNoShow, RevokeApproval
from services.followup.showing import agreement_body
from services.followup.subjects import agreement_subject, trial_subject

Reader = Annotated[Principal, Depends(require("cases:read"))]
Approver = Annotated[Principal, Depends(require("agreements:approve", "agreements:decide"))]
Drafter = Annotated[Principal, Depends(require("agreements:write"))]
Starter = Annotated[Principal, Depends(require("trials:write"))]


def router(followup: Followup) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["agreements"])

    @routes.get("/agreements/{agreement_id}", summary="One agreement")
    async def one(agreement_id: str, principal: Reader) -> Response:
        found = await followup.agreement(principal, agreement_id)
        return resource(agreement_body(found), version=found.loaded.version)

    @routes.post("/agreements/{agreement_id}/approval", status_code=201, summary="Approve as a party")
    async def approval(agreement_id: str, body: bodies.Approval, principal: Approver, context: Changing) -> Response:
        return respond(await approve(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/approval-revocation", status_code=201, summary="Take an approval back")
    async def revocation(
        agreement_id: str, body: bodies.Revocation, principal: Approver, context: Changing
    ) -> Response:
        found = await followup.agreement(principal, agreement_id)
        command = RevokeApproval(
            at=followup.service.clock.now(),
            agreement_id=agreement_id,
            acting=acting(principal),
            actor=principal.sub,
            party=body.party,
            note=body.note,
        )
        person = found.drafted.candidate_id
        return respond(
            await followup.run(context, found.subjects, person, command, _answer(agreement_id), text=body.note)
        )

    @routes.post("/agreements/{agreement_id}/annulment", status_code=201, summary="Annul before the start")
    async def annulment(agreement_id: str, body: bodies.Annulment, principal: Drafter, context: Changing) -> Response:
        found = await followup.agreement(principal, agreement_id)
        command = Annul(
            at=followup.service.clock.now(),
            agreement_id=agreement_id,
            acting=acting(principal),
            actor=principal.sub,
            reason=body.reason,
            note=body.note,
        )
        person = found.drafted.candidate_id
        return respond(
            await followup.run(context, found.subjects, person, command, _answer(agreement_id), text=body.note)
        )

    @routes.post("/agreements/{agreement_id}/start", status_code=201, summary="Confirm that the candidate showed up")
    async def start(agreement_id: str, body: bodies.Start, principal: Starter, context: Changing) -> Response:
        return respond(await confirm_start(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/no-show", status_code=201, summary="Report that nobody came")
    async def no_show(agreement_id: str, body: bodies.NoShow, principal: Starter, context: Changing) -> Response:
        return respond(await report_no_show(followup, principal, context, agreement_id, body))

    return routes


async def approve(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Approval
) -> Done:
    """Approve, for oneself or on behalf of somebody."""
    found = await followup.agreement(principal, agreement_id)
    caller = acting(principal)
    if caller == Party.DECISION_MAKER and "agreements:decide" not in principal.scopes:
        raise Problem(403, "forbidden", scopes="agreements:decide")
    command = Approve(
        at=followup.service.clock.now(),
        agreement_id=agreement_id,
        acting=caller,
        actor=principal.sub,
        party=body.party,
        reason=body.reason,
        task_id=new_id(),
    )
    return await followup.run(
        context,
        found.subjects,
        found.drafted.candidate_id,
        command,
        _answer(agreement_id),
        text=body.reason,
        # Who approved before is sealed, and must not be the same person.
        unseal=caller == Party.DECISION_MAKER,
    )


async def confirm_start(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Start
) -> Done:
    """Confirm the start; its trial is the answer's subject."""
    found = await followup.agreement(principal, agreement_id)
    registered = await followup.registered(found.drafted.match_id)
    trial_id = new_id()
    command = ConfirmStart(
        at=followup.service.clock.now(),
        agreement_id=agreement_id,
        acting=acting(principal),
        actor=principal.sub,
        trial_id=trial_id,
        on=body.on,
        registered_on=date.fromisoformat(registered["registered_on"]),
    )

    def answer(events: Sequence[FollowupEvent]) -> Answer:
        started = next(event for event in events if isinstance(event, TrialStarted))
        told = {
            "trial_id": trial_id,
            "agreement_id": agreement_id,
            "days_from_need": started.days_from_need,
            "within_promise": started.within_promise,
        }
        return Answer(told, f"/trials/{trial_id}", trial_subject(trial_id))

    names = [*found.subjects, trial_subject(trial_id)]
    return await followup.run(context, names, found.drafted.candidate_id, command, answer)


async def report_no_show(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.NoShow
) -> Done:
    """Report that nobody came on that day."""
    found = await followup.agreement(principal, agreement_id)
    command = ReportNoShow(
        at=followup.service.clock.now(),
        agreement_id=agreement_id,
        acting=acting(principal),
        actor=principal.sub,
        on=body.on,
    )
    return await followup.run(context, found.subjects, found.drafted.candidate_id, command, _answer(agreement_id))


def _answer(agreement_id: str) -> Callable[[Sequence[FollowupEvent]], Answer]:
    def answer(events: Sequence[FollowupEvent]) -> Answer:
        concluded = any(isinstance(event, AgreementConcluded) for event in events)
        told = {"agreement_id": agreement_id, "concluded": concluded}
        return Answer(told, f"/agreements/{agreement_id}", agreement_subject(agreement_id))

    return answer
