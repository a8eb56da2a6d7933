"""The menu: which words lead whom where."""

from __future__ import annotations

import pytest

from tests.webapp import OWN, StillService, browser, settings, thing_app

BROWSER = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("persona", "nb", "en"),
    [
        ("employer-lier", "Presenterte kandidater", "Presented candidates"),
        ("candidate", "Spørsmål til deg", "Questions for you"),
        ("counsellor-nav", "Kobling", "Matching"),
        ("decision-maker", "Kobling", "Matching"),
    ],
)
async def test_the_menu_calls_a_page_by_what_it_holds_for_the_reader(persona: str, nb: str, en: str) -> None:
    async with browser(thing_app(StillService(settings()))) as client:
        typed = {"persona": persona, "candidate_id": OWN if persona == "candidate" else ""}
        assert (await client.post("/login", data=typed, headers=BROWSER)).status_code == 303
        for language, words in (("nb", nb), ("en", en)):
            page = (await client.get("/docs", headers={**BROWSER, "Accept-Language": language})).text
            assert f'<a href="http://127.0.0.1:8102/">{words}</a>' in page
