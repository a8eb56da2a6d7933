"""The store of releases: sealed parts by their hash, manifests, and what has been published.

Invariant: nothing that is sealed or published is ever changed. Publications are numbered, and the next one is inserted
over the last one that was seen, so two operators cannot publish one period twice. What parts were made of (`n` and
`ks`) is destroyed when their final stage is published.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from chassis.mongo import Database, DuplicateKeyError
from services.reporting.domain.disclosure.cells import Place
from services.reporting.domain.parts import Part, read, written
from services.reporting.domain.releases import Stage
from services.reporting.domain.sealing import Outcome


class Frozen(Exception):
    """What was asked for would change something that is fixed. The message says what."""


class Damaged(Exception):
    """Stored bytes are not those that were sealed."""


@dataclass(frozen=True)
class Entry:
    """One part in a manifest."""

    table: str
    period: str
    stage: Stage
    outcome: Outcome
    content: str
    """SHA-256 of its bytes; of the preliminary part's where the final one is unchanged."""
    preliminary: str | None = None
    """The preliminary content that a final part was compared with."""

    @property
    def key(self) -> str:
        """Which publication it is: each happens at most once."""
        return f"{self.table}/{self.period}/{self.stage}"


@dataclass(frozen=True)
class Manifest:
    """What a release is made of."""

    release: str
    cutoff: datetime
    positions: Mapping[str, int]
    """Per source the last position that is counted."""
    schedule: str
    code: str
    """The hash of the program's code that tables are made by."""
    definitions: Mapping[str, int]
    """Versions by name, of all that the parts were counted by."""
    entries: tuple[Entry, ...]
    made_by: Mapping[str, str] = field(default_factory=dict)
    """What else decides its bytes (`origin.origin`), by hashes; empty where an earlier version sealed it."""

    def document(self) -> dict[str, Any]:
        """As it is stored; `hash` is over all the rest."""
        plain = {
            "release": self.release,
            "cutoff": self.cutoff.isoformat(),
            "positions": dict(sorted(self.positions.items())),
            "schedule": self.schedule,
            "code": self.code,
            "definitions": dict(sorted(self.definitions.items())),
            "entries": [{**asdict(each)} for each in self.entries],
            # Left out where there is none: the hash of an earlier version's manifest is over the rest.
            **({"made_by": dict(sorted(self.made_by.items()))} if self.made_by else {}),
        }
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
        return {**plain, "hash": hashlib.sha256(canonical).hexdigest()}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Manifest:
        """From its document. Raises Damaged where the hash is another one, or something is missing."""
        damaged = f"the manifest of {document.get('_id', document.get('release'))} is not what was sealed"
        try:
            manifest = cls(
                release=document["release"],
                cutoff=datetime.fromisoformat(document["cutoff"]),
                positions=dict(document["positions"]),
                schedule=document["schedule"],
                code=document["code"],
                definitions=dict(document["definitions"]),
                entries=tuple(
                    Entry(**{**each, "stage": Stage(each["stage"]), "outcome": Outcome(each["outcome"])})
                    for each in document["entries"]
                ),
                made_by=dict(document.get("made_by", {})),
            )
        except (KeyError, TypeError, ValueError) as unreadable:
            raise Damaged(damaged) from unreadable
        if manifest.document()["hash"] != document.get("hash"):
            raise Damaged(damaged)
        return manifest


@dataclass(frozen=True)
class Publication:
    """One release that has been published."""

    number: int
    release: str
    at: datetime
    entries: Mapping[str, str]
    """The content of each part, by `table/period/stage`."""


class ReleaseStore:
    """Releases in the database of the reporting service."""

    def __init__(self, database: Database) -> None:
        self._contents = database["release_contents"]
        self._keyed = database["release_keyed"]
        self._manifests = database["release_manifests"]
        self._publications = database["release_publications"]

    # --- sealing ----------------------------------------------------------------------------------------------------

    async def keep(self, part: Part) -> str:
        """Store the bytes of a part; returns their hash. The same bytes are stored once."""
        content = written(part)
        digest = hashlib.sha256(content).hexdigest()
        await _insert_once(self._contents, {"_id": digest, "bytes": content})
        return digest

    async def part(self, digest: str) -> Part:
        """Raises Damaged for bytes that are gone, are others, or cannot be read by this version."""
        found = await self._contents.find_one({"_id": digest})
        content = b"" if found is None else bytes(found.get("bytes", b""))
        if hashlib.sha256(content).hexdigest() != digest:
            raise Damaged(f"the part {digest} is {'gone' if found is None else 'not what was sealed'}")
        try:
            return read(content)
        except (ValueError, KeyError) as unknown:
            raise Damaged(f"the part {digest} cannot be read: {unknown}") from unknown

    async def keep_keyed(self, release: str, entry: Entry, keyed: Mapping[Place, tuple[str, int, int]]) -> None:
        """Keep what a part was made of, until its period is final."""
        cells = [[content, list(at), unit, n, str(ks)] for (content, at), (unit, n, ks) in sorted(keyed.items())]
        document = {
            "_id": f"{release}/{entry.key}",
            "table": entry.table,
            "period": entry.period,
            "cells": cells,
        }
        await self._keyed.replace_one({"_id": document["_id"]}, document, upsert=True)

    async def keyed_of(self, table: str, period: str) -> int:
        """How many finest cells are kept of a period."""
        return sum([len(each["cells"]) async for each in self._keyed.find({"table": table, "period": period})])

    async def seal(self, manifest: Manifest) -> None:
        """Raises Frozen for a release that has been sealed already."""
        try:
            await self._manifests.insert_one({"_id": manifest.release, **manifest.document()})
        except DuplicateKeyError:
            raise Frozen(f"{manifest.release} is sealed, and what is sealed never changes") from None

    async def manifest(self, release: str) -> Manifest | None:
        """None for one that is not sealed. Raises Damaged."""
        found = await self._manifests.find_one({"_id": release})
        return None if found is None else Manifest.of(found)

    async def sealed(self) -> list[str]:
        """The names of all that are sealed, in their order."""
        return [str(each["_id"]) async for each in self._manifests.find({}, sort=[("_id", 1)], projection={"_id": 1})]

    async def manifests(self) -> dict[str, Manifest | Damaged]:
        """All that are sealed by their names, in the order of these. What is damaged says so, and hides no other."""
        found: dict[str, Manifest | Damaged] = {}
        async for each in self._manifests.find({}, sort=[("_id", 1)]):
            try:
                found[str(each["_id"])] = Manifest.of(each)
            except Damaged as damaged:
                found[str(each["_id"])] = damaged
        return found

    # --- publishing -------------------------------------------------------------------------------------------------

    async def publications(self) -> list[Publication]:
        """What has been published, in order."""
        return [
            Publication(each["_id"], each["release"], each["at"], dict(each["entries"]))
            async for each in self._publications.find({}, sort=[("_id", 1)])
        ]

    async def last_publication(self) -> int:
        """The number of the last one; 0 where nothing has been published."""
        last = await self._publications.find_one({}, sort=[("_id", -1)], projection={"_id": True})
        return 0 if last is None else int(last["_id"])

    async def publish(self, release: str, at: datetime) -> Publication:
        """Raises, with nothing published, Frozen for what is not sealed or would be published against the rules, and
        Damaged for bytes that are not those that were sealed.
        """
        manifest = await self.manifest(release)
        if manifest is None:
            raise Frozen(f"{release} is not sealed")
        for digest in {each.content for each in manifest.entries}:
            # What is published for ever and cannot be read would take its table away for ever.
            await self.part(digest)
        while True:
            before = await self.publications()
            if any(each.release == release for each in before):
                # Whoever published it may have been killed before its keys were destroyed.
                await self.destroy_keyed(manifest.entries)
            _check(manifest, before)
            number = before[-1].number + 1 if before else 1
            entries = [[each.key, each.content] for each in manifest.entries]
            try:
                await self._publications.insert_one({"_id": number, "release": release, "at": at, "entries": entries})
            except DuplicateKeyError:
                # Somebody has published meanwhile: what was allowed may not be any more.
                continue
            await self.destroy_keyed(manifest.entries)
            return Publication(number, release, at, dict(entries))

    async def destroy_keyed(self, entries: Sequence[Entry]) -> None:
        """Destroy what the periods that are final here were made of, at every stage."""
        for each in entries:
            if each.stage is Stage.FINAL:
                await self._keyed.delete_many({"table": each.table, "period": each.period})


def _check(manifest: Manifest, before: Sequence[Publication]) -> None:
    published = {key: content for each in before for key, content in each.entries.items()}
    if any(each.release == manifest.release for each in before):
        raise Frozen(f"{manifest.release} is published already")
    for entry in manifest.entries:
        preliminary = published.get(f"{entry.table}/{entry.period}/{Stage.PRELIMINARY}")
        if f"{entry.table}/{entry.period}/{Stage.FINAL}" in published:
            raise Frozen(f"{entry.period} of {entry.table} is final: it is never published again")
        if entry.key in published:
            raise Frozen(f"{entry.period} of {entry.table} is published as {entry.stage} already")
        if entry.stage is Stage.FINAL and entry.preliminary != preliminary:
            raise Frozen(
                f"{manifest.release} was sealed against other preliminary figures of {entry.period} of {entry.table}"
            )


async def _insert_once(collection: Any, document: Mapping[str, Any]) -> None:
    try:
        await collection.insert_one(dict(document))
    except DuplicateKeyError:
        # The same bytes have the same name.
        return


def stages_of(publications: Sequence[Publication]) -> dict[tuple[str, str], list[Stage]]:
    """Per table and period the stages that have been published."""
    found: dict[tuple[str, str], list[Stage]] = {}
    for publication in publications:
        for key in publication.entries:
            table, period, stage = key.split("/")
            found.setdefault((table, period), []).append(Stage(stage))
    return found
