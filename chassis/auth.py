"""Who asks, and whether they may: dependencies of routes.

Invariant: every route that is not open names a scope here; a token that does not hold is 401, a missing scope 403, and
somebody else's resource is 404 as if it were not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from chassis.errors import DependencyDown
from chassis.problems import NotFound, Problem, absent_unless, busy
from chassis.sessions import SAFE_METHODS
from chassis.tokens import Principal, ServiceTokens, TokenChecker, TokenInvalid
from chassis.webstate import web_of

__all__ = [
    "SCOPES",
    "NotFound",
    "Principal",
    "ServiceTokens",
    "TokenChecker",
    "Visitor",
    "absent_unless",
    "authenticated",
    "require",
    "visitor",
]

SCOPES = {
    "needs:write": "Register and withdraw an employer's needs",
    "needs:read": "Read needs",
    "candidates:write": "Register, map and assess candidates",
    "candidates:read": "Read candidates",
    "candidates:answer": "Answer for oneself as a candidate",
    "matches:write": "Match, ask and present candidates, confirm",
    "matches:read": "Read matches and ranked candidates",
    "matches:respond": "Answer for the employer on a presented candidate",
    "agreements:write": "Draft and annul agreements",
    "agreements:approve": "Approve an agreement as a party",
    "agreements:decide": "Approve agreements that cost money",
    "trials:write": "Confirm starts, hold check-ins, extend and close trials",
    "cases:read": "Read cases, agreements and trials",
    "workforce:write": "Report an employer's workforce figures",
    "background:write": "Declare background facts",
    "tables:read": "Read tables",
    "keys:read": "Read persons' keys (services only)",
    "eligibility:read": "Ask whether rules about a person hold (services only)",
    "names:read": "Read a person's name, audited",
    "employers:read": "Look employers up in the register of units (services only)",
    "audit:read": "Read who read what about whom",
    "operate": "Operate the service",
}


async def authenticated(request: Request) -> Principal:
    """Whoever sends a token that holds: as bearer, or in the session cookie (a change then needs the form token)."""
    web = web_of(request)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise _unauthenticated("unauthenticated")
        principal = await _check(request, credentials.strip())
    elif (token := web.sessions.token(request)) is not None:
        principal = await _check(request, token)
        if request.method not in SAFE_METHODS:
            await web.sessions.check_form(request, token)
    else:
        raise _unauthenticated("unauthenticated")
    request.state.principal = principal
    return principal


async def visitor(request: Request) -> Principal | None:
    """For open routes: who it is if they are logged in; an expired session is nobody."""
    try:
        return await authenticated(request)
    except Problem as problem:
        if problem.status == 401 and "authorization" not in request.headers:
            return None
        raise


Visitor = Annotated[Principal | None, Depends(visitor)]


def require(*scopes: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the principal, if it has at least one of these scopes."""
    unknown = set(scopes) - SCOPES.keys()
    if unknown or not scopes:
        raise ValueError(f"unknown scopes: {sorted(unknown)}; add them to SCOPES")

    async def principal_with_scope(principal: Annotated[Principal, Depends(authenticated)]) -> Principal:
        if principal.scopes.isdisjoint(scopes):
            wanted = " ".join(scopes)
            challenge = f'Bearer realm="dugnad", error="insufficient_scope", scope="{wanted}"'
            raise Problem(403, "forbidden", headers={"WWW-Authenticate": challenge}, scopes=", ".join(scopes))
        return principal

    principal_with_scope.__dict__["scopes"] = scopes
    return principal_with_scope


async def _check(request: Request, token: str) -> Principal:
    try:
        return await web_of(request).checker.check(token)
    except TokenInvalid as invalid:
        raise _unauthenticated("token_invalid", 'error="invalid_token"') from invalid
    except DependencyDown as down:
        raise busy("issuer_unavailable", 5) from down


def _unauthenticated(code: str, more: str = "") -> Problem:
    challenge = 'Bearer realm="dugnad"' + (f", {more}" if more else "")
    return Problem(401, code, headers={"WWW-Authenticate": challenge})
