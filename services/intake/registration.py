"""From a request about a candidate to a decided command: the same way for the API and for forms.

Invariant: one person is one candidate, found by the national id without storing it; a key is made only for somebody who
may be registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chassis.audit import Outcome, Why
from chassis.auth import NotFound, Principal
from chassis.commands import CommandContext, Decision, Done, Loaded
from chassis.ids import new_id
from chassis.problems import Problem
from contracts.refused import Refused
from contracts.vocabulary import Intermediary
from services.intake import requests as bodies
from services.intake.core import Intake, candidate_answer, candidate_subject, fold_candidate
from services.intake.domain import candidates, checks
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    EraseCandidate,
    MapCandidate,
    MergeInto,
    RegisterCandidate,
)
from services.intake.domain.candidates import Candidate


async def register_candidate(
    intake: Intake, principal: Principal, context: CommandContext, body: bodies.NewCandidate
) -> Done:
    """Register a person once. Raises Refused, NotFound, and Problem 409 for somebody who is registered."""
    if principal.intermediary is None:
        raise NotFound
    command = RegisterCandidate(
        candidate_id=new_id(),
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
        # Refused before anything is stored: else every slip of the hand would leave a key of nobody.
        national_id = checks.identity(command).national_id
        try:
            reserved = await _reserved(intake, principal, national_id, command.candidate_id)
        except Problem:
            # Sent twice at once, the second one may find the person whom the first has just registered.
            if await intake.log.find(context.claim) is None:
                raise
        else:
            await intake.keyring.create(reserved)
            command = replace(command, candidate_id=reserved)
    candidate_id = command.candidate_id
    subject = candidate_subject(candidate_id)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = candidates.decide(command, fold_candidate(loaded[subject]))
        return Decision(events, candidate_answer(candidate_id))

    try:
        return await intake.commands.run(context, [subject], decide, person=candidate_id)
    except Refused as refused:
        if refused.code != "candidate_already_registered":
            raise
        # Somebody registered the same person between our reservation and our append.
        state, _ = await intake.candidate(candidate_id)
        raise await _known(intake, principal, state) from refused


async def _reserved(intake: Intake, principal: Principal, national_id: str, fresh: str) -> str:
    """The candidate id to register under. Raises Problem 409 where the person is registered."""
    candidate_id = await intake.people.reserve(national_id, fresh)
    if candidate_id == fresh:
        return fresh
    state = await _state(intake, candidate_id)
    while state is not None and state.merged_into is not None:
        state = await _state(intake, state.merged_into)
    if state is None:
        # A registration broke off before its append, or is just about to append: one of the two will win.
        return candidate_id
    if state.erased:
        return await intake.people.replace(national_id, candidate_id, fresh)
    raise await _known(intake, principal, state)


async def _state(intake: Intake, candidate_id: str) -> Candidate | None:
    subject = candidate_subject(candidate_id)
    return fold_candidate((await intake.log.load([subject]))[subject])


async def _known(intake: Intake, principal: Principal, state: Candidate) -> Problem:
    """What a number is answered whose person is registered: audited, since it tells of somebody."""
    why = Why.OWN_CANDIDATE if principal.is_of(state.intermediary) else None
    outcome = Outcome.DENIED if why is None else Outcome.ALLOWED
    await intake.audit.record(principal, state.candidate_id, "duplicate", outcome, why)
    if why is not None:
        return Problem(409, "person_registered_here", more={"candidate_id": state.candidate_id})
    # Which intermediary has them is not told: it would show where somebody with a protected address is known.
    return Problem(409, "person_registered")


async def merge_candidate(
    intake: Intake, principal: Principal, context: CommandContext, ended: str, survivor: str
) -> Done:
    """Merge one of the caller's candidates into another one of them. Raises Refused, NotFound, Stale."""
    for each in (ended, survivor):
        await intake.own_candidate(principal, each)
    command = MergeInto(survivor, intake.clock.now())
    subjects = list(dict.fromkeys([candidate_subject(ended), candidate_subject(survivor)]))

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        states = [fold_candidate(loaded[candidate_subject(each)]) for each in (ended, survivor)]
        return Decision(candidates.merge(command, *states), candidate_answer(ended, merged_into=survivor))

    return await intake.commands.run(context, subjects, decide)


async def erase_candidate(intake: Intake, principal: Principal, context: CommandContext, candidate_id: str) -> Done:
    """Erase a person, with all registrations merged into theirs. Raises Refused, NotFound, Stale.

    The keys are destroyed once the event is in the log; what fails here is done by the reaction.
    """
    subject = candidate_subject(candidate_id)
    await intake.own_candidate(principal, candidate_id)
    command = EraseCandidate(intake.clock.now())

    def subjects(loaded: Mapping[str, Loaded]) -> list[str]:
        # A registration that was merged in may itself have had others merged into it.
        known = (fold_candidate(each) for each in loaded.values())
        merged = [candidate_subject(each) for state in known if state is not None for each in state.merged]
        return list(dict.fromkeys([subject, *merged]))

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        merged = [fold_candidate(each) for name, each in loaded.items() if name != subject]
        known = [each for each in merged if each is not None]
        events = candidates.erase(command, fold_candidate(loaded[subject]), known)
        return Decision(events, candidate_answer(candidate_id))

    return await intake.commands.run(context, subjects, decide)


def map_command(intake: Intake, principal: Principal, body: bodies.Mapping) -> MapCandidate:
    """A mapping with its author."""
    return MapCandidate(
        mapped_on=body.mapped_on or intake.clock.today(),
        municipality=body.municipality,
        hours_per_week=body.hours_per_week,
        at=intake.clock.now(),
        language=body.language.value(),
        experience=tuple(each.value() for each in body.experience),
        wished_occupations=body.wished_occupations,
        available_from=body.available_from,
        available_to=body.available_to,
        licences=body.licences,
        language_evidence=tuple(each.value() for each in body.language_evidence),
        skills=body.skills,
        education_level=body.education_level,
        certificates=body.certificates,
        wished_municipalities=body.wished_municipalities,
        travel_minutes=body.travel_minutes,
        notes=body.notes,
        limits=body.limits,
        author=principal.sub,
        intermediary=None if principal.intermediary is None else Intermediary(principal.intermediary),
    )


def qualify_command(intake: Intake, body: bodies.Qualification) -> AddQualification:
    """A qualification with an id of its own."""
    return AddQualification(
        qualification_id=new_id(),
        kind=body.kind,
        occupation=body.occupation,
        started_on=body.started_on,
        completed_on=body.completed_on,
        title=body.title,
        provider=body.provider,
        at=intake.clock.now(),
    )


def assess_command(intake: Intake, principal: Principal, body: bodies.Assessment) -> AssessCandidate:
    """An assessment with its author."""
    return AssessCandidate(
        ready=body.ready,
        assessed_on=body.assessed_on or intake.clock.today(),
        valid_until=body.valid_until,
        at=intake.clock.now(),
        reduced_work_capacity=body.reduced_work_capacity,
        notes=body.notes,
        author=principal.sub,
    )
