"""What intake does about what it hears: after an erasure the key goes, after a merge the national id follows.

Invariant: the event is in the log first; then the key is destroyed and the national id forgotten, again and again until
both are confirmed. A keyring that came from a backup serves nobody before the erased ones are destroyed in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from chassis.keyring import OwnKeyring
from chassis.logs import get_logger
from chassis.projection import Record
from chassis.projector import View
from chassis.reactor import CallOut
from contracts.intake import TOPIC, CandidateErased, CandidateMerged, NeedTextErased
from services.intake.personindex import PersonIndex

_log = get_logger(__name__)


@dataclass(frozen=True)
class Erasure:
    """Does what an erasure or a merge calls for."""

    keyring: OwnKeyring
    people: PersonIndex

    def call_outs(self) -> tuple[CallOut, ...]:
        """What runs after the events, in intake's reaction group."""
        return (
            CallOut("destroy_key", (TOPIC,), (CandidateErased,), self._erased),
            CallOut("destroy_need_key", (TOPIC,), (NeedTextErased,), self._text_erased),
            CallOut("follow_merge", (TOPIC,), (CandidateMerged,), self._merged),
        )

    async def forget(self, candidate_id: str) -> None:
        """Destroy the key, then forget the national id. Raises KeyringUnavailable, DependencyDown; may be repeated."""
        await self.keyring.destroy(candidate_id)
        await self.people.release(candidate_id)

    async def replay(self, erased: View) -> None:
        """Destroy again what a restored keyring has brought back. Raises KeyringUnavailable, PyMongoError."""
        brought_back = await self.keyring.present([each["_id"] for each in await erased.find()])
        for name in brought_back:
            # Of a need too: nobody's national id goes under its name, so that there is nothing more to forget.
            await self.forget(name)
        if brought_back:
            _log.warning("erasures replayed on a restored keyring", count=len(brought_back))

    async def _erased(self, record: Record) -> None:
        if isinstance(record.event, CandidateErased):
            await self.forget(record.event.candidate_id)

    async def _text_erased(self, record: Record) -> None:
        if isinstance(record.event, NeedTextErased):
            await self.keyring.destroy(record.event.need_id)

    async def _merged(self, record: Record) -> None:
        if isinstance(record.event, CandidateMerged):
            survivor = record.event.merged_into
            await self.people.follow(record.event.candidate_id, survivor)
            if not await self.keyring.present([survivor]):
                # Erased meanwhile, perhaps before the number came to it.
                await self.people.release(survivor)
