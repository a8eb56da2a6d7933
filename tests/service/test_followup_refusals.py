"""Followup over HTTP: what is refused, and that nothing is appended then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.mongo import Client
from chassis.settings import Settings
from tests.service.followup_helpers import COUNSELLOR, EMPLOYER, LIER, World, running


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.json()["code"]


async def test_a_change_names_the_version_it_is_based_on_and_is_done_once(world: World, mongo: Client) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    employer, path = world.as_(EMPLOYER), f"/agreements/{agreement_id}/approval"
    assert code(await employer.post(path, {"party": "employer"})) == (428, "if_match_missing")
    first = await employer.post(path, {"party": "employer"}, version=1, key="once")
    again = await employer.post(path, {"party": "employer"}, version=1, key="once")
    assert (first.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replay"] == "true"
    stale = await world.as_("candidate", case.candidate_id).post(path, {"party": "participant"}, version=1)
    assert code(stale) == (409, "stale")
    assert stale.json()["changed"] == ["AgreementApproved"]
    commits = mongo[world.settings.database("followup")]["commits"]
    assert await commits.count_documents({"events.type": "dugnad.AgreementApproved.v1"}) == 1


async def test_what_is_wrong_in_a_draft_is_named_and_nothing_is_appended(world: World, mongo: Client) -> None:
    case = await world.confirmed()
    wrong: tuple[tuple[dict[str, Any], str, str], ...] = (
        ({**LIER, "end_on": "2025-02-01"}, "end_before_start", "/start_on"),
        ({**LIER, "start_on": "2025-01-12"}, "start_before_need", "/start_on"),
        ({**LIER, "end_on": "2026-02-03"}, "longer_than_allowed", "/end_on"),
        ({**LIER, "wage_subsidy_percent": 40}, "percent_not_allowed", "/wage_subsidy_percent"),
        ({**LIER, "measure": "summer_job"}, "start_outside_window", "/start_on"),
        ({**LIER, "start_on": "1990-01-01"}, "no_rules_for_day", "/start_on"),
    )
    for body, name, pointer in wrong:
        answer = await world.as_(COUNSELLOR).post(f"/cases/{case.match_id}/agreements", body)
        assert code(answer) == (422, name)
        assert answer.json()["errors"][0]["pointer"] == pointer
    shapes: tuple[tuple[dict[str, Any], str], ...] = (
        ({**LIER, "hours_per_week": 0}, "/hours_per_week"),
        ({**LIER, "measure": "gift"}, "/measure"),
        ({**LIER, "colour": "red"}, "/colour"),
        ({**LIER, "start_on": "3. februar"}, "/start_on"),
    )
    for body, pointer in shapes:
        answer = await world.as_(COUNSELLOR).post(f"/cases/{case.match_id}/agreements", body)
        assert code(answer) == (422, "invalid")
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert code(await world.as_(EMPLOYER).post(f"/cases/{case.match_id}/agreements", LIER)) == (403, "forbidden")
    assert code(await world.as_(COUNSELLOR).post(f"/cases/{new_id()}/agreements", LIER)) == (404, "not_found")
    commits = mongo[world.settings.database("followup")]["commits"]
    assert await commits.count_documents({"events.type": "dugnad.AgreementDrafted.v1"}) == 0


async def test_without_intake_nothing_is_drafted_or_approved_and_the_same_key_works_later(world: World) -> None:
    case = await world.confirmed()
    counsellor, path = world.as_(COUNSELLOR), f"/cases/{case.match_id}/agreements"
    world.line.cut = True
    away = await counsellor.post(path, LIER, key="draft")
    assert code(away) == (503, "intake_unavailable")
    assert away.headers["Retry-After"].isdigit()
    assert (await world.shown(case, lambda shown: True))["agreement"] is None
    world.line.cut = False
    assert (await counsellor.post(path, LIER, key="draft")).status_code == 201
    assert f"POST /candidates/{case.candidate_id}/eligibility" in world.line.asked


async def test_a_person_who_is_too_old_on_the_last_day_is_refused_without_saying_the_age(world: World) -> None:
    case = await world.confirmed()
    answer = await world.as_(COUNSELLOR).post(
        f"/cases/{case.match_id}/agreements",
        {**LIER, "measure": "permanent_adapted_work", "start_on": "2061-01-01", "end_on": "2061-05-17"},
    )
    assert code(answer) == (422, "not_eligible")
    assert not {"66", "67", "1994"} & set(answer.text.replace('"', " ").split())


async def test_two_agreements_of_one_person_for_the_same_days_are_never_both_concluded(world: World) -> None:
    one = await world.confirmed()
    other = await world.confirmed(candidate_id=one.candidate_id)
    agreements = [await world.drafted(case) for case in (one, other)]
    for agreement_id in agreements:
        version = 1
        for party, caller in (
            ("employer", world.as_(EMPLOYER)),
            ("participant", world.as_("candidate", one.candidate_id)),
        ):
            path = f"/agreements/{agreement_id}/approval"
            answer = await caller.post(path, {"party": party}, version=version)
            version = answer.json()["version"]
    answers = await asyncio.gather(
        *(
            world.as_(COUNSELLOR).post(f"/agreements/{each}/approval", {"party": "counsellor"}, version=3)
            for each in agreements
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "overlaps"


async def test_on_behalf_of_needs_a_reason_and_the_reason_stays_sealed(world: World, mongo: Client) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    path, counsellor = f"/agreements/{agreement_id}/approval", world.as_(COUNSELLOR)
    assert code(await counsellor.post(path, {"party": "participant"}, version=1)) == (422, "reason_missing")
    spoken = await counsellor.post(path, {"party": "participant", "reason": "Mangler BankID-kanari"}, version=1)
    assert spoken.status_code == 201, spoken.text
    agreement = (await counsellor.get(f"/agreements/{agreement_id}")).json()
    assert agreement["approvals"] == [{"party": "participant", "approved_on": "2025-01-13", "on_behalf_of": True}]
    assert agreement["waiting_for"] == ["employer"]
    async for commit in mongo[world.settings.database("followup")]["commits"].find():
        assert "kanari" not in repr(commit)
        assert all("persona:" not in repr(event) for event in commit["events"])


async def test_a_start_is_confirmed_once_and_a_no_show_ends_the_case(world: World) -> None:
    case = await world.confirmed()
    agreement_id, _ = await world.started(case)
    again = await world.as_(COUNSELLOR).post(f"/agreements/{agreement_id}/start", {"on": "2025-02-03"}, version=5)
    assert code(again) == (409, "already_started")
    await world.day(date(2025, 2, 10))
    other = await world.confirmed(registered_on=date(2025, 2, 3))
    second = await world.drafted(other, start_on="2025-02-10", end_on="2025-03-01")
    version = await world.approved(other, second)
    tomorrow = await world.as_(EMPLOYER).post(f"/agreements/{second}/no-show", {"on": "2025-02-11"}, version=version)
    assert code(tomorrow) == (422, "date_in_future")
    absent = await world.as_(EMPLOYER).post(f"/agreements/{second}/no-show", {"on": "2025-02-10"}, version=version)
    assert absent.status_code == 201, absent.text
    shown = await world.shown(other, lambda shown: shown["status"] == "ended")
    assert shown["agreement"]["no_show"] == {"on": "2025-02-10", "reported_by": "employer"}
    late = await world.as_(EMPLOYER).post(f"/agreements/{second}/start", {"on": "2025-02-10"}, version=version + 1)
    assert code(late) == (409, "no_show_reported")
