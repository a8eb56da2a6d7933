"""From a request to a decided command: the same way for the API and for forms.

Invariant: what may be seen is checked before anything is decided, and every fact that a decision needs is in its
command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from chassis.auth import NotFound, Principal
from chassis.decisions import Answer, CommandContext, Decision, Done, Loaded
from chassis.ids import new_id
from contracts.refused import Refused
from contracts.vocabulary import EmployerResponse, Intermediary, Party
from services.matching import reading
from services.matching import requests as bodies
from services.matching.core import Matching, SeenMatch, SeenNeed
from services.matching.domain import commands as c
from services.matching.domain.decide import decide
from services.matching.domain.facts import CandidateFacts
from services.matching.domain.state import World, confirm_subjects, ending_subjects
from services.matching.reactions import world_in
from services.matching.rules import weights_on

ANSWER_DAYS = 3
"""How long a candidate has who is asked without a day being named."""
Subjects = Callable[[Mapping[str, Loaded]], Sequence[str]]


def _alone(match_id: str) -> Subjects:
    return lambda _: [f"match:{match_id}"]


def _reading(read: Callable[[str, World], Sequence[str]], match: SeenMatch) -> Subjects:
    # Slot and candidate of a match never change: naming them at once saves a round of loading.
    first = [f"match:{match.match_id}", f"slot:{match['slot_id']}", f"candidate:{match['candidate_id']}"]
    return lambda loaded: read(match.match_id, world_in(loaded)) if loaded else first


async def _change(
    matching: Matching,
    context: CommandContext,
    match: SeenMatch,
    command: c.Command,
    subjects: Subjects,
    note: str | None = None,
) -> Done:
    """Decide one command about a match and append. A body with free text is personal: hashed under the person's key."""
    match_id = match.match_id

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        return Decision(decide(command, world_in(loaded)), _answer(match_id))

    person = None if note is None else match["candidate_id"]
    return await matching.commands.run(context, subjects, decided, person=person)


def _answer(match_id: str, **more: Any) -> Answer:
    return Answer({"match_id": match_id, **more}, f"/matches/{match_id}", f"match:{match_id}")


def _intermediary(principal: Principal) -> Intermediary:
    if principal.intermediary is None:
        raise NotFound
    return Intermediary(principal.intermediary)


async def _facts(matching: Matching, match: SeenMatch) -> CandidateFacts:
    # Nothing heard of a person counts against sharing them.
    return await matching.candidate(match["candidate_id"]) or CandidateFacts(match["candidate_id"])


async def assign(
    matching: Matching, principal: Principal, context: CommandContext, need_id: str, body: bodies.Assignment
) -> Done:
    need = await matching.need(need_id)
    command = c.Assign(need.facts, _intermediary(principal), body.intermediary, matching.clock.today())
    subject = f"need:{need_id}"

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        answer = Answer({"need_id": need_id, "intermediary": body.intermediary}, f"/needs/{need_id}", subject)
        return Decision(decide(command, world_in(loaded)), answer)

    return await matching.commands.run(context, [subject], decided)


async def propose(
    matching: Matching, principal: Principal, context: CommandContext, slot_id: str, body: bodies.Proposal
) -> Done:
    need = await matching.need_of_slot(slot_id)
    return await _propose(matching, principal, context, need, slot_id, body.candidate_id)


async def propose_next(
    matching: Matching, principal: Principal, context: CommandContext, slot_id: str, body: bodies.NextChoice
) -> Done:
    """The second choice: whoever ranks first of those not yet tried for the slot is proposed and asked in one step."""
    need = await matching.need_of_slot(slot_id)
    if not principal.is_of(need.facts.intermediary):
        await matching.audit.read(principal, [], "reserve", None)
    reserve = await reading.reserve(matching, need, slot_id, 1)
    if not reserve:
        # Through the log all the same: sent again, it would else be refused by its own effect.
        return await matching.commands.run(context, [f"slot:{slot_id}"], _nobody_left)
    deadline = body.deadline or matching.clock.today() + timedelta(days=ANSWER_DAYS)
    return await _propose(matching, principal, context, need, slot_id, reserve[0], deadline)


def _nobody_left(_: Mapping[str, Loaded]) -> Decision:
    raise Refused("nobody_left")


async def _propose(
    matching: Matching,
    principal: Principal,
    context: CommandContext,
    need: SeenNeed,
    slot_id: str,
    candidate_id: str,
    deadline: date | None = None,
) -> Done:
    today, match_id = matching.clock.today(), new_id()
    candidate = await matching.candidate(candidate_id)
    command = c.Propose(
        match_id=match_id,
        slot_id=slot_id,
        candidate_id=candidate_id,
        by=_intermediary(principal),
        need=need.facts,
        candidate=candidate,
        weights=weights_on(today),
        today=today,
        deadline=deadline,
    )

    def decided(loaded: Mapping[str, Loaded]) -> Decision:
        events = decide(command, world_in(loaded))
        told = events[0].data()
        names = ("need_id", "slot_id", "candidate_id", "score", "rule_version")
        asked = {} if deadline is None else {"deadline": deadline.isoformat()}
        return Decision(events, _answer(match_id, **{name: told[name] for name in names}, **asked))

    people = (candidate_id, *(candidate.absorbed if candidate is not None else ()))
    subjects = [f"match:{match_id}", f"slot:{slot_id}", *(f"candidate:{name}" for name in people)]
    return await matching.commands.run(context, subjects, decided)


async def ask(
    matching: Matching, principal: Principal, context: CommandContext, match_id: str, body: bodies.Question
) -> Done:
    match = await matching.own_match(principal, match_id)
    need = await matching.need(match["need_id"])
    command = c.Ask(match_id, body.deadline, need.facts, await _facts(matching, match), matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def answer(
    matching: Matching, principal: Principal, context: CommandContext, match_id: str, body: bodies.CandidateAnswer
) -> Done:
    match = await matching.visible_match(principal, match_id)
    on_behalf = not principal.is_candidate(match["candidate_id"])
    if on_behalf and principal.intermediary is None:
        raise NotFound
    today = matching.clock.today()
    if body.answer is bodies.YesOrNo.ACCEPT:
        if body.reason is not None:
            raise Refused("reason_only_for_decline", ["/reason"], status=422)
        accept = c.Accept(match_id, today, on_behalf, body.note)
        return await _change(matching, context, match, accept, _alone(match_id), body.note)
    if body.reason is None:
        raise Refused("reason_missing", ["/reason"], status=422)
    decline = c.Decline(match_id, body.reason, today, on_behalf, body.note)
    return await _change(matching, context, match, decline, _reading(ending_subjects, match), body.note)


async def reverse_answer(matching: Matching, principal: Principal, context: CommandContext, match_id: str) -> Done:
    match = await matching.visible_match(principal, match_id)
    own = principal.is_candidate(match["candidate_id"])
    if not own and principal.intermediary is None:
        raise NotFound
    by = Party.PARTICIPANT if own else Party.COUNSELLOR
    command = c.ReverseAnswer(match_id, by, matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def present(matching: Matching, principal: Principal, context: CommandContext, match_id: str) -> Done:
    match = await matching.own_match(principal, match_id)
    need = await matching.need(match["need_id"])
    command = c.Present(match_id, need.facts, await _facts(matching, match), matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def reverse(matching: Matching, principal: Principal, context: CommandContext, match_id: str) -> Done:
    match = await matching.own_match(principal, match_id)
    command = c.ReversePresentation(match_id, matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def respond(
    matching: Matching, principal: Principal, context: CommandContext, match_id: str, body: bodies.Response
) -> Done:
    match = await matching.visible_match(principal, match_id)
    if not principal.acts_for(match["org_number"]):
        raise NotFound
    command = c.Respond(match_id, body.response, matching.clock.today(), body.reason, body.note)
    ends = body.response is EmployerResponse.NOT_RELEVANT
    subjects = _reading(ending_subjects, match) if ends else _alone(match_id)
    return await _change(matching, context, match, command, subjects, body.note)


async def reverse_response(matching: Matching, principal: Principal, context: CommandContext, match_id: str) -> Done:
    match = await matching.visible_match(principal, match_id)
    own = principal.acts_for(match["org_number"])
    if not own and principal.intermediary is None:
        raise NotFound
    by = Party.EMPLOYER if own else Party.COUNSELLOR
    command = c.ReverseResponse(match_id, by, matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def hold_interview(
    matching: Matching, principal: Principal, context: CommandContext, match_id: str, body: bodies.Interview
) -> Done:
    match = await matching.visible_match(principal, match_id)
    if principal.intermediary is None and not principal.acts_for(match["org_number"]):
        raise NotFound
    command = c.HoldInterview(match_id, body.held_on, matching.clock.today())
    return await _change(matching, context, match, command, _alone(match_id))


async def confirm(matching: Matching, principal: Principal, context: CommandContext, match_id: str) -> Done:
    match = await matching.own_match(principal, match_id)
    need = await matching.need(match["need_id"])
    today = matching.clock.today()
    candidate = await _facts(matching, match)
    command = c.Confirm(match_id, Party.COUNSELLOR, need.facts, candidate, today)

    def read(name: str, world: World) -> Sequence[str]:
        return confirm_subjects(name, world, candidate.absorbed)

    return await _change(matching, context, match, command, _reading(read, match))


async def cancel(
    matching: Matching, principal: Principal, context: CommandContext, match_id: str, body: bodies.Cancellation
) -> Done:
    match = await matching.own_match(principal, match_id)
    command = c.Cancel(match_id, body.reason, matching.clock.today(), body.note)
    return await _change(matching, context, match, command, _reading(ending_subjects, match), body.note)
