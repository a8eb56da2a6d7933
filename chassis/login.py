"""Login by persona, logout and the choice of language: pages that every service has.

Invariant: a persona can be chosen in development only, and a login never leads away from this host.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.auth import Visitor, authenticated
from chassis.formats import LANGUAGES
from chassis.ids import is_id
from chassis.issuer import PERSONAS, TOKEN_SECONDS, CandidateMissing, DevIssuer, PersonaUnknown
from chassis.middleware import LANGUAGE_COOKIE
from chassis.pages import page_router
from chassis.problems import NotFound, Problem
from chassis.requests import clean_text
from chassis.sessions import local_path, refuse_other_sites
from chassis.tokens import Principal
from chassis.webstate import language_of, web_of

LANGUAGE_SECONDS = 365 * 24 * 3600
router = page_router()


def _issuer(request: Request) -> DevIssuer:
    settings = web_of(request).settings
    if settings.environment == "production":
        raise Problem(404, "login_unavailable", issuer=settings.issuer)
    return DevIssuer(settings)


def _page(request: Request, goes_to: str, status: int = 200, **errors: str) -> Response:
    return web_of(request).pages.render(
        request,
        "login.html",
        status=status,
        personas=[name for name, persona in PERSONAS.items() if not persona.is_service],
        goes_to=goes_to,
        errors=errors,
    )


@router.get("/login")
async def login_page(request: Request, _visitor: Visitor, next: str | None = None) -> Response:  # noqa: A002
    _issuer(request)
    return _page(request, local_path(next))


@router.post("/login")
async def log_in(
    request: Request,
    persona: Annotated[str, Form(max_length=100)] = "",
    candidate_id: Annotated[str, Form(max_length=100)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    issuer = _issuer(request)
    refuse_other_sites(request)
    web, language, goes_to = web_of(request), language_of(request), local_path(next)
    try:
        if persona in PERSONAS and PERSONAS[persona].is_service:
            raise PersonaUnknown(persona)
        candidate_id = clean_text(candidate_id)
        if persona == "candidate" and candidate_id and not is_id(candidate_id):
            # The short reference that counsellors read: with it everything would be empty, without a word why.
            return _page(request, goes_to, 422, candidate_id=web.texts.say(language, "field.candidate_id_form"))
        token = issuer.token(persona, candidate_id or None)
    except PersonaUnknown:
        return _page(request, goes_to, 422, persona=web.texts.say(language, "field.missing"))
    except CandidateMissing:
        return _page(request, goes_to, 422, candidate_id=web.texts.say(language, "field.candidate_missing"))
    response = RedirectResponse(goes_to, status_code=303)
    web.sessions.begin(response, token, TOKEN_SECONDS)
    return response


@router.post("/logout")
async def log_out(request: Request, _principal: Annotated[Principal, Depends(authenticated)]) -> Response:
    response = RedirectResponse("/login", status_code=303)
    web_of(request).sessions.end(response)
    return response


@router.get("/language/{language}")
async def choose_language(request: Request, language: str, next: str | None = None) -> Response:  # noqa: A002
    if language not in LANGUAGES:
        raise NotFound
    response = RedirectResponse(local_path(next), status_code=303)
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=LANGUAGE_SECONDS,
        secure=web_of(request).sessions.secure,
        httponly=True,
        samesite="lax",
    )
    return response
