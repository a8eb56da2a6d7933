"""What the routes of followup share: log, view, intake, and whose case it is.

Invariant: a case is found by its employer, its intermediary's counsellors, its candidate and decision makers; for
everybody else it is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from chassis.auth import NotFound, Principal
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded, Subjects
from chassis.employers import EmployerNames
from chassis.eventlog import EventLog
from chassis.problems import busy
from chassis.projection import Document
from chassis.projector import View
from chassis.service import Service
from contracts.followup import AgreementDrafted, CaseEvent, TrialStarted
from contracts.rulepacks import RulePack
from contracts.vocabulary import Party
from services.followup import subjects
from services.followup.counsellors import Counsellors
from services.followup.domain.commands import Command
from services.followup.domain.decide import decide
from services.followup.domain.state import Person
from services.followup.intake import Persons
from services.followup.steps import over_on
from services.followup.views import case_after

_PARTIES = {
    "employer": Party.EMPLOYER,
    "candidate": Party.PARTICIPANT,
    "counsellor": Party.COUNSELLOR,
    "decision_maker": Party.DECISION_MAKER,
}


def party_of(principal: Principal) -> Party | None:
    """What the caller is in a case; None for those who are no party."""
    return _PARTIES.get(principal.role)


def acting(principal: Principal) -> Party:
    """The same. Raises NotFound for those who are no party: nothing here is theirs."""
    if (party := party_of(principal)) is None:
        raise NotFound
    return party


def may_see(principal: Principal, org_number: str, intermediary: str | None, candidate_id: str) -> bool:
    """Whether a case is the caller's."""
    match party_of(principal):
        case Party.EMPLOYER:
            return principal.acts_for(org_number)
        case Party.PARTICIPANT:
            return principal.is_candidate(candidate_id)
        case Party.COUNSELLOR:
            return principal.is_of(intermediary)
        case Party.DECISION_MAKER:
            return True
        case None:
            return False


def access_ended(case: Document, party: Party | None, today: date) -> bool:
    """Whether a party's access is over: 12 weeks after the case was. The counsellor goes on, to ask who is employed."""
    over = over_on(case)
    if over is None or party == Party.COUNSELLOR:
        return False
    return today > over + timedelta(weeks=RulePack.at(over).agreement.access_after_close_weeks)


@dataclass(frozen=True)
class Found:
    """An agreement or a trial that is the caller's: its subject as loaded, and the draft that began it."""

    loaded: Loaded
    drafted: AgreementDrafted
    document: Document
    """What the events of `loaded` say, as in the case's view."""

    @property
    def subjects(self) -> list[str]:
        """What a command on it reads and claims, the subject of If-Match first."""
        drafted = self.drafted
        person = subjects.person_subject(drafted.candidate_id)
        return [self.loaded.subject, subjects.case_subject(drafted.match_id), person]


@dataclass(frozen=True)
class Followup:
    """The parts of the service that routes use."""

    service: Service
    log: EventLog
    persons: Persons
    employers: EmployerNames
    counsellors: Counsellors

    @property
    def plans(self) -> View:
        """The plans of slots."""
        return self.service.view("plans")

    @property
    def cases(self) -> View:
        """The cases."""
        return self.service.view("cases")

    async def case(self, principal: Principal, match_id: str, context: CommandContext | None = None) -> Document:
        """The caller's case, as it is shown. Raises NotFound, also where their access has ended.

        `context`: of a command, which is answered again whenever it was taken.
        """
        case = await self.cases.get(match_id)
        if case is None or "match" not in case:
            raise NotFound
        if not may_see(principal, case["org_number"], case["intermediary"], case["candidate_id"]):
            raise NotFound
        await self._still(principal, case, context)
        return case

    async def _still(self, principal: Principal, case: Document, context: CommandContext | None) -> None:
        if not access_ended(case, party_of(principal), self.service.clock.today()):
            return
        if context is None or await self.log.find(context.claim) is None:
            raise NotFound

    async def registered(self, match_id: str) -> Mapping[str, Any]:
        """What matching said when it confirmed. Raises Problem 503 where this has not been heard yet."""
        case = await self.cases.get(match_id)
        if case is None or "match" not in case:
            raise busy("case_not_ready", 1)
        found: Mapping[str, Any] = case["match"]
        return found

    async def agreement(self, principal: Principal, agreement_id: str, context: CommandContext | None = None) -> Found:
        """The caller's agreement, from the log itself. Raises NotFound; `context` as in `case`."""
        subject = subjects.agreement_subject(agreement_id)
        loaded = (await self.log.load([subject]))[subject]
        return await self._checked(principal, _found(principal, loaded, loaded), context)

    async def _checked(self, principal: Principal, found: Found, context: CommandContext | None) -> Found:
        case = await self.cases.get(found.drafted.match_id)
        if case is not None:
            await self._still(principal, case, context)
        return found

    async def person(self, candidate_id: str, *, unseal: bool = False) -> Person:
        """All that the log knows of a person's cases."""
        subject = subjects.person_subject(candidate_id)
        return subjects.person_of((await self.log.load([subject], unseal=unseal))[subject])

    async def trial(
        self,
        principal: Principal,
        trial_id: str,
        context: CommandContext | None = None,
        *,
        unseal: bool = False,
    ) -> Found:
        """The caller's trial, from the log itself. Raises NotFound; `context` as in `case`."""
        subject = subjects.trial_subject(trial_id)
        loaded = (await self.log.load([subject], unseal=unseal))[subject]
        started = next((event for event in loaded.events if isinstance(event, TrialStarted)), None)
        if started is None:
            raise NotFound
        agreement = subjects.agreement_subject(started.agreement_id)
        found = _found(principal, loaded, (await self.log.load([agreement]))[agreement])
        return await self._checked(principal, found, context)

    async def on_trial(
        self,
        principal: Principal,
        context: CommandContext,
        trial_id: str,
        command: Callable[..., Command],
        *,
        text: str | None = None,
        **told: str,
    ) -> Done:
        """A command on the caller's trial; `command` is made with who, when and which. `told`: more of the answer."""
        found = await self.trial(principal, trial_id, context)
        made = command(at=self.service.clock.now(), trial_id=trial_id, acting=acting(principal), actor=principal.sub)
        answer = Answer({"trial_id": trial_id, **told}, f"/trials/{trial_id}", subjects.trial_subject(trial_id))
        return await self.run(context, found.subjects, found.drafted.candidate_id, made, lambda _: answer, text=text)

    async def run(
        self,
        context: CommandContext,
        names: Subjects,
        person: str,
        command: Command,
        answer: Callable[[Sequence[CaseEvent]], Answer],
        *,
        text: str | None = None,
        unseal: bool = False,
    ) -> Done:
        """Decide one command on all that is known of the person, and append. `names` as `Commands.run` takes them.

        `text`: what the body says freely about the person; its hash is then made under the person's key.
        """

        def decided(loaded: Mapping[str, Loaded]) -> Decision:
            events = decide(command, subjects.person_of(loaded[subjects.person_subject(person)]))
            return Decision(events, answer(events))

        hashed_for = None if text is None else person
        commands = self.service.commands(self.log)
        return await commands.run(context, names, decided, person=hashed_for, unseal=unseal)


def _found(principal: Principal, loaded: Loaded, agreement: Loaded) -> Found:
    drafted = next((event for event in agreement.events if isinstance(event, AgreementDrafted)), None)
    if drafted is None or not may_see(principal, drafted.org_number, drafted.intermediary, drafted.candidate_id):
        raise NotFound
    # A commit that ended several cases is in the history of each.
    events = [event for event in subjects.followup_events(loaded) if event.match_id == drafted.match_id]
    document: Document = {}
    for at, event in enumerate(events):
        document = case_after(document, event, at)
    return Found(loaded, drafted, document)
