"""The keyring's HTTP interface, for the service that owns the keyring.

Invariant: a key is handed only to a service with the scope, each time with an audit line, and never kept by a cache.
"""

from __future__ import annotations

import base64
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import JSONResponse

from chassis.audit import Audit, Outcome, Why
from chassis.auth import require
from chassis.keyring import AT_ONCE, KeyDestroyed, Keyring, KeyringOfMany, KeyUnknown
from chassis.logs import get_logger
from chassis.metrics import KEYS_ASKED
from chassis.problems import Problem
from chassis.tokens import Principal

_log = get_logger(__name__)


Reader = Annotated[Principal, Depends(require("keys:read"))]


class Asked(BaseModel):
    """Whose keys are asked about."""

    model_config = ConfigDict(extra="forbid", strict=True)

    candidates: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(max_length=AT_ONCE)


class WholeKeyring(Keyring, KeyringOfMany, Protocol):
    """All that is answered of a keyring."""


def keyring_router(keyring: WholeKeyring, audit: Audit | None = None) -> APIRouter:
    """`POST /keys/{candidate}` over a keyring: 200 with the key, 410 destroyed, 404 unknown, 503 unavailable.

    `POST /keys` hands out many at once, in one entry of the audit that names them all; `POST /keys/destroyed` tells
    which of many are destroyed.
    """
    router = APIRouter(tags=["keyring"])

    @router.post("/keys")
    async def hand_out_many(asked: Asked, principal: Reader) -> JSONResponse:
        """The keys of many candidates, and whose are destroyed, for a service that counts what very many sealed."""
        try:
            keys = await keyring.keys(asked.candidates)
        except KeyUnknown as unknown:
            KEYS_ASKED.labels("unknown").inc()
            raise Problem(422, "key_unknown") from unknown
        gone = sorted(set(asked.candidates) - keys.keys())
        if audit is not None and keys:
            await audit.record(principal, sorted(keys), "key", Outcome.ALLOWED, Why.SERVICE)
        KEYS_ASKED.labels("handed_out").inc(len(keys))
        KEYS_ASKED.labels("destroyed").inc(len(gone))
        _log.info("audit: keys asked", asked_by=principal.client, handed_out=len(keys), destroyed=len(gone))
        told = {person: base64.b64encode(key).decode() for person, key in keys.items()}
        return JSONResponse({"keys": told, "destroyed": gone})

    # Before the path that would take it for somebody's id.
    @router.post("/keys/destroyed")
    async def destroyed(asked: Asked, _: Reader) -> JSONResponse:
        """Which of these candidates' keys are destroyed, for a service that keeps what it has opened. Tells no key."""
        return JSONResponse({"destroyed": sorted(await keyring.destroyed(asked.candidates))})

    @router.post("/keys/{candidate}")
    async def hand_out(candidate: str, principal: Reader) -> JSONResponse:
        """A candidate's key, for a service that folds or shows sealed values. POST, so that no cache keeps it."""
        outcome = "unavailable"
        try:
            key = await keyring.key(candidate)
            if audit is not None:
                await audit.record(principal, candidate, "key", Outcome.ALLOWED, Why.SERVICE)
            outcome = "handed_out"
        except KeyDestroyed as destroyed:
            outcome = "destroyed"
            raise Problem(410, "key_destroyed") from destroyed
        except KeyUnknown as unknown:
            outcome = "unknown"
            raise Problem(404, "key_unknown") from unknown
        finally:
            KEYS_ASKED.labels(outcome).inc()
            # An unknown candidate's id is whatever the caller wrote, so it is not repeated.
            asked = candidate if outcome in ("handed_out", "destroyed") else "unknown"
            _log.info("audit: key asked", asked_by=principal.client, candidate=asked, outcome=outcome)
        return JSONResponse({"key": base64.b64encode(key).decode()})

    return router
