"""Background facts over HTTP: encrypted here, before they become an event of a log of their own.

Invariant: what a person declares leaves this module as ciphertext under that person's key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import reduce
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import Principal, require
from chassis.commands import Decision, Loaded
from chassis.keyring import seal
from chassis.respond import Creating, respond
from services.intake.core import Intake, candidate_answer, candidate_subject
from services.intake.domain import background
from services.intake.domain.background import (
    BackgroundCommand,
    Declaration,
    DeclareBackground,
    DeclineBackground,
    Facts,
)
from services.intake.domain.rules import wrong
from services.intake.requests import BackgroundDeclaration

Declarer = Annotated[Principal, Depends(require("background:write"))]


def router(intake: Intake) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["candidates"])

    @routes.post("/candidates/{candidate_id}/background", status_code=201, summary="Declare background, or decline")
    async def declare(
        candidate_id: str, body: BackgroundDeclaration, principal: Declarer, context: Creating
    ) -> Response:
        await intake.own_candidate(principal, candidate_id)
        command = await _command(intake, candidate_id, body)
        subject = candidate_subject(candidate_id)

        def decide(loaded: Mapping[str, Loaded]) -> Decision:
            state = reduce(background.evolve, loaded[subject].events, Declaration())
            return Decision(background.decide(command, state), candidate_answer(candidate_id))

        return respond(await intake.background_commands.run(context, [subject], decide, person=candidate_id))

    return routes


async def _command(intake: Intake, candidate_id: str, body: BackgroundDeclaration) -> BackgroundCommand:
    at = intake.clock.now()
    facts = body.facts()
    if body.declined:
        if facts != Facts():
            raise wrong("declined_with_answers", "/declined")
        return DeclineBackground(candidate_id, at)
    background.check(facts, intake.clock.today())
    ciphertext = seal(await intake.keyring.key(candidate_id), facts.values(), candidate_id)
    return DeclareBackground(candidate_id, base64.b64encode(ciphertext).decode(), at)
