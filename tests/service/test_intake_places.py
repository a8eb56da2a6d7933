"""What an employer hears of the places: somebody chosen, somebody at work, who does what next."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis.commands import Answer, CommandContext, Decision
from chassis.ids import new_id
from chassis.issuer import MESTER_GRONN
from chassis.service import Service
from chassis.settings import Settings
from contracts import followup as fo
from contracts import matching as ma
from contracts.event import Event
from contracts.registry import SOURCES
from tests.service.intake_helpers import MONDAY, World, running
from tests.service.test_intake_page import log_in, plain


class Elsewhere:
    """Matching and followup as far as intake hears them."""

    def __init__(self, writer: Service) -> None:
        self._writer = writer
        self._logs = {each.SOURCE: writer.log(each.SOURCE, each.TOPIC, SOURCES[each.SOURCE]) for each in (ma, fo)}

    async def happened(self, event: Event) -> str:
        """Append an event to another service's log; for `min_position`."""
        source = ma.SOURCE if isinstance(event, SOURCES[ma.SOURCE]) else fo.SOURCE
        context = CommandContext(f"command:{uuid4().hex}", b"{}", "test", "test", wait=10.0)
        decision = Decision([event], Answer({}, "/", event.subject))
        done = await self._writer.commands(self._logs[source]).run(context, [event.subject], lambda _: decision)
        return f"{source.rpartition('/')[2]}:{done.position}"


@asynccontextmanager
async def elsewhere(settings: Settings) -> AsyncIterator[Elsewhere]:
    writer = Service("writer", settings)
    others = Elsewhere(writer)
    writer.clock.set(MONDAY)
    await writer.start()
    try:
        yield others
    finally:
        await writer.stop()


@pytest.fixture
async def others(settings: Settings) -> AsyncIterator[Elsewhere]:
    async with elsewhere(settings) as others:
        yield others


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def events_of(told: dict[str, Any], slot: int = 0) -> dict[str, Event]:
    """What matching and followup say about one place."""
    base = {
        "match_id": new_id(),
        "need_id": told["need_id"],
        "slot_id": told["slot_ids"][slot],
        "candidate_id": new_id(),
        "org_number": MESTER_GRONN,
    }
    agreement = {**base, "agreement_id": new_id()}
    trial = {**agreement, "trial_id": new_id()}
    return {
        "confirmed": ma.MatchConfirmed(
            **base,
            confirmed_on=date(2025, 1, 17),
            confirmed_by="employer",
            intermediary="refugee_service",
            municipality="3312",
            occupation="5223",
            registered_on=date(2025, 1, 13),
            promise_date=date(2025, 2, 10),
        ),
        "cancelled": ma.MatchCancelled(**base, cancelled_on=date(2025, 1, 20), reason="no_longer_available"),
        "no_show": fo.NoShowReported(**agreement, on=date(2025, 2, 3), reported_by="employer"),
        "started": fo.TrialStarted(
            **trial,
            on=date(2025, 2, 3),
            confirmed_by="employer",
            measure="work_training",
            end_on=date(2025, 5, 2),
            days_from_need=21,
            within_promise=True,
            rule_version="2024-01-01",
        ),
    }


async def states(world: World, told: dict[str, Any], position: str) -> list[str]:
    """The state of each place, once intake has heard so far."""
    answer = await world.as_("employer-lier").get(f"/needs/{told['need_id']}", min_position=position)
    assert answer.status_code == 200, answer.text
    return [each["state"] for each in answer.json()["places"]]


async def test_an_employers_list_hears_that_a_place_was_filled_and_who_does_what_next(
    world: World, others: Elsewhere
) -> None:
    told = await world.need(slots=2, intermediary="nav")
    said = events_of(told)
    await others.happened(
        ma.NeedAssigned(
            need_id=told["need_id"],
            org_number=MESTER_GRONN,
            intermediary="refugee_service",
            assigned_on=date(2025, 1, 13),
        )
    )
    position = await others.happened(said["confirmed"])
    assert await states(world, told, position) == ["confirmed", "open"]
    browser = await log_in(world, "employer-lier")
    shown = plain((await browser.get(f"/?min_position={position}")).text)
    assert "1 kandidat valgt, Flyktningtjenesten gjør klar avtalen." in shown
    assert "Flyktningtjenesten finner kandidater og viser dem til deg." in shown
    assert "10. februar 2025" in shown
    position = await others.happened(said["started"])
    assert await states(world, told, position) == ["started", "open"]
    shown = plain((await browser.get(f"/?min_position={position}")).text)
    assert "1 av 2 er på plass." in shown
    page = plain((await browser.get(f"/need/{told['need_id']}")).text)
    assert "På plass fra 3. februar 2025." in page


async def test_a_place_is_open_again_when_the_one_who_was_chosen_drops_out(world: World, others: Elsewhere) -> None:
    told = await world.need()
    said = events_of(told)
    await others.happened(said["confirmed"])
    assert await states(world, told, await others.happened(said["cancelled"])) == ["open"]
    other = events_of(told)
    await others.happened(other["confirmed"])
    assert await states(world, told, await others.happened(other["no_show"])) == ["open"]


async def test_a_place_that_is_taken_neither_expires_nor_is_withdrawn(world: World, others: Elsewhere) -> None:
    told = await world.need(slots=3, expires_on="2025-01-20")
    confirmed, started = events_of(told, 0), events_of(told, 1)
    await others.happened(confirmed["confirmed"])
    await others.happened(started["confirmed"])
    position = await others.happened(started["started"])
    assert await states(world, told, position) == ["confirmed", "started", "open"]
    await world.clock(datetime(2025, 1, 21, 9, tzinfo=UTC))
    employer, path = world.as_("employer-lier"), f"/needs/{told['need_id']}"
    shown = await employer.until(path, lambda need: need["version"] == 2)
    assert [each["state"] for each in shown["places"]] == ["confirmed", "started", "expired"]
    named = {"reason": "other", "slot_ids": [told["slot_ids"][1]]}
    refused = await employer.post(f"{path}/withdrawal", named, version=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_filled")
    rest = await employer.post(f"{path}/withdrawal", {"reason": "no_longer_needed"}, version=2)
    assert rest.json()["slot_ids"] == [told["slot_ids"][0]]


# --- the page of one need


async def test_an_employer_revises_and_withdraws_on_the_page(world: World) -> None:
    told = await world.need()
    browser = await log_in(world, "employer-lier")
    url = f"/need/{told['need_id']}"
    page = (await browser.get(f"{url}?min_position=intake:{told['position']}")).text
    typed = {**hidden(page, f"{url}/revision"), "occupation": "5223 Butikkmedarbeidere", "hours_per_week": "20"}
    typed |= {"adaptations": ["lift", "mentor"], "contact_name": "Kari Kontakt", "title": "Blomster"}  # type: ignore[dict-item]
    sent = await browser.post(f"{url}/revision", data=typed)
    assert sent.status_code == 303, sent.text
    shown = (await browser.get(sent.headers["Location"])).text
    assert "<h1>Blomster</h1>" in shown
    assert "Fadder eller mentor, Heis" in shown
    assert "Kari Kontakt" in shown
    old = {**typed, "idempotency_key": "another", "title": "Roser"}
    stale = await browser.post(f"{url}/revision", data=old)
    assert stale.status_code == 409
    assert f"/language/en?next={url}/revision" in stale.text.replace("%2F", "/"), "where the page is"
    for form in ("again", "revision", "withdrawal", "text-erasure"):
        back = await browser.get(f"{url}/{form}")
        assert (back.status_code, back.headers["Location"]) == (303, url), "it was sent, and cannot be asked for"
    withdrawal = {**hidden(shown, f"{url}/withdrawal"), "reason": "no_longer_needed"}
    done = await browser.post(f"{url}/withdrawal", data=withdrawal)
    after = plain((await browser.get(done.headers["Location"])).text)
    assert "Trukket 13. januar 2025. Ingenting mer skjer." in after
    assert "Lagre endringene" not in after


async def test_the_same_again_is_one_click_on_the_page(world: World) -> None:
    told = await world.need(title="Blomster", slots=2)
    browser = await log_in(world, "employer-lier")
    page = (await browser.get(f"/?min_position=intake:{told['position']}")).text
    url = f"/need/{told['need_id']}/again"
    sent = await browser.post(url, data=hidden(page, url))
    assert sent.status_code == 303
    shown = plain((await browser.get(sent.headers["Location"])).text)
    assert "Butikkmedarbeidere: behovet er registrert." in shown
    assert len((await world.as_("employer-lier").get("/needs")).json()["items"]) == 2
    # A double click.
    assert (await browser.post(url, data=hidden(page, url))).status_code == 303
    assert len((await world.as_("employer-lier").get("/needs")).json()["items"]) == 2


async def test_a_warning_is_shown_on_the_page_and_the_text_saved_all_the_same(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    page = (await browser.get("/")).text
    typed = {
        **hidden(page, "/"),
        "occupation": "5223",
        "municipality": "3312",
        "title": "Lønnstilskudd i butikk",
        "description": "Ring 22 22 22 22.",
    }
    warned = await browser.post("/", data=typed)
    assert warned.status_code == 422
    words = plain(warned.text)
    assert "Les teksten en gang til før den lagres" in words
    assert "Tittelen røper ordningen." in words
    assert "Teksten ser ut til å ha et telefonnummer." in words
    assert 'value="Lønnstilskudd i butikk"' in warned.text
    (accepted,) = re.findall(r'name="accept_warnings" value="([^"]+)"', warned.text)
    saved = await browser.post("/", data={**typed, **hidden(warned.text, "/"), "accept_warnings": accepted})
    assert saved.status_code == 303, saved.text


async def test_a_word_that_fits_several_occupations_is_answered_with_a_choice_of_them(world: World) -> None:
    browser = await log_in(world, "employer-lier")
    typed = {**hidden((await browser.get("/")).text, "/"), "occupation": "butikk", "municipality": "3312"}
    answer = await browser.post("/", data=typed)
    assert answer.status_code == 422
    assert "Flere yrker passer. Velg ett av dem." in plain(answer.text)
    assert '<option value="5223">Butikkmedarbeidere</option>' in answer.text
    chosen = {**typed, **hidden(answer.text, "/"), "occupation": "5223"}
    assert (await browser.post("/", data=chosen)).status_code == 303


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes there."""
    form = page[re.search(rf'<form[^>]* action="{re.escape(action)}"', page).start() :]  # type: ignore[union-attr]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', form[: form.index("</form>")]))
