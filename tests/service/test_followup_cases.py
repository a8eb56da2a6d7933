"""Followup over HTTP: a case from the confirmed match to the closing, and who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.issuer import NAV_DIRECTORATE
from chassis.settings import Settings
from contracts.followup import SOURCE
from tests.service.followup_helpers import COUNSELLOR, DECIDER, EMPLOYER, LIER, World, running


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with running(settings) as world:
        yield world


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.json()["code"]


async def test_the_lier_case_from_match_to_job(world: World) -> None:
    case = await world.confirmed()
    shown = await world.shown(case, lambda shown: True)
    assert (shown["status"], shown["next_step"]) == (
        "awaiting_agreement",
        {"step": "draft", "responsible": ["counsellor"], "due_on": "2025-02-03", "overdue": False},
    )
    await world.day(date(2025, 1, 20))
    agreement_id, trial_id = await world.started(case)
    trial = await world.as_(EMPLOYER).get(f"/trials/{trial_id}")
    assert (trial.headers["ETag"], trial.json()["days_from_need"], trial.json()["within_promise"]) == ('"1"', 21, True)
    version = 1
    for on in (date(2025, 3, 3), date(2025, 4, 1)):
        await world.day(on)
        body = {"held_on": on.isoformat(), "progress": "as_planned", "note": "Trives godt"}
        held = await world.as_(COUNSELLOR).post(f"/trials/{trial_id}/check-ins", body, version=version)
        assert held.status_code == 201, held.text
        version = held.json()["version"]
    await world.day(date(2025, 5, 2))
    closing = {"on": "2025-05-02", "outcome": "hired", "reason": "period_completed"}
    closed = await world.as_(COUNSELLOR).post(f"/trials/{trial_id}/closing", closing, version=version)
    assert closed.status_code == 201, closed.text
    assert closed.headers["Location"] == f"/trials/{trial_id}"

    answer = await world.as_(EMPLOYER).get(
        f"/cases/{case.match_id}", min_position=f"followup:{closed.json()['position']}"
    )
    shown = answer.json()
    assert (shown["status"], shown["next_step"]) == ("closed", None)
    assert shown["trial"]["closed"] == {"on": "2025-05-02", "outcome": "hired", "reason": "period_completed"}
    assert "Trives" not in answer.text
    assert [(each["event"], each["on"]) for each in shown["history"]] == [
        ("MatchConfirmed", "2025-01-13"),
        ("AgreementDrafted", "2025-01-20"),
        ("AgreementApproved", "2025-01-20"),
        ("AgreementApproved", "2025-01-20"),
        ("AgreementApproved", "2025-01-20"),
        ("AgreementConcluded", "2025-01-20"),
        ("TrialStarted", "2025-02-03"),
        ("CheckInHeld", "2025-03-03"),
        ("CheckInHeld", "2025-04-01"),
        ("TrialClosed", "2025-05-02"),
    ]
    assert all(task.get("completed_on") for task in shown["tasks"])
    late = await world.as_(COUNSELLOR).post(f"/trials/{trial_id}/closing", closing, version=version + 1)
    assert code(late) == (409, "trial_closed")
    agreement = (await world.as_("candidate", case.candidate_id).get(f"/agreements/{agreement_id}")).json()
    assert (agreement["status"], agreement["trial_id"]) == ("started", trial_id)


async def test_the_subsidy_of_the_nav_case_needs_a_decision_maker_and_is_extended_at_the_lower_per_cent(
    world: World,
) -> None:
    await world.day(date(2025, 11, 14))
    case = await world.confirmed(
        registered_on=date(2025, 11, 3),
        persona="counsellor-nav",
        intermediary="nav",
        org_number=NAV_DIRECTORATE,
        occupation="2512",
        municipality="0301",
    )
    counsellor, employer, decider = world.as_("counsellor-nav"), world.as_("employer-nav"), world.as_(DECIDER)
    body = {
        "measure": "temporary_wage_subsidy",
        "start_on": "2025-12-01",
        "end_on": "2026-05-31",
        "hours_per_week": 37.5,
    }
    drafted = await counsellor.post(f"/cases/{case.match_id}/agreements", body)
    assert drafted.status_code == 201, drafted.text
    agreement_id, version = drafted.json()["agreement_id"], drafted.json()["version"]
    for party, caller in (
        ("participant", world.as_("candidate", case.candidate_id)),
        ("employer", employer),
        ("counsellor", counsellor),
        ("decision_maker", decider),
    ):
        early = await counsellor.post(f"/agreements/{agreement_id}/start", {"on": "2025-12-01"}, version=version)
        assert code(early) == (409, "not_concluded")
        answer = await caller.post(f"/agreements/{agreement_id}/approval", {"party": party}, version=version)
        assert answer.status_code == 201, answer.text
        version = answer.json()["version"]
    await world.day(date(2025, 12, 1))
    started = await employer.post(f"/agreements/{agreement_id}/start", {"on": "2025-12-01"}, version=version)
    assert (started.json()["days_from_need"], started.json()["within_promise"]) == (28, True)
    trial_id = started.json()["trial_id"]
    assert (await counsellor.get(f"/trials/{trial_id}")).json()["wage_subsidy_percent"] == 40

    await world.day(date(2026, 5, 18))
    refused = await counsellor.post(f"/trials/{trial_id}/extension", {"end_on": "2026-11-30"}, version=1)
    assert code(refused) == (409, "decision_maker_needed")
    too_long = await decider.post(f"/trials/{trial_id}/extension", {"end_on": "2026-12-01"}, version=1)
    assert code(too_long) == (422, "longer_than_allowed")
    assert too_long.json()["errors"][0]["pointer"] == "/end_on"
    extended = await decider.post(f"/trials/{trial_id}/extension", {"end_on": "2026-11-30"}, version=1)
    assert extended.status_code == 201, extended.text
    trial = (await employer.get(f"/trials/{trial_id}")).json()
    assert trial["end_on"] == "2026-11-30"
    assert trial["extensions"] == [
        {
            "extended_on": "2026-05-18",
            "end_on": "2026-11-30",
            "wage_subsidy_percent": 30,
            "decided_by": "decision_maker",
        }
    ]


async def test_a_case_is_absent_for_everybody_whose_case_it_is_not(world: World) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    strangers = [
        world.as_("employer-nav"),
        world.as_("counsellor-nav"),
        world.as_("candidate", new_id()),
    ]
    for stranger in strangers:
        for path in (f"/cases/{case.match_id}", f"/agreements/{agreement_id}"):
            assert code(await stranger.get(path)) == (404, "not_found")
        assert (await stranger.get("/cases")).json()["items"] == []
        approval = await stranger.post(f"/agreements/{agreement_id}/approval", {"party": "employer"}, version=1)
        assert code(approval) == (404, "not_found")
    draft = await world.as_("counsellor-nav").post(f"/cases/{case.match_id}/agreements", LIER)
    assert code(draft) == (404, "not_found")
    assert code(await world.as_("analyst").get("/cases")) == (403, "forbidden")
    for own in (world.as_(EMPLOYER), world.as_(COUNSELLOR), world.as_("candidate", case.candidate_id)):
        assert [each["match_id"] for each in (await own.get("/cases")).json()["items"]] == [case.match_id]


async def test_lists_come_in_pages_and_are_narrowed_by_match_and_need(world: World) -> None:
    cases = [await world.confirmed() for _ in range(3)]
    decider = world.as_(DECIDER)
    first = (await decider.get("/cases", limit=2)).json()
    second = (await decider.get("/cases", limit=2, cursor=first["next"])).json()
    assert {each["match_id"] for each in first["items"] + second["items"]} == {case.match_id for case in cases}
    assert second["next"] is None
    for name in ("match_id", "need_id"):
        found = (await decider.get("/cases", **{name: getattr(cases[1], name)})).json()["items"]
        assert [each["match_id"] for each in found] == [cases[1].match_id]
    assert code(await decider.get("/cases", cursor="W3siJGd0IjoiIn1d")) == (400, "cursor_invalid")


async def test_a_cancelled_match_annuls_the_agreement_and_ends_the_case(world: World) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    await world.cancelled(case, "no_longer_available")
    shown = await world.shown(case, lambda shown: (shown["agreement"] or {}).get("status") == "annulled")
    assert shown["agreement"]["annulled"]["reason"] == "no_longer_available"
    assert shown["status"] == "ended"
    version = (await world.as_(EMPLOYER).get(f"/agreements/{agreement_id}")).headers["ETag"].strip('"')
    late = await world.as_(EMPLOYER).post(
        f"/agreements/{agreement_id}/approval", {"party": "employer"}, version=int(version)
    )
    assert code(late) == (409, "agreement_annulled")


@pytest.mark.parametrize("step", ["readiness-revocation", "consent-withdrawal", "address-protection"])
async def test_whatever_intake_says_against_a_start_annuls_and_tells_nothing(world: World, step: str) -> None:
    case = await world.confirmed()
    counsellor = world.intake.as_(COUNSELLOR)
    ready: tuple[tuple[str, dict[str, Any]], ...] = (
        ("mapping", {"municipality": "3312", "hours_per_week": 37.5}),
        ("assessment", {"ready": True, "valid_until": "2025-07-13"}),
        ("consent", {}),
    )
    lost = {
        "readiness-revocation": {"reason": "circumstances_changed"},
        "consent-withdrawal": {},
        "address-protection": {"protected": True},
    }
    version = 1
    for name, body in ready:
        answer = await counsellor.post(f"/candidates/{case.candidate_id}/{name}", body, version=version)
        assert answer.status_code == 201, answer.text
        version = answer.json()["version"]
    await world.drafted(case)
    answer = await counsellor.post(f"/candidates/{case.candidate_id}/{step}", lost[step], version=version)
    assert answer.status_code == 201, answer.text
    shown = await world.shown(case, lambda shown: (shown["agreement"] or {}).get("status") == "annulled")
    assert shown["agreement"]["annulled"]["reason"] == "no_longer_available"


async def test_notes_are_read_by_the_counsellors_of_the_case_alone(world: World) -> None:
    case = await world.confirmed()
    _, trial_id = await world.started(case)
    body = {"held_on": "2025-02-03", "progress": "needs_attention", "note": "Trenger tidligere buss"}
    answer = await world.as_(COUNSELLOR).post(f"/trials/{trial_id}/check-ins", body, version=1)
    assert answer.status_code == 201, answer.text
    told = (await world.as_(COUNSELLOR).get(f"/trials/{trial_id}", notes="true")).json()
    assert told["check_ins"][0]["note"] == "Trenger tidligere buss"
    for reader in (world.as_(EMPLOYER), world.as_(DECIDER), world.as_("candidate", case.candidate_id)):
        assert code(await reader.get(f"/trials/{trial_id}", notes="true")) == (403, "forbidden")
        assert "note" not in (await reader.get(f"/trials/{trial_id}")).json()["check_ins"][0]


async def test_annulling_and_revoking_over_http(world: World) -> None:
    case = await world.confirmed()
    agreement_id = await world.drafted(case)
    employer, counsellor = world.as_(EMPLOYER), world.as_(COUNSELLOR)
    await employer.post(f"/agreements/{agreement_id}/approval", {"party": "employer"}, version=1)
    revoked = await employer.post(
        f"/agreements/{agreement_id}/approval-revocation", {"party": "employer", "note": "Feil dato"}, version=2
    )
    assert revoked.status_code == 201, revoked.text
    assert (await employer.get(f"/agreements/{agreement_id}")).json()["approvals"] == []
    path = f"/agreements/{agreement_id}/annulment"
    assert code(await counsellor.post(path, {"reason": "need_withdrawn"}, version=3)) == (422, "reason_not_allowed")
    annulled = await counsellor.post(path, {"reason": "other", "note": "Flyttet"}, version=3)
    assert annulled.status_code == 201, annulled.text
    assert (await employer.get(f"/agreements/{agreement_id}")).json()["status"] == "annulled"


async def test_the_view_can_prove_how_far_it_has_come(world: World) -> None:
    case = await world.confirmed()
    await world.drafted(case)
    behind = await world.as_(DECIDER).get("/cases", min_position="followup:999999")
    assert code(behind) == (503, "view_behind")
    view = world.app.state.web.service.view("cases")
    assert await view.wait_for(SOURCE, 4, 10)
    ready = await world.http.get("/readyz")
    assert ready.json() == {"status": "ok", "faults": []}
