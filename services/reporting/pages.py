"""The page with the tables.

Invariant: it works without JavaScript, says what to do where there is nothing, and needs a login.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from chassis.auth import require
from chassis.pages import page_router
from chassis.texts import Texts
from chassis.web import language_of, web_of
from contracts.refused import Refused
from contracts.vocabulary import Intermediary, Measure
from services.reporting.presenting import shown
from services.reporting.reading import TABLE_IDS, Asked, Reading
from services.reporting.requests import chosen_filter

_LONGEST = 40


def router(reading: Reading, texts: Texts) -> APIRouter:
    """`/` of reporting."""
    pages = page_router()

    @pages.get("/", dependencies=[Depends(require("tables:read"))])
    async def front(
        request: Request, period: str = "", region: str = "", measure: str = "", intermediary: str = ""
    ) -> Response:
        language = language_of(request)
        values = {"period": period, "region": region, "measure": measure, "intermediary": intermediary}
        values = {name: value.strip()[:_LONGEST] for name, value in values.items()}
        errors: dict[str, str] = {}
        question = Asked()
        try:
            question = Asked(chosen_filter(**values))
        except Refused as refused:
            errors = {field.lstrip("/"): texts.say(language, f"refused.{refused.code}") for field in refused.fields}
        tables = [] if errors else [shown(await reading.table(each, question), texts, language) for each in TABLE_IDS]
        return web_of(request).pages.render(
            request,
            "tables.html",
            status=422 if errors else 200,
            headers={"Cache-Control": "no-store"},
            tables=tables,
            values=values,
            errors=errors,
            measures=[code.value for code in Measure],
            intermediaries=[code.value for code in Intermediary],
        )

    return pages
