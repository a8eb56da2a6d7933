"""Routes that exist in development only: tokens of personas and the business clock.

Invariant: `create_app` does not include them in production, so there they are 404 like anything unknown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from chassis.issuer import PERSONAS, TOKEN_SECONDS, CandidateMissing, DevIssuer, PersonaUnknown
from chassis.problems import Problem
from chassis.requests import StrictModel
from chassis.validation import Found
from chassis.webstate import Web, web_of

router = APIRouter(prefix="/dev", tags=["development"])


class TokenWanted(StrictModel):
    """Which persona a token is for."""

    persona: str
    """One of the personas of the development issuer, such as `employer-lier`, or a service's own client."""
    candidate_id: str | None = None
    """For the persona `candidate`: which one."""


class ClockTurned(StrictModel):
    """Where the business clock is to stand."""

    now: datetime | None
    """An instant with offset; null: follow the machine clock."""


@router.post("/token")
async def token(request: Request, wanted: TokenWanted) -> JSONResponse:
    """A bearer token for a persona."""
    try:
        made = DevIssuer(web_of(request).settings).token(wanted.persona, wanted.candidate_id)
    except PersonaUnknown as unknown:
        known = ", ".join(PERSONAS)
        raise Problem(422, "persona_unknown", errors=[_not_in_list(known)], personas=known) from unknown
    except CandidateMissing as missing:
        raise Problem(422, "invalid", errors=[Found("/candidate_id", "candidate_missing")]) from missing
    return JSONResponse({"access_token": made, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})


def _not_in_list(known: str) -> Found:
    return Found("/persona", "not_in_list", {"expected": known})


@router.get("/clock")
async def clock(request: Request) -> JSONResponse:
    """Where the business clock stands."""
    return JSONResponse(_clock(web_of(request)))


@router.put("/clock")
async def turn_clock(request: Request, turned: ClockTurned) -> JSONResponse:
    """Set the business clock: forward only, and never before what has been recorded (409)."""
    web = web_of(request)
    await web.service.turn_clock(turned.now)
    return JSONResponse(_clock(web))


def _clock(web: Web) -> dict[str, Any]:
    clock = web.service.clock
    now = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"now": now, "today": clock.today().isoformat(), "is_set": clock.is_set}
