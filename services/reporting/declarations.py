"""What participants have declared, opened once and kept for as long as their keys are there.

Invariant: nothing is given of a person whose key is destroyed, which is asked each time; only a destroyed key makes a
background unknown, an unreachable keyring is an error.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from chassis.keyring import KeyringOfMany, unseal
from chassis.projection import Document
from chassis.projector import View
from services.reporting import views
from services.reporting.domain.background import Declared, declaration_at
from services.reporting.domain.facts import Trial
from services.reporting.kept import Kept

FORGET_SECONDS = 600.0
"""What nobody has asked for in so long is opened anew: it must not outlive somebody's erasure in memory."""


class _Person(NamedTuple):
    id: str
    trials: tuple[str, ...]
    declarations: tuple[Mapping[str, Any], ...]


class _Sealed(NamedTuple):
    """What one person declared at one time."""

    person: str
    ciphertext: str


class Declarations:
    """Declarations of the participants of trials."""

    def __init__(self, view: Callable[[str], View], keyring: KeyringOfMany, forgotten: Callable[[], None]) -> None:
        """`view` gives what is served under a name; `forgotten` is told when what was given must be forgotten, too."""
        self._persons = Kept(lambda: view(views.persons.name), _person)
        self._keyring, self._forgotten = keyring, forgotten
        self._one_at_a_time = asyncio.Lock()
        self._opened: dict[_Sealed, Declared] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    async def of(self, trials: Iterable[Trial]) -> dict[str, Declared]:
        """What the participant of each trial had declared when its start was recorded, by the trial's id.

        Raises KeyringUnavailable.
        """
        async with self._one_at_a_time:
            if self._forgetting is not None:
                # Not in the middle of this: what it has opened would be counted as unknown.
                self._forgetting.cancel()
            await self._persons.look()
            persons = {trial_id: each for each in self._persons.made.values() for trial_id in each.trials}
            sealed = {trial.trial_id: _held(persons.get(trial.trial_id), trial) for trial in trials}
            wanted = {each for each in sealed.values() if each is not None}
            try:
                await self._open(wanted)
            finally:
                self._forgetting = asyncio.get_running_loop().call_later(FORGET_SECONDS, self._forget)
            return {trial_id: {} if each is None else self._opened.get(each, {}) for trial_id, each in sealed.items()}

    def _forget(self) -> None:
        self._opened = {}
        self._forgotten()

    async def _open(self, wanted: set[_Sealed]) -> None:
        # Also of those whose key was had before: whoever has been erased since must not be counted by it.
        destroyed = await self._keyring.destroyed(sorted({each.person for each in wanted}))
        there = {each for each in wanted if each.person not in destroyed}
        self._opened = {each: declared for each, declared in self._opened.items() if each in there}
        missing = [each for each in there if each not in self._opened]
        keys = await self._keyring.keys(sorted({each.person for each in missing}))
        self._opened |= await asyncio.to_thread(_unsealed, missing, keys)


def _unsealed(sealed: Iterable[_Sealed], keys: Mapping[str, bytes]) -> dict[_Sealed, Declared]:
    # Without those whose key was destroyed meanwhile.
    with_key = ((each, keys[each.person]) for each in sealed if each.person in keys)
    return {each: unseal(key, base64.b64decode(each.ciphertext), each.person) for each, key in with_key}


def _person(document: Document) -> _Person:
    return _Person(document["_id"], tuple(document.get("trials", ())), tuple(document.get("declarations", ())))


def _held(person: _Person | None, trial: Trial) -> _Sealed | None:
    if person is None:
        return None
    ciphertext = declaration_at(person.declarations, trial.recorded)
    return None if ciphertext is None else _Sealed(person.id, ciphertext)
