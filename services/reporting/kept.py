"""What reporting makes of documents, kept in memory and made again only as far as they have changed.

Invariant: what is given is at least as new as the question. A document is read anew whenever its revision has moved,
and all are when another generation is served; what has been given never changes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from chassis.projection import Document
from chassis.projector import View
from services.reporting import views
from services.reporting.domain.counts import NeedFacts
from services.reporting.domain.facts import Slot, assigned, slot

Made = TypeVar("Made")
_AT_ONCE = 1_000
"""Documents that are read and made something of together: others wait for this process meanwhile."""


class Kept(Generic[Made]):
    """Something made of each document of a view."""

    def __init__(self, view: Callable[[], View], make: Callable[[Document], Made]) -> None:
        """`view` gives what is served."""
        self._view, self._make = view, make
        self._generation = ""
        self._revisions: Mapping[str, int] = {}
        self.made: Mapping[str, Made] = {}
        """By the document's id, as of the last look."""

    async def look(self) -> list[tuple[Made | None, Made | None]]:
        """Read what has changed. Gives what had been made of it before and what is made of it now, each once."""
        stored = self._view().stored()
        seen = await stored.values("rev")
        known = self._revisions if stored.name == self._generation else {}
        changed = [key for key, revision in seen.items() if known.get(key) != revision]
        fresh: dict[str, tuple[int, Made]] = {}
        for start in range(0, len(changed), _AT_ONCE):
            documents = await stored.of(changed[start : start + _AT_ONCE])
            fresh.update(await asyncio.to_thread(self._of, documents))
        # Nothing is waited for below: whoever is broken off before it has changed nothing.
        before = self.made
        made, revisions = {}, {}
        for key, revision in seen.items():
            if key in fresh:
                revisions[key], made[key] = fresh[key]
            elif known.get(key) == revision:
                revisions[key], made[key] = revision, before[key]
        self._generation, self._revisions, self.made = stored.name, revisions, made
        both = before.keys() | made.keys()
        return [(before.get(key), made.get(key)) for key in both if before.get(key) is not made.get(key)]

    def _of(self, documents: Sequence[tuple[int, Document]]) -> dict[str, tuple[int, Made]]:
        return {each["_id"]: (revision, self._make(each)) for revision, each in documents}


class KeptSlots:
    """The facts of all slots, by need."""

    def __init__(self, view: Callable[[str], View]) -> None:
        """`view` gives what is served under a name."""
        self._view = view
        self._slots: Kept[Slot | None] = Kept(
            lambda: view(views.placement.name), lambda document: slot(document["_id"], document)
        )
        self._one_at_a_time = asyncio.Lock()
        self._counted: Sequence[object] | None = None
        self._of_need: dict[str, dict[str, Slot]] = defaultdict(dict)
        """As the slots themselves tell."""
        self._intermediaries: Mapping[str, str] = {}
        self._given: Mapping[str, NeedFacts] = {}

    async def needs(self) -> Mapping[str, NeedFacts]:
        """The same object as before where nothing has been folded since."""
        async with self._one_at_a_time:
            # Before the facts: what is counted in between is looked at again, never overlooked.
            counted = [await self._view(name).counted() for name in (views.placement.name, views.needs.name)]
            if counted != self._counted:
                await self._look()
                self._counted = counted
            return self._given

    async def _look(self) -> None:
        intermediaries = await self._view(views.needs.name).stored().values("intermediary")
        changes = await self._slots.look()
        moved = {need_id for need_id, by in intermediaries.items() if self._intermediaries.get(need_id) != by}
        for before, after in changes:
            if before is not None:
                del self._of_need[before.need_id][before.slot_id]
                moved.add(before.need_id)
            if after is not None:
                self._of_need[after.need_id][after.slot_id] = after
                moved.add(after.need_id)
        given = dict(self._given)
        for need_id in moved:
            slots = self._of_need.get(need_id)
            given.pop(need_id, None)
            if slots:
                by = intermediaries.get(need_id)
                given[need_id] = NeedFacts(tuple(assigned(slots[slot_id], by) for slot_id in sorted(slots)))
        self._intermediaries, self._given = intermediaries, given
