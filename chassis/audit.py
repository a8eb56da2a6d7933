"""Who read what about a person, and why; what was refused too.

Invariant: an entry is stored (majority, journaled) before the answer leaves, and nothing is answered where it cannot be
stored. An entry holds ids and closed codes, never what was answered, and it is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse, Response

from chassis.auth import require
from chassis.clock import machine_now
from chassis.errors import DependencyDown
from chassis.ids import new_id
from chassis.logs import get_logger
from chassis.mongo import Database, PyMongoError
from chassis.problems import NotFound, Problem
from chassis.requests import Id
from chassis.respond import Paged, Paging
from chassis.telemetry import current
from chassis.tokens import Principal

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_NEWEST_FIRST = [("at", -1), ("_id", -1)]
_INDEXES = ("persons", "actor", "outcome")

_log = get_logger(__name__)


class Why(StrEnum):
    """What gives somebody the right to read. The list grows; a value never changes its meaning."""

    OWN_CANDIDATE = "own_candidate"
    """The reader works at the intermediary that follows the candidate."""
    OWN_NEED = "own_need"
    """The reader works at the intermediary that works on the need."""
    OWN_DATA = "own_data"
    """The reader is the person."""
    PRESENTED_TO_EMPLOYER = "presented_to_employer"
    """The reader acts for the employer to whom the person, after a yes, was presented."""
    DECISION = "decision"
    """The reader decides on a case of the person."""
    SERVICE = "service"
    """Another service of this system needs it for what it was asked."""


class Outcome(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"


class Audit:
    """The entries of one service, in a collection of their own beside its views."""

    def __init__(self, database: Database, service: str) -> None:
        self._entries = database["audit"]
        self._service = service

    async def prepare(self) -> None:
        """Create the indexes of the queries. Raises PyMongoError."""
        for name in _INDEXES:
            await self._entries.create_index([(name, 1), ("at", -1), ("_id", -1)], name=name)
        await self._entries.create_index(_NEWEST_FIRST, name="newest")

    async def read(self, principal: Principal, persons: str | Sequence[str], what: str, why: Why | None) -> None:
        """Record a read and let it go on; `why` None: record that it was refused, and raise NotFound.

        `persons`: the candidates that the answer speaks of; `what`: a code of the route, for example `name`. Raises
        DependencyDown where the entry cannot be stored: what is not audited is not answered.
        """
        listed = [persons] if isinstance(persons, str) else list(persons)
        outcome = Outcome.DENIED if why is None else Outcome.ALLOWED
        entry = {
            "_id": new_id(),
            "at": machine_now(),
            "service": self._service,
            # What a stranger wrote into a path is only kept where it is an id.
            "persons": [each for each in listed if _ID.fullmatch(each)],
            "what": what,
            "why": None if why is None else why.value,
            "outcome": outcome.value,
            "actor": principal.sub,
            "client": principal.client,
            "role": principal.role,
            "traceparent": current(),
        }
        try:
            await self._entries.insert_one(entry)
        except PyMongoError as error:
            raise DependencyDown(f"the audit of {self._service} cannot be written: MongoDB does not answer") from error
        _log.info("audit", what=what, outcome=outcome.value, asked_by=principal.client, actor=principal.sub)
        if why is None:
            raise NotFound

    async def find(self, where: dict[str, Any], page: Paging) -> list[dict[str, Any]]:
        """One more than a page of the entries that match, the newest first."""
        if page.after is not None:
            at, entry_id = _after(page)
            where = {"$and": [where, {"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": entry_id}}]}]}
        found = self._entries.find(where, sort=_NEWEST_FIRST).limit(page.limit + 1)
        return [_shown(each) async for each in found]


def audit_router(audit: Audit) -> APIRouter:
    """`GET /audit`, for whoever supervises: the scope `audit:read` is apart from that of operating the service."""
    routes = APIRouter(tags=["operations"], dependencies=[Depends(require("audit:read"))])

    @routes.get("/audit", summary="Who read what about whom, the newest first")
    async def listed(
        page: Paged,
        candidate_id: Annotated[Id | None, Query(description="Reads of this person's data.")] = None,
        actor: Annotated[str | None, Query(max_length=200, description="Reads by this caller (`sub`).")] = None,
        outcome: Annotated[Outcome | None, Query(description="Only those that were allowed, or denied.")] = None,
    ) -> Response:
        asked = {"persons": candidate_id, "actor": actor, "outcome": None if outcome is None else outcome.value}
        found = await audit.find({name: value for name, value in asked.items() if value is not None}, page)
        answer: JSONResponse = page.listing(found, lambda entry: (entry["at"], entry["id"]))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return routes


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    at: datetime = entry["at"]
    told = {name: value for name, value in entry.items() if name not in ("_id", "at")}
    return {"id": entry["_id"], "at": at.astimezone(UTC).isoformat(timespec="milliseconds"), **told}


def _after(page: Paging) -> tuple[datetime, str]:
    match page.after:
        case (str() as at, str() as entry_id):
            try:
                return datetime.fromisoformat(at).astimezone(UTC), entry_id
            except (ValueError, OverflowError) as error:
                raise Problem(400, "cursor_invalid") from error
        case _:
            raise Problem(400, "cursor_invalid")
