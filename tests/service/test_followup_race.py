"""Two instances decide about one person at the same instant: the database lets one of them, each time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from chassis.settings import Settings
from services.followup.core import Followup
from tests.service.followup_helpers import COUNSELLOR, EMPLOYER, World, another, noon, running

TIMES = 5
PERIODS = (("2025-02-03", "2025-12-31"), ("2025-03-03", "2025-03-28"))
"""The first one encloses the second."""


async def ready_to_conclude(world: World) -> list[str]:
    """Two agreements of one person that exclude one another; each waits for its last approval, as version 3."""
    candidate_id = await world.intake.candidate()
    agreements = []
    for start_on, end_on in PERIODS:
        case = await world.confirmed(candidate_id=candidate_id)
        agreements.append(await world.drafted(case, start_on=start_on, end_on=end_on))
        callers = (("employer", world.as_(EMPLOYER)), ("participant", world.as_("candidate", candidate_id)))
        for version, (party, caller) in enumerate(callers, 1):
            path = f"/agreements/{agreements[-1]}/approval"
            answer = await caller.post(path, {"party": party}, version=version)
            assert answer.status_code == 201, answer.text
    return agreements


@pytest.mark.timeout(240)
async def test_periods_of_one_person_never_overlap_however_many_instances_conclude_at_once(settings: Settings) -> None:
    async with running(settings) as first, another(first) as second:
        for turn in range(TIMES):
            agreements = await ready_to_conclude(first)
            instances = (first, second) if turn % 2 else (second, first)
            answers = await asyncio.gather(
                *(
                    instance.as_(COUNSELLOR).post(f"/agreements/{each}/approval", {"party": "counsellor"}, version=3)
                    for instance, each in zip(instances, agreements, strict=True)
                )
            )
            said = sorted((answer.status_code, answer.json().get("code")) for answer in answers)
            assert said == [(201, None), (409, "overlaps")], turn


async def test_a_day_given_as_another_one_is_confirmed_is_told_of_the_trial_that_was_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings) as world:
        case = await world.confirmed()
        agreement_id = await world.drafted(case)
        version = await world.approved(case, agreement_id)
        await world.day(date(2025, 2, 4))
        path, usual, faster = f"/agreements/{agreement_id}/start", Followup.registered, list[Any]()

        async def registered(followup: Followup, match_id: str) -> Mapping[str, Any]:
            """Asked when the agreement has been read: somebody is faster from there to the decision, once."""
            if not faster:
                faster.append(match_id)
                faster.append(await world.as_(EMPLOYER).post(path, {"on": "2025-02-03"}, version=version))
            return await usual(followup, match_id)

        monkeypatch.setattr(Followup, "registered", registered)
        told = await world.as_(COUNSELLOR).post(path, {"on": "2025-02-04"}, version=version + 1)
        assert told.json()["code"] == "start_date_differs", told.text
        trial = (await world.as_(COUNSELLOR).get(f"/trials/{faster[1].json()['trial_id']}")).json()
        assert [each["on"] for each in trial["disputed"]] == ["2025-02-04"]


async def test_which_day_a_start_was_is_settled_once_also_where_two_counsellors_say_different_days(
    settings: Settings,
) -> None:
    async with running(settings) as first, another(first) as second:
        case = await first.confirmed()
        agreement_id, _ = await first.started(case)
        await first.day(date(2025, 2, 7))
        second.set_clock(noon(date(2025, 2, 7)))
        path = f"/agreements/{agreement_id}/start"
        told = await first.as_(EMPLOYER).post(path, {"on": "2025-02-05"}, version=5)
        assert told.json()["code"] == "start_date_differs", told.text
        shown = await first.shown(case, lambda shown: shown["next_step"]["step"] == "settle_start")
        (task,) = [each for each in shown["tasks"] if each["task"] == "settle_start_date"]
        settled = f"/cases/{case.match_id}/tasks/{task['task_id']}/completion"
        days = ("2025-02-05", "2025-02-06")
        answers = await asyncio.gather(
            *(
                instance.as_(COUNSELLOR).post(settled, {"on": on, "reason": "records_show"})
                for instance, on in zip((first, second), days, strict=True)
            )
        )
        said = sorted((answer.status_code, answer.json().get("code")) for answer in answers)
        assert said == [(201, None), (404, "task_unknown")]
        (won,) = [on for answer, on in zip(answers, days, strict=True) if answer.status_code == 201]
        after = await first.shown(case, lambda shown: shown["next_step"]["step"] == "follow_up")
        assert [each["on"] for each in after["history"] if each["event"] == "TrialStarted"] == ["2025-02-03", won]
