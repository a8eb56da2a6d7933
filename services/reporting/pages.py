"""The page with the charts and tables.

Invariant: it works without JavaScript, says what to do where there is nothing, and needs a login. What it does not know
in its address is said, and nothing shown: a misspelt filter would give the whole country without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import require
from chassis.employers import EmployerNames
from chassis.formats import Language
from chassis.pages import page_router
from chassis.texts import Texts
from chassis.web import language_of, web_of
from contracts.codelists import municipalities
from contracts.vocabulary import Intermediary, Measure
from services.reporting.dashboard import Dashboard, Section, complete_for_all, drawn_apart
from services.reporting.domain import regions
from services.reporting.presenting import complete_sentences, computed, region_name, selection
from services.reporting.reading import Reading
from services.reporting.requests import LONGEST, typed, unknown_parameters

_PARAMETERS = frozenset(("from", "to", "period", "region", "measure", "intermediary", "org_number"))


def router(reading: Reading, texts: Texts, employers: EmployerNames) -> APIRouter:
    """`/` of reporting."""
    pages = page_router()

    @pages.get("/", dependencies=[Depends(require("tables:read"))])
    async def front(
        request: Request,
        begin: Annotated[str, Query(alias="from")] = "",
        to: str = "",
        period: str = "",
        region: str = "",
        measure: str = "",
        intermediary: str = "",
        org_number: str = "",
    ) -> Response:
        language = language_of(request)
        # One period, as the tables' addresses have it, is from it to it.
        values = {
            "from": begin or period,
            "to": to or period,
            "region": region,
            "measure": measure,
            "intermediary": intermediary,
            "org_number": org_number,
        }
        values = {name: value.strip()[:LONGEST] for name, value in values.items()}
        asked, wrong = typed(values)
        errors = {name: texts.say(language, f"refused.{code}") for name, code in wrong.items()}
        if unknown := unknown_parameters(request.query_params, _PARAMETERS):
            # Told at the form, whose fields are all that can be asked.
            named = texts.say(language, "report.unknown_parameter", names=", ".join(unknown))
            errors = {"filter": named, **errors}
        sections: Sequence[Section] = ()
        complete: Sequence[str] = ()
        if not errors:
            overview = await reading.overview(asked)
            called = await employers.of(drawn_apart(overview.workforce.table))
            counted = complete_for_all(overview)
            sections = Dashboard(texts, language, called, counted).sections(overview)
            complete = complete_sentences(counted, texts, language)
        return web_of(request).pages.render(
            request,
            "dashboard.html",
            status=422 if errors else 200,
            headers={"Cache-Control": "no-store"},
            sections=sections,
            complete=complete,
            selection=selection(asked.chosen.as_text(), texts, language),
            computed=computed(web_of(request).service.clock.now(), texts, language),
            values=values,
            errors=errors,
            regions=_listed_regions(texts, language),
            measures=[code.value for code in Measure],
            intermediaries=[code.value for code in Intermediary],
        )

    return pages


def _listed_regions(texts: Texts, language: Language) -> list[str]:
    """`33 Buskerud fylke`, `3312 Lier` …: each can be found by its number and by its name."""
    codes = [*regions.counties(), *sorted(municipalities())]
    return [f"{code} {region_name(code, texts, language)}" for code in codes]
