"""What the routes of intake share: logs, keyring, views, and whose candidate it is.

Invariant: a candidate is found by the intermediary that works with them and by themselves; for everybody else they are
absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from chassis.audit import Audit, Why
from chassis.auth import NotFound, Principal
from chassis.clock import Clock
from chassis.commands import Answer, CommandContext, Commands, Decision, Done, Loaded
from chassis.eventlog import EventLog
from chassis.keyring import OwnKeyring
from chassis.problems import Problem
from chassis.projector import View
from chassis.service import Service
from contracts.orgnumbers import InvalidOrgNumber, org_number
from services.intake.domain import candidates, needs
from services.intake.domain.candidate_commands import CandidateCommand
from services.intake.domain.candidates import Candidate
from services.intake.domain.needs import Need
from services.intake.domain.rules import wrong
from services.intake.employernames import ListedEmployers
from services.intake.personindex import PersonIndex
from services.intake.reactions import Erasure
from services.intake.registry import Register


def need_subject(need_id: str) -> str:
    """What a need's versions count."""
    return f"need:{need_id}"


def candidate_subject(candidate_id: str) -> str:
    """What a candidate's versions count, in intake's log and, apart from it, in the background log."""
    return f"candidate:{candidate_id}"


@dataclass(frozen=True)
class Intake:
    """The parts of the service that routes use."""

    service: Service
    log: EventLog
    background_log: EventLog
    keyring: OwnKeyring
    people: PersonIndex
    register: Register
    audit: Audit
    erasure: Erasure
    listed: ListedEmployers

    @property
    def clock(self) -> Clock:
        """The business clock."""
        return self.service.clock

    @property
    def synthetic(self) -> bool:
        """Whether synthetic numbers of people and firms are taken."""
        return self.service.settings.synthetic_org_numbers

    @property
    def needs(self) -> View:
        """The list of needs."""
        return self.service.view("needs")

    @property
    def places(self) -> View:
        """What other services say about the places of a need."""
        return self.service.view("places")

    @property
    def candidates(self) -> View:
        """The list of candidates, without names."""
        return self.service.view("candidates")

    @property
    def commands(self) -> Commands:
        """Commands on intake's log."""
        return self.service.commands(self.log)

    @property
    def background_commands(self) -> Commands:
        """Commands on the background log."""
        return self.service.commands(self.background_log)

    async def candidate(self, candidate_id: str, *, unseal: bool = False) -> tuple[Candidate, Loaded]:
        """A candidate whoever asks. Raises NotFound."""
        subject = candidate_subject(candidate_id)
        loaded = (await self.log.load([subject], unseal=unseal))[subject]
        if (state := fold_candidate(loaded)) is None:
            raise NotFound
        return state, loaded

    async def own_candidate(
        self, principal: Principal, candidate_id: str, context: CommandContext | None = None
    ) -> None:
        """Raises NotFound, audited, unless a candidate is the caller's own, to change.

        With a context also one that was: whoever hands a candidate over and sends that again gets the first answer. Its
        key is claimed for the caller's organisation, so that nobody else does.
        """
        subject = candidate_subject(candidate_id)
        state = fold_candidate((await self.log.load([subject]))[subject])
        if reason_to_read(principal, state) is not None:
            return
        if context is None or await self.log.find(context.claim) is None:
            # What is refused shows nothing, and was still an attempt to get at somebody.
            await self.audit.read(principal, candidate_id, "candidate", None)

    async def read_candidate(self, principal: Principal, candidate_id: str, what: str) -> tuple[Candidate, Loaded]:
        """The caller's own candidate with name, audited. Raises NotFound, also audited, and Problem 410 once erased."""
        subject = candidate_subject(candidate_id)
        loaded = (await self.log.load([subject]))[subject]
        state = fold_candidate(loaded)
        await self.audit.read(principal, candidate_id, what, reason_to_read(principal, state))
        if state is None or state.erased:
            raise Problem(410, "key_destroyed")
        return await self.candidate(candidate_id, unseal=True)

    async def own_need(self, principal: Principal, need_id: str, *, unseal: bool = False) -> Need:
        """The caller's own need. Raises NotFound for one that is unknown or foreign."""
        subject = need_subject(need_id)
        state = fold_need((await self.log.load([subject], unseal=unseal))[subject])
        if state is None or not principal.acts_for(state.org_number):
            raise NotFound
        return state

    async def change_candidate(
        self, context: CommandContext, candidate_id: str, command: CandidateCommand, **answered: str
    ) -> Done:
        """Decide one command about a candidate and append. The body is personal: hashed under the person's key."""
        subject = candidate_subject(candidate_id)

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            events = candidates.decide(command, fold_candidate(loaded[subject]))
            return Decision(events, candidate_answer(candidate_id, **answered))

        return await self.commands.run(context, [subject], decide, person=candidate_id)


def reason_to_read(principal: Principal, candidate: Candidate | None) -> Why | None:
    """What lets the caller read about a candidate; None where nothing does."""
    if candidate is None:
        return None
    if principal.is_candidate(candidate.candidate_id):
        return Why.OWN_DATA
    return Why.OWN_CANDIDATE if principal.is_of(candidate.intermediary) else None


def candidate_answer(candidate_id: str, **answered: str) -> Answer:
    """The answer of a command about a candidate."""
    body = {"candidate_id": candidate_id, **answered}
    return Answer(body, f"/candidates/{candidate_id}", candidate_subject(candidate_id))


def fold_candidate(loaded: Loaded) -> Candidate | None:
    """The state of a candidate; None where there is none."""
    state: Candidate | None = None
    return reduce(candidates.evolve, loaded.events, state)


def fold_need(loaded: Loaded) -> Need | None:
    """The state of a need; None where there is none."""
    state: Need | None = None
    return reduce(needs.evolve, loaded.events, state)


def own_org_number(principal: Principal, given: str | None, *, synthetic: bool) -> str:
    """The employer that the caller acts for: the given one, or the only one.

    Raises Refused for a number that is none or is missing, NotFound for somebody else's.
    """
    if given is None and len(principal.org_numbers) != 1:
        raise wrong("org_number_needed", "/org_number")
    try:
        number = org_number(given or next(iter(principal.org_numbers)), synthetic_allowed=synthetic)
    except InvalidOrgNumber as invalid:
        raise wrong("org_number_invalid", "/org_number") from invalid
    if not principal.acts_for(number):
        raise NotFound
    return number
