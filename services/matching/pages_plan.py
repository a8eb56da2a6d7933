"""The page of the plan.

Invariant: every line is a form of its own that makes an ordinary proposal; nothing happens by looking.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chassis.projection import Document
from chassis.webstate import language_of, web_of
from services.matching.words import in_short, short_reference, work_in_words

_NO_TEXT: Mapping[str, str] = {}


def plan_page(
    request: Request, shown: Document, *, errors: Mapping[str, str] = _NO_TEXT, status: int = 200
) -> Response:
    """The lines of the reader's own needs, what the whole plan gains, and the places that nobody is left for."""
    language = language_of(request)
    in_words = {
        part: [{**each, **work_in_words(each, language)} for each in shown[part]] for part in ("lines", "unfilled")
    }
    lines = [{**each, "about": in_short(each["profile"], language)} for each in in_words["lines"]]
    plan = {**shown, **in_words, "lines": lines}
    return web_of(request).pages.render(
        request, "plan.html", status=status, plan=plan, short=short_reference, errors=errors
    )
