"""Making releases: facts at fixed positions, parts of them, sealed; and made once more, to compare.

Invariant: what is sealed depends on positions, schedule, code and secrets alone; a remade release is compared, never
stored. Only a destroyed key makes a background unknown: with the keyring out of reach nothing is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from chassis.clock import Clock
from chassis.generations import Generation, Generations
from chassis.keyring import KeyringOfMany
from chassis.mongo import Database
from chassis.projection import Projection
from chassis.projector import View
from chassis.rebuild import Headway, Rebuild
from chassis.settings import Settings
from contracts.days import oslo_day
from contracts.registry import topic_of
from services.reporting import views
from services.reporting.domain.disclosure.keys import Secrets
from services.reporting.domain.parts import written_in_all_forms
from services.reporting.domain.publications import Facts
from services.reporting.domain.regions import UNKNOWN
from services.reporting.domain.releases import Due, Schedule, Stage
from services.reporting.domain.sealing import Made, Outcome, differs, made
from services.reporting.origin import Difference, Watched, code_version, differences, origin
from services.reporting.reading import Reading
from services.reporting.releases import Entry, Frozen, Manifest, ReleaseStore

NEEDED: tuple[Projection, ...] = (views.placement, views.needs, views.workforce, views.persons)
"""What published tables are made of."""
SERVICE = "reporting"
Tell = Callable[[str, Headway], None]


class Snapshot:
    """The views of given generations, as `Reading` asks for them."""

    def __init__(self, database: Database, generations: Mapping[str, Generation], at: datetime) -> None:
        self._database, self._generations = database, generations
        self.clock = Clock(at)

    def view(self, name: str) -> View:
        projection = next(each for each in NEEDED if each.name == name)
        return View(projection, self._database, self._generations[name].name)


@dataclass(frozen=True)
class Comparison:
    """A part made once more."""

    entry: Entry
    same: bool


@dataclass(frozen=True)
class Remade:
    """A release made once more, and why parts of it have other bytes."""

    parts: tuple[Comparison, ...]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether all parts have the same bytes."""
        return all(each.same for each in self.parts)


class Releases:
    """Seals releases and makes them again."""

    def __init__(
        self, database: Database, settings: Settings, keyring: KeyringOfMany, secrets: Secrets, schedule: Schedule
    ) -> None:
        self.store = ReleaseStore(database)
        self._database, self._settings, self._keyring = database, settings, keyring
        self._secrets, self._schedule = secrets, schedule

    async def seal(
        self, release: str, wanted: Sequence[Due], positions: Mapping[str, int], tell: Tell
    ) -> Manifest | None:
        """Make and seal what is due at one instant; None where there is nothing to publish yet.

        Raises Frozen, `chassis.rebuild`'s errors, KeyringUnavailable.
        """
        assert len({each.cutoff for each in wanted}) == 1, "a release is made at one instant"
        if await self.store.manifest(release) is not None:
            raise Frozen(f"{release} is sealed, and what is sealed never changes")
        facts = await self.facts(wanted[0].cutoff, positions, tell)
        entries: list[Entry] = []
        definitions: dict[str, int] = {}
        for due, making, preliminary in await self._made(wanted, facts, tell):
            content = await self.store.keep(making.part) if making.part.stage is due.stage else preliminary
            assert content is not None, "what is unchanged has been published"
            outcome = Outcome.NEW if making.part.stage is due.stage else Outcome.UNCHANGED
            entry = Entry(due.table, due.period, due.stage, outcome, content, preliminary)
            if outcome is Outcome.NEW:
                await self.store.keep_keyed(release, entry, making.keyed)
            definitions |= {each.name: each.version for of in making.part.definitions.values() for each in of}
            entries.append(entry)
        if not entries:
            return None
        manifest = Manifest(
            release=release,
            cutoff=wanted[0].cutoff,
            positions=dict(positions),
            schedule=self._schedule.version,
            code=code_version(),
            definitions=definitions,
            entries=tuple(entries),
            made_by=origin(self._schedule, self._secrets, facts.destroyed),
        )
        await self.store.seal(manifest)
        return manifest

    async def _made(self, wanted: Sequence[Due], facts: Facts, tell: Tell) -> list[tuple[Due, Made, str | None]]:
        """What is due, made; a final part that may not differ is the preliminary one. With the preliminary content."""
        published = {
            key: (each.release, content)
            for each in await self.store.publications()
            for key, content in each.entries.items()
        }
        earlier: dict[str, Facts] = {}
        found: list[tuple[Due, Made, str | None]] = []
        for due in wanted:
            making = made(due, facts, self._secrets, self._schedule.public_bodies)
            before = published.get(f"{due.table}/{due.period}/{Stage.PRELIMINARY}")
            if making is None:
                continue
            if due.stage is Stage.FINAL and before is not None:
                release, content = before
                if release not in earlier:
                    manifest = await self.store.manifest(release)
                    assert manifest is not None, "what is published is sealed"
                    earlier[release] = await self.facts(manifest.cutoff, manifest.positions, tell)
                if not differs(due, earlier[release], facts, self._schedule.public_bodies):
                    making = Made(await self.store.part(content), {})
            found.append((due, making, None if before is None else before[1]))
        return found

    async def reproduce(self, manifest: Manifest, tell: Tell) -> Remade:
        """Make the new parts of a sealed release again and compare them byte for byte. Nothing is stored.

        They are the same while nobody in them was erased, and code, schedule and keys are the same.
        """
        facts = await self.facts(manifest.cutoff, manifest.positions, tell)
        found = []
        for entry in manifest.entries:
            if entry.outcome is Outcome.UNCHANGED:
                continue
            due = Due(manifest.cutoff, entry.table, entry.period, entry.stage)
            making = made(due, facts, self._secrets, self._schedule.public_bodies)
            # An earlier version sealed the same part as other bytes.
            contents = () if making is None else written_in_all_forms(making.part)
            found.append(Comparison(entry, entry.content in {hashlib.sha256(each).hexdigest() for each in contents}))
        here = origin(self._schedule, self._secrets, facts.destroyed)
        others = [each.entry for each in found if not each.same]
        return Remade(tuple(found), tuple(differences(manifest, here, self._schedule, others)))

    async def facts(self, cutoff: datetime, positions: Mapping[str, int], tell: Tell) -> Facts:
        """What had been recorded by these positions. The generations that are built for it are dropped again."""
        built: dict[str, Generation] = {}
        try:
            for projection in NEEDED:
                until = {
                    source: position for source, position in positions.items() if topic_of(source) in projection.topics
                }
                rebuild = Rebuild(projection, self._database, self._settings, SERVICE)
                built[projection.name] = await rebuild.run(partial(tell, projection.name), as_of=cutoff, until=until)
            keyring = Watched(self._keyring)
            reading = Reading(Snapshot(self._database, built, cutoff), keyring)
            protected = await reading.protected_slots()
            slots = [
                replace(slot, region=UNKNOWN) if slot.slot_id in protected else slot
                for slot in (await reading.slots())[0]
            ]
            figures, _ = await reading.workforce()
            declared = await reading.declared(trial for slot in slots for trial in slot.trials)
            return Facts(slots, declared, figures, on=oslo_day(cutoff), destroyed=keyring.gone)
        finally:
            for name, generation in built.items():
                projection = next(each for each in NEEDED if each.name == name)
                await Generations(self._database, name, projection.version).drop(generation)
