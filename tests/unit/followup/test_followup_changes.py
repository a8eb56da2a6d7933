"""Agreements that change or expire, and trials that are changed while they run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.followup import (
    AgreementChanged,
    AgreementExpired,
    AgreementExpiring,
    TaskAssigned,
    TaskCompleted,
)
from contracts.subsidyplan import Wage
from contracts.vocabulary import Measure, Party
from services.followup.domain.clock import expiries
from services.followup.domain.commands import (
    Change,
    Command,
    Draft,
    LookAtDraft,
)
from services.followup.domain.decide import decide
from services.followup.domain.moments import oslo_midnight
from services.followup.domain.state import Stage
from services.followup.domain.subsidies import plan_of, wage_of
from tests.unit.followup.followup_facts import (
    CONCLUDED,
    IDS,
    STARTED,
    after,
    annulling,
    approvals,
    approving,
    drafting,
    noon,
    opened,
    played,
    revoking,
)
from tests.unit.followup.test_followup_extensions import SUBSIDY, deciding

WAGE = Wage(Decimal(45_000), Decimal(12), Decimal(2), Decimal("14.1"), Decimal(100))


def changing(**but: Any) -> Change:
    drafted = {name: value for name, value in vars(drafting()).items() if name not in ("match_id", "intermediary")}
    usual = {**drafted, "task_id": "A1-again", "hours_per_week": 30.0, "acting": Party.COUNSELLOR}
    return Change(**{**usual, "at": noon(date(2025, 1, 28)), **but})


def test_a_change_is_a_new_version_from_its_first_day_and_everybody_approves_anew() -> None:
    changed = AgreementChanged(
        **IDS,
        agreement_id="A1",
        content_version=2,
        changed_on=date(2025, 1, 28),
        effective_on=date(2025, 2, 3),
        measure="work_training",
        start_on=date(2025, 2, 3),
        end_on=date(2025, 5, 2),
        hours_per_week=30.0,
        decision_maker_needed=False,
        rule_version="2024-01-01",
        sealed={
            "reduced_work_capacity": False,
            "answers": {"old_enough": True, "young_enough": True},
            "eligibility_rule_version": "2024-01-01",
        },
    )
    done = TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=date(2025, 1, 28))
    asked = TaskAssigned(
        **IDS, task_id="A1-again", task="approve_agreement", responsible="counsellor", due_on=date(2025, 2, 3)
    )
    before: list[Command] = [opened(), drafting(), *approvals()[:2]]
    after(before).when(decide, changing()).then(changed, done, asked)
    state = after(before, changing()).state.cases["M1"].agreements["A1"]
    assert (state.approvals, state.content_version) == ((), 2)


def test_a_concluded_agreement_that_is_changed_is_a_draft_again_and_takes_no_days() -> None:
    state = after(CONCLUDED, changing()).state.cases["M1"].agreements["A1"]
    assert (state.stage, state.period) == (Stage.DRAFTED, None)
    again = after(CONCLUDED, changing(), approvals(at=noon(date(2025, 1, 29)))).state
    assert again.cases["M1"].agreements["A1"].stage == Stage.CONCLUDED


def test_a_change_keeps_to_the_rules_of_a_draft_and_to_what_has_not_started() -> None:
    after(CONCLUDED).when(decide, changing(end_on=date(2026, 2, 3))).then_refused("longer_than_allowed", ["/end_on"])
    after(CONCLUDED).when(decide, changing(acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    after(STARTED).when(decide, changing(at=noon(date(2025, 2, 4)))).then_refused("already_started")
    after(CONCLUDED, annulling()).when(decide, changing()).then_refused("agreement_annulled")


def test_a_wage_is_sealed_and_what_it_amounts_to_is_told_by_period() -> None:
    draft = SUBSIDY[1]
    assert isinstance(draft, Draft)
    with_wage: list[Command] = [SUBSIDY[0], replace(draft, wage=WAGE), *SUBSIDY[2:]]
    drafted = next(event for event in played(with_wage) if type(event).__name__ == "AgreementDrafted")
    assert "45000" not in str(drafted.data())
    person = after(with_wage).state
    agreement = person.cases["M1"].agreements["A1"]
    assert wage_of(agreement) == WAGE
    plan = plan_of(person, agreement)
    assert [(each.percent, each.amount_nok) for each in plan.periods] == [(40, 23_463)] * 6
    assert plan.rule_version == "2024-01-01"
    extended = plan_of(person, agreement, end_on=date(2026, 11, 30), percent=30)
    assert [(each.percent, each.amount_nok) for each in extended.periods[6:]] == [(30, 17_597)] * 6
    # The dry run is what is then done.
    done = after(with_wage, deciding()).state
    assert plan_of(done, done.cases["M1"].agreements["A1"]).periods == extended.periods


def test_an_agreed_per_cent_that_an_extension_changes_holds_from_the_extension_on() -> None:
    permanent: list[Command] = [
        opened(),
        drafting(measure=Measure.PERMANENT_WAGE_SUBSIDY, wage_subsidy_percent=60, end_on=date(2025, 7, 31)),
        *approvals(decided=True),
        *STARTED[-1:],
        deciding(end_on=date(2025, 9, 30), wage_subsidy_percent=40, at=noon(date(2025, 7, 1))),
    ]
    person = after(permanent).state
    plan = plan_of(person, person.cases["M1"].agreements["A1"])
    assert [(each.from_on.month, each.percent) for each in plan.periods][-3:] == [(7, 60), (8, 40), (9, 40)]


def test_an_inclusion_grant_has_a_ceiling_per_calendar_year_and_no_per_cent() -> None:
    grant: list[Command] = [
        opened(),
        drafting(measure=Measure.INCLUSION_GRANT, start_on=date(2025, 2, 3), end_on=date(2026, 1, 31)),
    ]
    person = after(grant).state
    plan = plan_of(person, person.cases["M1"].agreements["A1"])
    assert (plan.periods, plan.ceilings_nok) == ((), {2025: 154_800, 2026: 160_400})


# --- expiry ----------------------------------------------------------------------------------------------------------

DRAFTED: list[Command] = [opened(), drafting(start_on=date(2025, 5, 1), end_on=date(2025, 7, 31))]
EXPIRES = date(2025, 1, 22) + timedelta(weeks=12)


def looking(on: date, **but: Any) -> LookAtDraft:
    return LookAtDraft(**{"agreement_id": "A1", "on": on, "task_id": "again", "at": oslo_midnight(on), **but})


def test_a_draft_untouched_for_12_weeks_expires_with_a_warning_one_week_and_one_day_before() -> None:
    drafted = played(DRAFTED)[1]
    assert [look.on for look in expiries(drafted)] == [
        EXPIRES - timedelta(days=7),
        EXPIRES - timedelta(days=1),
        EXPIRES,
    ]
    for left in (7, 1):
        on = EXPIRES - timedelta(days=left)
        warning = AgreementExpiring(
            **IDS, agreement_id="A1", expires_on=EXPIRES, days_left=left, occurred=oslo_midnight(on)
        )
        after(DRAFTED).when(decide, looking(on)).then(warning)
    after(DRAFTED).when(decide, looking(EXPIRES)).then(
        AgreementExpired(
            **IDS,
            agreement_id="A1",
            expired_on=EXPIRES,
            rule_version="2024-01-01",
            occurred=oslo_midnight(EXPIRES),
        ),
        TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=EXPIRES),
        TaskAssigned(**IDS, task_id="again", task="draft_agreement", responsible="counsellor", due_on=EXPIRES),
    )
    expired = [*DRAFTED, looking(EXPIRES)]
    after(expired).when(decide, looking(EXPIRES)).then()
    after(expired).when(decide, approving(Party.EMPLOYER)).then_refused("agreement_expired")
    assert after(expired).when(decide, drafting(agreement_id="A2", start_on=EXPIRES, at=noon(EXPIRES))).refusal is None


@pytest.mark.parametrize(
    "touch",
    [
        approving(Party.EMPLOYER, at=noon(date(2025, 2, 1))),
        changing(start_on=date(2025, 5, 1), at=noon(date(2025, 2, 1))),
    ],
)
def test_whoever_touches_a_draft_gives_it_12_weeks_more(touch: Command) -> None:
    after(DRAFTED, touch).when(decide, looking(EXPIRES)).then()
    later = date(2025, 2, 1) + timedelta(weeks=12)
    assert type(after(DRAFTED, touch).when(decide, looking(later)).events[0]) is AgreementExpired
    revoked: list[Command] = [
        approving(Party.EMPLOYER, at=noon(date(2025, 2, 1))),
        revoking(Party.EMPLOYER, at=noon(date(2025, 2, 3))),
    ]
    after(DRAFTED, revoked).when(decide, looking(later)).then()


def test_what_is_no_draft_does_not_expire() -> None:
    after(CONCLUDED).when(decide, looking(EXPIRES)).then()
    after(opened()).when(decide, looking(EXPIRES)).then()
    after(DRAFTED).when(decide, looking(EXPIRES, at=noon(date(2025, 4, 1)))).then()
