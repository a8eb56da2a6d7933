"""Employers over HTTP: who an organisation number is, from the register of units.

Invariant: an employer asks about itself, an intermediary and a service about everybody; what the register says is
public anyway.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from chassis.auth import NotFound, Principal, absent_unless, require
from chassis.respond import resource
from contracts.codelists import current_municipalities
from contracts.orgnumbers import is_valid
from services.intake.core import Intake

Reader = Annotated[Principal, Depends(require("needs:read", "names:read", "employers:read"))]


def router(intake: Intake) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["employers"])

    @routes.get("/employers/{org_number}", summary="Name, address municipality and industry of an employer")
    async def one(org_number: str, principal: Reader) -> Response:
        absent_unless(is_valid(org_number, synthetic_allowed=intake.synthetic))
        absent_unless(
            principal.intermediary is not None or principal.role == "service" or principal.acts_for(org_number)
        )
        unit = await intake.register.unit(org_number)
        if unit is None:
            raise NotFound
        now = current_municipalities(unit.municipality or "")
        # The register may still have a number of an older division; one that was divided says nothing for certain.
        return resource({**unit.told(), "municipality": now[0] if len(now) == 1 else unit.municipality})

    return routes
