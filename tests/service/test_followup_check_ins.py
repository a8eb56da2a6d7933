"""Check-ins over HTTP and on the page: shown with how it goes, taken back where they were recorded wrongly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date

import pytest

from chassis.settings import Settings
from services.followup import pages
from services.followup.api import cases
from tests.service.followup_helpers import COUNSELLOR, EMPLOYER, World, running
from tests.service.test_followup_cases import code
from tests.service.test_followup_pages import Outline, act, hidden, log_in, plain
from tests.service.test_followup_trials import case_after, done, sent


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


async def test_a_check_in_that_was_not_held_is_taken_back_and_is_owed_again(world: World) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    await world.day(date(2025, 3, 3))
    path = f"/trials/{trial_id}/check-ins"
    held = {"held_on": "2025-03-03", "progress": "at_risk", "note": "Kom for sent"}
    check_in_id = (await done(world, COUNSELLOR, path, held))["check_in_id"]
    await world.day(date(2025, 3, 5))
    back, wrong = f"{path}/{check_in_id}/reversal", {"reason": "other"}
    assert code(await sent(world, COUNSELLOR, back, wrong)) == (422, "note_missing")
    assert code(await sent(world, EMPLOYER, back, {"reason": "not_held"})) == (409, "not_yours_to_say")
    absent = f"{path}/{trial_id}/reversal"
    assert code(await sent(world, COUNSELLOR, absent, {"reason": "not_held"})) == (404, "check_in_unknown")
    told = await done(world, COUNSELLOR, back, {**wrong, "note": "Det var en annen deltaker"})
    assert told["check_in_id"] == check_in_id
    assert code(await sent(world, COUNSELLOR, back, {"reason": "not_held"})) == (404, "check_in_unknown")
    shown = await case_after(world, COUNSELLOR, case, told["position"])
    assert (shown["trial"]["check_ins"], shown["trial"]["missed"]) == ([], ["2025-03-03"])
    assert shown["trial"]["check_in_reversals"][0]["held_on"] == "2025-03-03"
    assert shown["next_step"]["step"] == "check_in"
    assert not [word for word in ("Kom for sent", "en annen deltaker") if word in str(shown)]
    read = (await world.as_(COUNSELLOR).get(f"/trials/{trial_id}", notes="true")).json()
    assert read["check_in_reversals"][0]["note"] == "Det var en annen deltaker"
    late = {"end_on": "2025-08-02"}
    assert code(await sent(world, COUNSELLOR, f"/trials/{trial_id}/extension", late)) == (409, "check_in_owed")


async def test_the_page_of_a_case_tells_how_it_went_and_has_a_form_to_take_a_wrong_check_in_back(world: World) -> None:
    case = await world.confirmed()
    await world.started(case)
    await world.shown(case, lambda shown: shown["status"] == "in_trial")
    counsellor, employer = await log_in(world, COUNSELLOR), await log_in(world, EMPLOYER)
    candidate = await log_in(world, "candidate", case.candidate_id)
    typed = {"held_on": "2025-02-03", "progress": "needs_attention", "note": "Trenger vernesko", "agreed": "Kjøpe sko"}
    page = await counsellor.get((await act(counsellor, case, "check-in", **typed)).headers["Location"])
    Outline(page.text).check()
    told = "3. februar 2025 Hvordan det går Trenger oppmerksomhet Notat Trenger vernesko Avtalt Kjøpe sko"
    assert told in plain(page.text)
    own, theirs = [plain((await each.get(f"/cases/{case.match_id}")).text) for each in (candidate, employer)]
    assert "3. februar 2025 Hvordan det går Trenger oppmerksomhet" in own
    assert "Trenger vernesko" not in own
    assert "Oppfølginger 3. februar 2025" in theirs
    assert "Trenger oppmerksomhet" not in theirs

    unknown = await act(counsellor, case, "reverse-check-in", held_on="2025-02-02", reason="not_held")
    assert unknown.status_code == 422
    assert "Det er ingen slik oppfølging, eller den er tatt bort." in plain(unknown.text)
    back = await act(counsellor, case, "reverse-check-in", held_on="2025-02-03", reason="registered_by_mistake")
    assert back.status_code == 303, plain(back.text)
    page = await counsellor.get(back.headers["Location"])
    assert "En oppfølging ble tatt bort" in plain(page.text)
    assert "Trenger vernesko" not in page.text
    assert (await counsellor.get(f"/cases/{case.match_id}/reverse-check-in")).status_code == 303, "nothing left"


async def test_a_list_of_work_counts_every_case_and_leaves_out_the_least_urgent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_BATCH", 2)
    monkeypatch.setattr(pages, "SHOWN", 2)
    found = [await world.confirmed(registered_on=date(2025, 1, day)) for day in (13, 12, 11, 10, 9)]
    over = found[0]
    await world.cancelled(over)
    await world.shown(over, lambda shown: shown["status"] == "ended")
    counsellor = await log_in(world, COUNSELLOR)
    work = await counsellor.get("/")
    Outline(work.text).check()
    assert [each.match_id for each in found if each.match_id in work.text] == [each.match_id for each in found[3:]]
    assert "Venter på deg: 4" in plain(work.text)
    assert "Avsluttet: 1" in plain(work.text)
    assert "Bare de 2 første sakene vises." in plain(work.text)
    assert over.match_id not in work.text
    await world.day(date(2026, 9, 1))
    assert "Avsluttet: 0" in plain((await counsellor.get("/")).text), "of what was over long ago nothing is asked"


async def test_what_was_typed_is_kept_when_the_rules_cannot_be_asked_for(world: World) -> None:
    case = await world.confirmed()
    counsellor = await log_in(world, COUNSELLOR)
    typed = {"measure": "work_training", "start_on": "2025-02-03", "end_on": "2025-05-02", "hours_per_week": "36,5"}
    world.line.cut = True
    away = await act(counsellor, case, "draft", **typed)
    assert away.status_code == 503
    Outline(away.text).check()
    assert "Ingenting er lagret. Prøv igjen om" in plain(away.text)
    assert 'value="36,5"' in away.text
    world.line.cut = False
    again = await counsellor.post(f"/cases/{case.match_id}/draft", data={**hidden(away.text), **typed})
    assert again.status_code == 303, plain(again.text)
