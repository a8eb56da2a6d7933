"""One event of every type, with every field set, and as a record: what golden files are made of.

Invariant: a golden file is never written again (`python -m tests.unit.contracts.examples` adds those that are missing).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from contracts import followup as f
from contracts import intake as i
from contracts import matching as m
from contracts import plans as pl
from contracts.envelope import KafkaRecord, encode
from contracts.event import Event
from contracts.registry import source_of
from contracts.schemas import BASE_URL

GOLDEN = Path(__file__).parent / "golden"
OCCURRED = datetime(2025, 1, 13, 9, 0, 0, 123000, tzinfo=UTC)
RECORDED = datetime(2025, 1, 13, 9, 0, 0, 456000, tzinfo=UTC)
DAY = date(2025, 1, 13)
LATER = date(2025, 2, 3)
LAST = date(2025, 5, 2)
ORG = "315486890"
NEED = "01JHF3M0Q8N0ZV5X6T7B8C9D0E"
SLOT = "01JHF3M0Q8S1ZV5X6T7B8C9D0E"
CANDIDATE = "01JHF3M0Q8C2ZV5X6T7B8C9D0E"
MATCH = "01JHF3M0Q8M3ZV5X6T7B8C9D0E"
AGREEMENT = "01JHF3M0Q8A4ZV5X6T7B8C9D0E"
TRIAL = "01JHF3M0Q8T5ZV5X6T7B8C9D0E"
OTHER = "01JHF3M0Q8X6ZV5X6T7B8C9D0E"

LANGUAGE = i.LanguageLevels(listening="B1", reading="A2", speaking="B1", writing="A2")
need: dict[str, Any] = {"need_id": NEED, "org_number": ORG}
person: dict[str, Any] = {"candidate_id": CANDIDATE}
match: dict[str, Any] = {"match_id": MATCH, "slot_id": SLOT, **need, **person}
task: dict[str, Any] = {"task_id": OTHER, "task": "draft_agreement", **match}
agreement: dict[str, Any] = {"agreement_id": AGREEMENT, **match}
trial: dict[str, Any] = {"trial_id": TRIAL, **agreement}
slot: dict[str, Any] = {"slot_id": SLOT, **need}
change: dict[str, Any] = {"change_id": OTHER, "effective_on": LAST, "hours_per_week": 30.0, **trial}

_EVENTS: tuple[Event, ...] = (
    i.NeedRegistered(
        **need,
        municipality="3312",
        county="33",
        occupation="5223",
        slot_ids=(SLOT,),
        intermediary="refugee_service",
        measure="work_training",
        hours_per_week=37.5,
        start_from=LATER,
        start_to=LAST,
        language=LANGUAGE,
        licences=("B",),
        certificates=("food_hygiene",),
        adaptations=("flexible_hours",),
        adaptations_version="2025-01-01",
        expires_on=LAST,
        copied_from=OTHER,
        registered_on=DAY,
        promise_date=date(2025, 2, 10),
    ),
    i.NeedRevised(
        **need,
        revised_on=DAY,
        occupation="5223",
        measure="work_training",
        hours_per_week=30.0,
        start_from=LATER,
        start_to=LAST,
        language=LANGUAGE,
        licences=("B",),
        certificates=("food_hygiene",),
        adaptations=("flexible_hours",),
        adaptations_version="2025-01-01",
        expires_on=LAST,
    ),
    i.NeedExpired(**need, slot_ids=(SLOT,), expired_on=LAST),
    i.NeedWithdrawn(**need, slot_ids=(SLOT,), reason="filled_otherwise", withdrawn_on=DAY),
    i.NeedTextErased(**need, erased_on=LAST),
    i.CandidateRegistered(**person, intermediary="refugee_service", registered_on=DAY),
    i.CandidateMapped(
        **person,
        mapped_on=DAY,
        municipality="3312",
        language=LANGUAGE,
        experience=(i.Experience(occupation="5223", months=30),),
        wished_occupations=("5223",),
        hours_per_week=37.5,
        available_from=DAY,
        licences=("B",),
        intermediary="refugee_service",
        language_evidence=(i.LanguageEvidence(skill="speaking", level="B1", source="official_test", assessed_on=DAY),),
        skills=("customer_service",),
        education_level="upper_secondary",
        certificates=("food_hygiene",),
        wished_municipalities=("3312",),
        travel_minutes=45,
        available_to=LAST,
    ),
    i.QualificationAdded(
        **person, qualification_id=OTHER, kind="course", occupation="2512", started_on=DAY, completed_on=LAST
    ),
    i.CandidateAssessed(**person, ready=True, assessed_on=DAY, valid_until=LAST),
    i.ReadinessRevoked(**person, reason="circumstances_changed"),
    i.ConsentGiven(**person, scope="matching", given_on=DAY),
    i.ConsentWithdrawn(**person, scope="matching", withdrawn_on=DAY),
    i.AddressProtectionChanged(**person, protected=True),
    i.CandidateMerged(**person, merged_into=OTHER, merged_on=DAY),
    i.CandidateHandedOver(**person, from_intermediary="refugee_service", to_intermediary="nav", handed_over_on=DAY),
    i.CandidateErased(**person, erased_on=DAY),
    i.WorkforceReported(
        org_number=ORG,
        year=2017,
        reported_on=DAY,
        head_count=14000,
        immigrant_background=1526,
        country_group_1=505,
        country_group_2=1021,
        reduced_functional_ability=700,
        cv_gap=420,
    ),
    i.BackgroundDeclared(**person, declared_on=DAY, ciphertext="bm9uY2Utbm9uY2UtYW5kLWNpcGhlcnRleHQ="),
    i.BackgroundWithdrawn(**person, withdrawn_on=LATER),
    m.NeedAssigned(**need, intermediary="nav", assigned_on=DAY, previous="refugee_service"),
    m.CandidateMatched(
        **match,
        intermediary="refugee_service",
        score=82,
        reasons=(m.Reason(code="occupation", points=40), m.Reason(code="language", points=42)),
        rule_version="2025-01-01",
        matched_on=DAY,
    ),
    m.CandidateAsked(**match, asked_on=DAY, deadline=LATER),
    m.CandidateAccepted(**match, accepted_on=DAY, answered_by="participant"),
    m.CandidateDeclined(**match, declined_on=DAY, reason="travel", answered_by="counsellor"),
    m.AnswerReversed(**match, reversed_on=LATER, reversed_by="counsellor"),
    m.CandidatePresented(**match, presented_on=DAY),
    m.PresentationReversed(**match, reversed_on=LATER),
    m.EmployerResponded(**match, responded_on=DAY, response="not_relevant", reason="language"),
    m.ResponseReversed(**match, reversed_on=LATER, reversed_by="employer"),
    m.InterviewHeld(**match, held_on=DAY),
    m.MatchConfirmed(
        **match,
        confirmed_on=DAY,
        confirmed_by="employer",
        intermediary="refugee_service",
        municipality="3312",
        occupation="5223",
        measure="work_training",
        registered_on=DAY,
        promise_date=date(2025, 2, 10),
    ),
    m.MatchCancelled(**match, cancelled_on=DAY, reason="other_candidate_chosen"),
    pl.PlanMade(
        **slot,
        intermediary="refugee_service",
        registered_on=DAY,
        promise_date=date(2025, 2, 10),
        playbook_version="playbook-2000",
        tasks=(pl.PlannedTask(task="propose", responsible="counsellor", due_on=LATER),),
    ),
    pl.PlanTaskCompleted(**slot, task="contact_employer", completed_on=DAY, completed_by="counsellor"),
    pl.DelayReported(**slot, caused_by="employer", reason="meeting_postponed", from_on=DAY, reported_on=DAY),
    pl.DeadlineApproaching(**slot, day=14, days_left=14, on=date(2025, 1, 27), promise_date=date(2025, 2, 10)),
    pl.DeadlineMissed(**slot, on=date(2025, 2, 11), promise_date=date(2025, 2, 10)),
    pl.PlanEnded(**slot, ended_on=DAY, reason="need_withdrawn"),
    f.CaseTaken(**match, counsellor_id=OTHER, taken_on=DAY),
    f.AgreementChanged(
        **agreement,
        content_version=2,
        changed_on=DAY,
        effective_on=LATER,
        measure="temporary_wage_subsidy",
        start_on=LATER,
        end_on=LAST,
        hours_per_week=30.0,
        wage_subsidy_percent=40,
        decision_maker_needed=True,
        rule_version="2024-01-01",
    ),
    f.AgreementExpiring(**agreement, expires_on=date(2025, 4, 7), days_left=7),
    f.AgreementExpired(**agreement, expired_on=date(2025, 4, 7), rule_version="2024-01-01"),
    f.CheckInMissed(**trial, due_on=LAST, playbook_version="playbook-2000"),
    f.VoiceGiven(**trial, voice_id=OTHER, given_on=LAST),
    f.ChangeProposed(**change, proposed_by="employer", proposed_on=LATER),
    f.ChangeAccepted(**change, accepted_by="participant", accepted_on=LATER),
    f.ChangeDeclined(**change, declined_by="participant", declined_on=LATER),
    f.TrialShortened(
        **trial,
        shortened_on=LATER,
        end_on=LAST,
        reason="participant_request",
        decided_by="counsellor",
        rule_version="2024-01-01",
    ),
    f.ClosingTalkHeld(**trial, held_on=LAST),
    f.OutcomeReversed(**trial, reversed_on=LAST, outcome="hired", reason="not_fulfilled"),
    f.CertificateIssued(**trial, certificate_id=OTHER, issued_on=LAST),
    f.EmploymentConfirmed(**trial, after_months=3, employed=True, on=LAST, confirmed_by="counsellor"),
    f.TaskAssigned(**task, responsible="counsellor", due_on=LATER),
    f.TaskCompleted(**task, completed_on=LATER),
    f.AgreementDrafted(
        **agreement,
        intermediary="refugee_service",
        measure="temporary_wage_subsidy",
        drafted_on=DAY,
        start_on=LATER,
        end_on=LAST,
        hours_per_week=37.5,
        wage_subsidy_percent=40,
        decision_maker_needed=True,
        rule_version="2024-01-01",
    ),
    f.AgreementApproved(**agreement, party="participant", approved_on=DAY, on_behalf_of=True),
    f.ApprovalRevoked(**agreement, party="employer", revoked_on=DAY),
    f.AgreementConcluded(
        **agreement,
        concluded_on=DAY,
        measure="temporary_wage_subsidy",
        start_on=LATER,
        end_on=LAST,
        rule_version="2024-01-01",
    ),
    f.AgreementAnnulled(**agreement, annulled_on=DAY, reason="need_withdrawn"),
    f.TrialStarted(
        **trial,
        on=LATER,
        confirmed_by="employer",
        measure="temporary_wage_subsidy",
        end_on=LAST,
        wage_subsidy_percent=40,
        days_from_need=21,
        within_promise=True,
        rule_version="2024-01-01",
    ),
    f.StartDisputed(**trial, on=LAST, reported_by="counsellor", reported_on=LAST),
    f.StartReversed(**trial, reversed_on=LAST, on=LATER, reason="parties_agree", check_ins_not_missed_on=(LAST,)),
    f.NoShowReported(**agreement, on=LATER, reported_by="employer"),
    f.CheckInHeld(**trial, check_in_id=OTHER, held_on=LAST, progress="as_planned"),
    f.CheckInReversed(
        **trial,
        check_in_id=OTHER,
        held_on=LAST,
        reversed_on=LAST,
        reason="not_held",
        check_ins_not_missed_on=(LAST,),
    ),
    f.TrialExtended(
        **trial,
        extended_on=LAST,
        end_on=date(2025, 8, 2),
        wage_subsidy_percent=30,
        decided_by="decision_maker",
        rule_version="2024-01-01",
    ),
    f.TrialClosed(**trial, on=LAST, outcome="hired", reason="period_completed"),
)

EXAMPLES: dict[str, Event] = {event.type_name(): event.model_copy(update={"occurred": OCCURRED}) for event in _EVENTS}


def record(event: Event, *, position: int = 43) -> KafkaRecord:
    """The event as it would be published."""
    return encode(
        event,
        source=source_of(type(event)),
        position=position,
        recorded=RECORDED,
        correlation="01JHF3M0Q8R7ZV5X6T7B8C9D0E",
        causation="dugnad/intake#42",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        schema_base_url=BASE_URL,
    )


def golden_text(found: KafkaRecord) -> str:
    """A golden file: key, value (its bytes, as text) and headers of one record."""
    as_text = {
        "key": found.key.decode(),
        "value": found.value.decode(),
        "headers": {name: raw.decode() for name, raw in found.headers},
    }
    return json.dumps(as_text, indent=1, ensure_ascii=False) + "\n"


def golden_record(path: Path) -> KafkaRecord:
    """The record of a golden file, byte for byte."""
    read = json.loads(path.read_text("utf-8"))
    headers = [(name, text.encode()) for name, text in read["headers"].items()]
    return KafkaRecord(read["key"].encode(), read["value"].encode(), headers)


Headers = list[tuple[str, bytes | None]]


def spoilt(written: Iterable[tuple[str, bytes | None]], which: int, value: bytes | None, how: str) -> Headers:
    """The headers with one changed, dropped, once more with another value, renamed, or in the first place."""
    headers = [*written]
    name = headers[which][0]
    match how:
        case "change":
            headers[which] = name, value
        case "drop":
            del headers[which]
        case "twice":
            headers.append((name, value))
        case "name":
            headers[which] = f"{name}2", headers[which][1]
        case _:
            headers.insert(0, headers.pop(which))
    return headers


if __name__ == "__main__":
    for type_name, example in EXAMPLES.items():
        path = GOLDEN / f"{type_name.removeprefix('dugnad.')}.json"
        if not path.exists():
            path.write_text(golden_text(record(example)), "utf-8")
