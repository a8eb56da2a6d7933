"""A contact person is a person too: what was written freely into a need can be erased, for good."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.mongo import Client
from chassis.settings import Settings
from tests.service.intake_helpers import NEED, World, running
from tests.service.test_intake_page import log_in, plain
from tests.service.test_intake_people import gone
from tests.service.test_intake_places import hidden

TEXT: dict[str, Any] = {
    "title": "Blomster",
    "description": "Binde buketter",
    "contact": {"name": "Kari Kontakt", "phone": "22222222"},
}


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def test_a_contact_person_is_erased_from_every_version_and_the_need_stands(world: World, mongo: Client) -> None:
    need_id = (await world.need(**TEXT))["need_id"]
    employer = world.as_("employer-lier")
    revised = await employer.post(f"/needs/{need_id}/revision", {"occupation": "5223", "hours_per_week": 30}, version=1)
    assert revised.status_code == 201, revised.text
    path = f"/needs/{need_id}/text-erasure"
    assert (await world.as_("employer-nav").post(path, {}, version=2)).status_code == 404
    assert (await world.as_("counsellor-nav").post(path, {}, version=2)).status_code == 403
    stale = await employer.post(path, {}, version=1)
    assert (stale.status_code, stale.json()["changed"]) == (409, ["NeedRevised"])
    erased = await employer.post(path, {}, version=2)
    assert erased.status_code == 201, erased.text
    await gone(world, mongo, need_id)
    shown = (await employer.get(f"/needs/{need_id}", min_position=f"intake:{erased.json()['position']}")).json()
    assert (shown["version"], shown["open"], shown["contact"]) == (3, True, None)
    again = await employer.post(path, {}, version=3)
    assert (again.status_code, again.json()["code"]) == (409, "no_text_to_erase")
    text = await employer.post(f"/needs/{need_id}/revision", {"occupation": "5223", "title": "Blomster"}, version=3)
    assert (text.status_code, text.json()["code"]) == (409, "text_erased")
    without = await employer.post(f"/needs/{need_id}/revision", {"occupation": "5223", "hours_per_week": 20}, version=3)
    assert without.status_code == 201, without.text
    copy = await employer.post(f"/needs/{need_id}/copies", {})
    assert copy.status_code == 201, copy.text


async def test_a_revision_sent_again_after_the_erasure_gets_its_first_answer(world: World) -> None:
    need_id = (await world.need(**TEXT))["need_id"]
    employer = world.as_("employer-lier")
    path, body = f"/needs/{need_id}/revision", {"occupation": "5223", "title": "Roser"}
    first = await employer.post(path, body, key="roses", version=1)
    assert first.status_code == 201, first.text
    assert (await employer.post(f"/needs/{need_id}/text-erasure", {}, version=2)).status_code == 201
    again = await employer.post(path, body, key="roses", version=1)
    assert (again.status_code, again.json()["need_id"]) == (first.status_code, need_id), again.text


async def test_an_employer_erases_the_text_on_the_page_after_a_yes(world: World) -> None:
    need = await world.need(**TEXT)
    bare = await world.need(**NEED)
    browser = await log_in(world, "employer-lier")
    url = f"/need/{need['need_id']}"
    page = (await browser.get(url)).text
    assert "Kari Kontakt" in page
    assert "text-erasure" not in (await browser.get(f"/need/{bare['need_id']}")).text, "there is nothing to erase"
    fields = hidden(page, f"{url}/text-erasure")
    refused = await browser.post(f"{url}/text-erasure", data=fields)
    assert (refused.status_code, "Velg ja for å gå videre." in plain(refused.text)) == (422, True)
    sent = await browser.post(
        f"{url}/text-erasure", data={**hidden(refused.text, f"{url}/text-erasure"), "confirmed": "yes"}
    )
    assert sent.status_code == 303, sent.text


async def test_a_keyring_from_a_backup_does_not_bring_a_text_back(settings: Settings, mongo: Client) -> None:
    async with running(settings) as world:
        need_id = (await world.need(**TEXT))["need_id"]
        keys = mongo[world.settings.database("keyring")]["keys"]
        backup = await keys.find_one({"_id": need_id})
        assert backup is not None
        done = await world.as_("employer-lier").post(f"/needs/{need_id}/text-erasure", {}, version=1)
        await gone(world, mongo, need_id)
        assert await world.app.state.web.service.view("erased").wait_for("dugnad/intake", done.json()["position"], 10)
    await keys.replace_one({"_id": need_id}, backup)
    async with running(settings) as world:
        await gone(world, mongo, need_id)
        shown = (await world.as_("employer-lier").get(f"/needs/{need_id}")).json()
        assert (shown["title"], shown["contact"]) == (None, None)
