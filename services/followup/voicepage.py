"""The candidate's voice as a page: a short form in a language of the candidate's own choice.

Invariant: what was typed is shown again to nobody but whoever typed it, and only until it has been sent.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import NotFound, Principal, require
from chassis.pages import page_router
from chassis.problems import HANDLED, as_problem
from chassis.respond import Creating, respond_page
from chassis.webstate import language_of, web_of
from services.followup.api.changes import give_voice
from services.followup.core import Followup
from services.followup.requests import NewVoice
from services.followup.steps import Status, status, trial_of

Candidate = Annotated[Principal, Depends(require("candidates:answer"))]
Chosen = Annotated[str | None, Query(alias="form", max_length=8)]
FOLDER = Path(__file__).parent / "voice"
ORDER = ("nb", "en", "uk", "ar")


@cache
def languages() -> Mapping[str, Mapping[str, str]]:
    """The words of the form, by language. Norwegian first."""
    return {code: tomllib.loads((FOLDER / f"{code}.toml").read_text("utf-8")) for code in ORDER}


def router(followup: Followup) -> APIRouter:
    """The pages."""
    routes = page_router()

    @routes.get("/cases/{match_id}/voice")
    async def form(
        request: Request, match_id: str, principal: Candidate, chosen: Chosen = None, sent: bool = False
    ) -> Response:
        await _trial_id(followup, principal, match_id)
        return _page(request, match_id, _words(request, chosen), {}, {}, sent=sent)

    @routes.post("/cases/{match_id}/voice")
    async def send(
        request: Request, match_id: str, principal: Candidate, context: Creating, chosen: Chosen = None
    ) -> Response:
        trial_id = await _trial_id(followup, principal, match_id)
        words = _words(request, chosen)
        typed = {name: text for name, text in (await request.form()).items() if isinstance(text, str) and text.strip()}
        said = {name: typed[name] for name in ("well", "help", "text") if name in typed}
        try:
            voice = NewVoice.model_validate({**said, "talk": typed.get("talk") == "yes"})
        except ValidationError as error:
            wrong = {str(each["loc"][0]): each["type"] for each in error.errors()}
            sentences = {name: words[_fault(name, kind)] for name, kind in wrong.items()}
            return _page(request, match_id, words, typed, sentences)
        try:
            await give_voice(followup, principal, replace(context, wait=0), trial_id, voice)
        except HANDLED as error:
            if as_problem(error).status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            # What somebody has found words for is not lost because no key or no log is to be had for a moment.
            return _page(request, match_id, words, typed, {"main": words["away"]}, code=503)
        return respond_page(f"/cases/{match_id}/voice?form={words['language']}&sent=true")

    return routes


async def _trial_id(followup: Followup, principal: Principal, match_id: str) -> str:
    """The candidate's own trial while it runs. Raises NotFound."""
    case = await followup.case(principal, match_id)
    trial = trial_of(case)
    if trial is None or status(case) != Status.IN_TRIAL or not principal.is_candidate(case["candidate_id"]):
        raise NotFound
    return trial[0]


def _fault(name: str, kind: str) -> str:
    """Which sentence of the form says what is wrong."""
    if name != "text":
        return "choose"
    return "too_long" if kind == "string_too_long" else "sign"


def _words(request: Request, chosen: str | None) -> Mapping[str, str]:
    """As chosen, else as the browser asks, else as the page."""
    found = languages()
    if chosen is not None and chosen in found:
        return found[chosen]
    for wanted in request.headers.get("accept-language", "").split(","):
        code = wanted.split(";")[0].split("-")[0].strip().lower()
        if code in found:
            return found[code]
    return found[language_of(request)]


def _page(
    request: Request,
    match_id: str,
    words: Mapping[str, str],
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    sent: bool = False,
    code: int = 422,
) -> Response:
    return web_of(request).pages.render(
        request,
        "voice.html",
        status=code if errors else 200,
        headers={"Cache-Control": "no-store"},
        match_id=match_id,
        words=words,
        languages=[(code, each["name"], each["direction"]) for code, each in languages().items()],
        typed=typed,
        errors=errors,
        sent=sent,
    )
