"""Agreements over HTTP: approve, take back, annul, confirm the start or that nobody came.

Invariant: the caller's role says which party the caller is; the body only says for whom they speak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.commands import Answer, CommandContext, Done, Loaded
from chassis.freshness import Fresh
from chassis.ids import new_id
from chassis.problems import Problem
from chassis.respond import Changing, resource, respond
from contracts.followup import AgreementConcluded, CaseEvent, TrialStarted
from contracts.vocabulary import Party
from services.followup import requests as bodies
from services.followup.core import Followup, acting
from services.followup.domain.commands import (
    Annul,
    Approve,
    Change,
    Command,
    ConfirmStart,
    ReportNoShow,
    RevokeApproval,
)
from services.followup.domain.guards import found_agreement
from services.followup.domain.start import differs
from services.followup.domain.subsidies import plan_of
from services.followup.showing import agreement_body, differences, versions
from services.followup.subjects import agreement_subject, person_of, person_subject, slot_subject, trial_subject
from services.followup.subsidyshowing import NO_STORE, plan_body

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

    @routes.get("/agreements/{agreement_id}/versions", summary="Every content that the agreement has had")
    async def all_versions(agreement_id: str, principal: Reader, fresh: Fresh) -> Response:
        return resource({"items": await _versions(followup, principal, agreement_id, fresh)})

    @routes.get("/agreements/{agreement_id}/comparison", summary="What differs between two versions")
    async def comparison(
        agreement_id: str,
        principal: Reader,
        fresh: Fresh,
        one: Annotated[int, Query(alias="from", ge=1, description="The number of a version.")],
        other: Annotated[int, Query(alias="to", ge=1, description="The number of another one.")],
    ) -> Response:
        found = await _versions(followup, principal, agreement_id, fresh)
        if max(one, other) > len(found):
            raise NotFound
        told = differences(found[one - 1], found[other - 1])
        return resource({"agreement_id": agreement_id, "from": one, "to": other, "differences": told})

    @routes.get("/agreements/{agreement_id}/subsidy-plan", summary="What the subsidy amounts to, period by period")
    async def subsidy_plan(agreement_id: str, principal: Reader) -> Response:
        found = await followup.agreement(principal, agreement_id)
        person = await followup.person(found.drafted.candidate_id, unseal=True)
        _, agreement = found_agreement(person, agreement_id)
        return resource(plan_body(agreement_id, plan_of(person, agreement)), headers=NO_STORE)

    @routes.post("/agreements/{agreement_id}/change", status_code=201, summary="Change the content before the start")
    async def changed(agreement_id: str, body: bodies.NewAgreement, principal: Drafter, context: Changing) -> Response:
        return respond(await change_agreement(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/approval", status_code=201, summary="Approve as a party")
    async def approval(agreement_id: str, body: bodies.Approval, principal: Approver, context: Changing) -> Response:
        return respond(await approve(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/approval-revocation", status_code=201, summary="Take an approval back")
    async def revocation(
        agreement_id: str, body: bodies.Revocation, principal: Approver, context: Changing
    ) -> Response:
        return respond(await revoke(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/annulment", status_code=201, summary="Annul before the start")
    async def annulment(agreement_id: str, body: bodies.Annulment, principal: Drafter, context: Changing) -> Response:
        return respond(await annul(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/start", status_code=201, summary="Confirm that the candidate showed up")
    async def start(agreement_id: str, body: bodies.Start, principal: Starter, context: Changing) -> Response:
        return respond(await confirm_start(followup, principal, context, agreement_id, body))

    @routes.post("/agreements/{agreement_id}/no-show", status_code=201, summary="Report that nobody came")
    async def no_show(agreement_id: str, body: bodies.NoShow, principal: Starter, context: Changing) -> Response:
        return respond(await report_no_show(followup, principal, context, agreement_id, body))

    return routes


async def _versions(followup: Followup, principal: Principal, agreement_id: str, fresh: Fresh) -> list[dict[str, Any]]:
    await fresh.in_views(followup.cases)
    found = await followup.agreement(principal, agreement_id)
    return versions(await followup.case(principal, found.drafted.match_id), agreement_id)


async def change_agreement(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.NewAgreement
) -> Done:
    """Change, after intake has said again whether the person may."""
    found = await followup.agreement(principal, agreement_id, context)
    person = found.drafted.candidate_id
    registered = await followup.registered(found.drafted.match_id)
    command = Change(
        at=followup.service.clock.now(),
        agreement_id=agreement_id,
        acting=acting(principal),
        task_id=new_id(),
        registered_on=date.fromisoformat(registered["registered_on"]),
        measure=body.measure,
        start_on=body.start_on,
        end_on=body.end_on,
        hours_per_week=body.hours_per_week,
        wage_subsidy_percent=body.wage_subsidy_percent,
        late_registration=body.late_registration,
        wage=None if body.wage is None else body.wage.wage(),
        eligibility=await followup.persons.eligibility(person, body.measure, body.start_on, body.end_on),
    )
    text = None if body.wage is None else "wage"
    return await followup.run(context, found.subjects, person, command, _answer(agreement_id), text=text)


async def approve(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Approval
) -> Done:
    """Approve, for oneself or on behalf of somebody."""
    found = await followup.agreement(principal, agreement_id, context)
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


async def revoke(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Revocation
) -> Done:
    """Take an approval back: all of them are cleared."""
    command = partial(RevokeApproval, party=body.party, note=body.note)
    return await _on_agreement(followup, principal, context, agreement_id, command, text=body.note)


async def annul(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Annulment
) -> Done:
    """Annul before the start: it never counts."""
    command = partial(Annul, reason=body.reason, note=body.note)
    return await _on_agreement(followup, principal, context, agreement_id, command, text=body.note)


async def confirm_start(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Start
) -> Done:
    """Confirm the start; its trial is the answer's subject. Raises Refused where another day has been confirmed.

    What was said is stored all the same, and the task that asks which day it was; the day that was confirmed stands.
    """
    done = await say_start(followup, principal, context, agreement_id, body)
    if done.answer.body.get("differs"):
        found = await followup.agreement(principal, agreement_id, context)
        _, agreement = found_agreement(await followup.person(found.drafted.candidate_id), agreement_id)
        assert agreement.trial is not None, "else nothing would differ"
        raise differs(agreement.trial.started_on)
    return done


async def say_start(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.Start
) -> Done:
    """The same for somebody who knows that another day may have been confirmed, and wants to say so."""
    found = await followup.agreement(principal, agreement_id, context)
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
        task_id=new_id(),
    )

    def answer(events: Sequence[CaseEvent]) -> Answer:
        started = next((event for event in events if isinstance(event, TrialStarted)), None)
        if started is None:
            return Answer({"differs": True}, f"/agreements/{agreement_id}", agreement_subject(agreement_id))
        told = {
            "trial_id": trial_id,
            "agreement_id": agreement_id,
            "days_from_need": started.days_from_need,
            "within_promise": started.within_promise,
        }
        return Answer(told, f"/trials/{trial_id}", trial_subject(trial_id))

    candidate_id = found.drafted.candidate_id
    names = [*found.subjects, slot_subject(found.drafted.slot_id)]

    def subjects(loaded: Mapping[str, Loaded]) -> list[str]:
        if (known := loaded.get(person_subject(candidate_id))) is None:
            return names
        # The trial as it is decided on: another day may have been confirmed since the agreement was read, and what is
        # said of it would else be in the history of a trial that never was.
        _, agreement = found_agreement(person_of(known), agreement_id)
        return [*names, trial_subject(trial_id if agreement.trial is None else agreement.trial.trial_id)]

    return await followup.run(context, subjects, candidate_id, command, answer)


async def report_no_show(
    followup: Followup, principal: Principal, context: CommandContext, agreement_id: str, body: bodies.NoShow
) -> Done:
    """Report that nobody came on that day."""
    return await _on_agreement(followup, principal, context, agreement_id, partial(ReportNoShow, on=body.on))


async def _on_agreement(
    followup: Followup,
    principal: Principal,
    context: CommandContext,
    agreement_id: str,
    command: Callable[..., Command],
    *,
    text: str | None = None,
) -> Done:
    """A command on the caller's agreement; `command` is made with who, when and which."""
    found = await followup.agreement(principal, agreement_id, context)
    made = command(
        at=followup.service.clock.now(), agreement_id=agreement_id, acting=acting(principal), actor=principal.sub
    )
    return await followup.run(
        context, found.subjects, found.drafted.candidate_id, made, _answer(agreement_id), text=text
    )


def _answer(agreement_id: str) -> Callable[[Sequence[CaseEvent]], Answer]:
    def answer(events: Sequence[CaseEvent]) -> Answer:
        concluded = any(isinstance(event, AgreementConcluded) for event in events)
        told = {"agreement_id": agreement_id, "concluded": concluded}
        return Answer(told, f"/agreements/{agreement_id}", agreement_subject(agreement_id))

    return answer
