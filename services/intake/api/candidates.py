"""Candidates over HTTP.

Invariant: names are answered to the registering intermediary and the person alone; the answer of a command holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.commands import Decision, Loaded
from chassis.freshness import Fresh
from chassis.ids import new_id
from chassis.projection import Document
from chassis.respond import Changing, Creating, Paged, resource, respond
from contracts.vocabulary import Intermediary
from services.intake import requests as bodies
from services.intake.api.paging import texts_after
from services.intake.core import Intake, candidate_answer, candidate_subject, fold_candidate
from services.intake.domain import candidates
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    ChangeAddressProtection,
    GiveConsent,
    MapCandidate,
    RegisterCandidate,
    RevokeReadiness,
    WithdrawConsent,
)
from services.intake.views import candidate_after

Counsellor = Annotated[Principal, Depends(require("candidates:write"))]
CounsellorOrSelf = Annotated[Principal, Depends(require("candidates:write", "candidates:answer"))]
Reader = Annotated[Principal, Depends(require("candidates:read"))]
ReaderOrSelf = Annotated[Principal, Depends(require("candidates:read", "candidates:answer"))]
NO_STORE = {"Cache-Control": "no-store"}


def router(intake: Intake) -> APIRouter:
    """The routes of registering and reading."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates", status_code=201, summary="Register a candidate")
    async def register(body: bodies.NewCandidate, principal: Counsellor, context: Creating) -> Response:
        if principal.intermediary is None:
            raise NotFound
        candidate_id = new_id()
        command = RegisterCandidate(
            candidate_id=candidate_id,
            intermediary=Intermediary(principal.intermediary),
            name=body.name,
            national_id=body.national_id,
            at=intake.clock.now(),
            birth_date=body.birth_date,
            phone=body.phone,
            email=body.email,
            synthetic=intake.synthetic,
        )
        if await intake.log.find(context.claim) is None:
            # Refused before a key is made: else every slip of the hand would leave a key of nobody.
            candidates.decide(command, None)
            await intake.keyring.create(candidate_id)

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = candidates.decide(command, fold_candidate(loaded[candidate_subject(candidate_id)]))
            return Decision(events, candidate_answer(candidate_id))

        subjects = [candidate_subject(candidate_id)]
        return respond(await intake.commands.run(context, subjects, decide, person=candidate_id))

    @routes.get("/candidates", summary="List the intermediary's candidates, without names")
    async def listed(principal: Reader, page: Paged, fresh: Fresh) -> Response:
        await fresh.in_views(intake.candidates)
        where: dict[str, Any] = {"intermediary": principal.intermediary}
        if page.after is not None:
            where["candidate_id"] = {"$gt": texts_after(page, 1)[0]}
        found = await intake.candidates.find(where, sort=[("candidate_id", 1)], limit=page.limit + 1)
        return page.listing([without_id(each) for each in found], lambda each: (each["candidate_id"],))

    @routes.get("/candidates/{candidate_id}", summary="One candidate, with name")
    async def one(candidate_id: str, principal: ReaderOrSelf) -> Response:
        state, loaded = await intake.own_candidate(principal, candidate_id, unseal=True)
        return resource({**public_facts(loaded), "name": state.name}, version=loaded.version, headers=NO_STORE)

    return routes


def changes(intake: Intake) -> APIRouter:
    """The routes of what changes a candidate."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates/{candidate_id}/mapping", status_code=201, summary="Map: skills, languages, wishes")
    async def mapping(candidate_id: str, body: bodies.Mapping, principal: Counsellor, context: Changing) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = MapCandidate(
            mapped_on=body.mapped_on or intake.clock.today(),
            municipality=body.municipality,
            hours_per_week=body.hours_per_week,
            at=intake.clock.now(),
            language=body.language.value(),
            experience=tuple(each.value() for each in body.experience),
            wished_occupations=body.wished_occupations,
            available_from=body.available_from,
            licences=body.licences,
            notes=body.notes,
        )
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/qualifications", status_code=201, summary="Add a qualification")
    async def qualification(
        candidate_id: str, body: bodies.Qualification, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        qualification_id = new_id()
        command = AddQualification(
            qualification_id=qualification_id,
            kind=body.kind,
            occupation=body.occupation,
            started_on=body.started_on,
            completed_on=body.completed_on,
            title=body.title,
            provider=body.provider,
            at=intake.clock.now(),
        )
        done = await intake.change_candidate(context, candidate_id, command, qualification_id=qualification_id)
        return respond(done)

    @routes.post("/candidates/{candidate_id}/assessment", status_code=201, summary="Assess as ready or not")
    async def assessment(
        candidate_id: str, body: bodies.Assessment, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = AssessCandidate(
            ready=body.ready,
            assessed_on=body.assessed_on or intake.clock.today(),
            valid_until=body.valid_until,
            at=intake.clock.now(),
            reduced_work_capacity=body.reduced_work_capacity,
            notes=body.notes,
        )
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/readiness-revocation", status_code=201, summary="Revoke readiness")
    async def revocation(
        candidate_id: str, body: bodies.Revocation, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = RevokeReadiness(body.reason, intake.clock.now(), body.note)
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/consent", status_code=201, summary="Say yes to matching")
    async def consent(
        candidate_id: str, body: bodies.Consent, principal: CounsellorOrSelf, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        given_on = body.given_on or intake.clock.today()
        command = GiveConsent(body.scope, given_on, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/consent-withdrawal", status_code=201, summary="Take consent back")
    async def consent_withdrawal(
        candidate_id: str, body: bodies.ConsentWithdrawal, principal: CounsellorOrSelf, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = WithdrawConsent(body.scope, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    @routes.post("/candidates/{candidate_id}/address-protection", status_code=201, summary="Set or lift protection")
    async def address_protection(
        candidate_id: str, body: bodies.AddressProtection, principal: Counsellor, context: Changing
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = ChangeAddressProtection(body.protected, intake.clock.now())
        return respond(await intake.change_candidate(context, candidate_id, command))

    return routes


def public_facts(loaded: Loaded) -> Document:
    """What the list shows of a candidate, from the log itself, so that facts and version belong together."""
    document: Document = {}
    for event in loaded.events:
        document = candidate_after(document, event)
    return document


def without_id(document: Mapping[str, Any]) -> Document:
    """Without what only the database needs."""
    return {name: value for name, value in document.items() if name != "_id"}
