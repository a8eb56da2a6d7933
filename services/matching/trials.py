"""Commands that also know what followup tells of the trials of confirmed matches.

Invariant: no decision that meets a confirmed match is taken before asking whether its trial has started or closed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from chassis.commands import Commands, Subjects
from chassis.decisions import CommandContext, Decision, Done, Loaded
from chassis.eventlog import EventLog
from chassis.service import Service
from contracts.event import Event
from services.matching.reactions import world_in
from services.matching.snapshots import trial_events

Trials = Callable[[str], Awaitable[Sequence[Event]]]
"""The events of the trial of a match, as far as they have been heard."""


class _TrialsUnknown(Exception):
    """The decision meets confirmed matches; nothing has been decided."""

    def __init__(self, match_ids: Sequence[str]) -> None:
        super().__init__()
        self.match_ids = match_ids


class CommandsWithTrials(Commands):
    """As `Commands`; `decide` finds `trial:{match_id}` among the loaded for every confirmed match in them."""

    def __init__(self, log: EventLog, trials: Trials) -> None:
        super().__init__(log)
        self._trials = trials

    async def run(
        self,
        context: CommandContext,
        subjects: Subjects,
        decide: Callable[[Mapping[str, Loaded]], Decision],
        *,
        person: str | None = None,
        unseal: bool = False,
    ) -> Done:
        """As `Commands.run`."""
        known: dict[str, Loaded] = {}

        def informed(loaded: Mapping[str, Loaded]) -> Decision:
            met = {f"trial:{match.match_id}": match.match_id for match in world_in(loaded).confirmed()}
            if unknown := [match_id for subject, match_id in met.items() if subject not in known]:
                raise _TrialsUnknown(unknown)
            return decide({**loaded, **{subject: known[subject] for subject in met}})

        while True:
            try:
                return await super().run(context, subjects, informed, person=person, unseal=unseal)
            except _TrialsUnknown as unknown:
                for match_id in unknown.match_ids:
                    events = tuple(await self._trials(match_id))
                    known[f"trial:{match_id}"] = Loaded(f"trial:{match_id}", 0, events)


class MatchingService(Service):
    """A service whose commands, also those of its reactions, know the trials."""

    _informed: CommandsWithTrials | None = None

    def commands(self, eventlog: EventLog) -> Commands:
        """The one runner of this service's one log."""
        if self._informed is None:
            self._informed = CommandsWithTrials(eventlog, self._trial)
        return self._informed

    async def _trial(self, match_id: str) -> Sequence[Event]:
        return trial_events(await self.view("matches").get(match_id))
