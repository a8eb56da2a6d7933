"""What a command about a candidate must be in itself, whoever the candidate is.

Invariant: every check names the fields it speaks of; no check repeats a personal value back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from contracts import nationalids
from contracts.codelists import certificates, skills
from contracts.days import add_months, oslo_day
from contracts.intake import LanguageLevels
from contracts.rulepacks import RulePack
from contracts.vocabulary import RevokeReason
from services.intake.domain.candidate_commands import (
    AddQualification,
    AssessCandidate,
    MapCandidate,
    RegisterCandidate,
    RevokeReadiness,
)
from services.intake.domain.rules import (
    check_hours,
    check_listed,
    check_municipality,
    check_not_in_future,
    check_occupation,
    check_unique,
    wrong,
)

OLDEST = 120
MOST_QUALIFICATIONS = 50
MOST_EXPERIENCE_MONTHS = 720
LONGEST_COURSE_AHEAD_MONTHS = 60
LONGEST_TRAVEL_MINUTES = 240


@dataclass(frozen=True, repr=False)
class Identity:
    """Who a person is to the authorities."""

    national_id: str
    """Eleven digits."""
    birth_date: date


def identity(command: RegisterCandidate) -> Identity:
    """The number in its one form, and the birth date that it says, or the given one where it does not say it."""
    found = nationalids.parse(command.national_id)
    if found is None or (found.synthetic and not command.synthetic):
        raise wrong("national_id_invalid", "/national_id")
    said = nationalids.birth_date(found)
    born = command.birth_date or said
    if born is None:
        raise wrong("birth_date_needed", "/birth_date")
    if said is not None and born != said:
        raise wrong("birth_date_mismatch", "/birth_date", "/national_id")
    source = "/national_id" if command.birth_date is None else "/birth_date"
    today = oslo_day(command.at)
    if born > today or born < add_months(today, -12 * OLDEST):
        raise wrong("birth_date_impossible", source)
    rules = RulePack.at(today)
    if not rules.old_enough(born, drafted_on=today):
        raise wrong("too_young", source, youngest=rules.everyone.youngest_age)
    return Identity(found.number, born)


def mapping(command: MapCandidate) -> None:
    """Codes, hours and days of a mapping."""
    check_not_in_future(command.mapped_on, "/mapped_on", command.at)
    check_municipality(command.municipality, "/municipality")
    check_hours(command.hours_per_week, "/hours_per_week")
    for index, experience in enumerate(command.experience):
        check_occupation(experience.occupation, f"/experience/{index}/occupation")
        if not 1 <= experience.months <= MOST_EXPERIENCE_MONTHS:
            raise wrong("months_out_of_range", f"/experience/{index}/months", most=MOST_EXPERIENCE_MONTHS)
    check_unique((experience.occupation for experience in command.experience), "/experience")
    for index, wished in enumerate(command.wished_occupations):
        check_occupation(wished, f"/wished_occupations/{index}")
    check_unique(command.wished_occupations, "/wished_occupations")
    check_unique(command.licences, "/licences")
    check_listed(command.skills, skills(), "/skills", "skill_unknown")
    check_listed(command.certificates, certificates(), "/certificates", "certificate_unknown")
    for index, wished in enumerate(command.wished_municipalities):
        check_municipality(wished, f"/wished_municipalities/{index}")
    check_unique(command.wished_municipalities, "/wished_municipalities")
    if command.travel_minutes is not None and not 0 <= command.travel_minutes <= LONGEST_TRAVEL_MINUTES:
        raise wrong("travel_out_of_range", "/travel_minutes", most=LONGEST_TRAVEL_MINUTES)
    begins, ends = command.available_from, command.available_to
    if begins is not None and ends is not None and ends < begins:
        raise wrong("dates_out_of_order", "/available_from", "/available_to")
    for index, evidence in enumerate(command.language_evidence):
        check_not_in_future(evidence.assessed_on, f"/language_evidence/{index}/assessed_on", command.at)
    check_unique(
        ((each.skill, each.source, each.assessed_on) for each in command.language_evidence), "/language_evidence"
    )
    levels(command)


def levels(command: MapCandidate) -> LanguageLevels:
    """The level per skill: as given, else that of the latest evidence. Raises Refused where the two differ."""
    latest = {each.skill: each.level for each in sorted(command.language_evidence, key=lambda each: each.assessed_on)}
    given = {skill: level for skill, level in command.language if level is not None}
    if differing := [f"/language/{skill}" for skill, level in given.items() if latest.get(skill, level) != level]:
        raise wrong("level_differs_from_evidence", *differing)
    return LanguageLevels(**{**latest, **given})


def qualification(command: AddQualification) -> None:
    """Days in order. A course may still run, so only its beginning has to lie behind."""
    check_occupation(command.occupation, "/occupation")
    if command.completed_on < command.started_on:
        raise wrong("dates_out_of_order", "/started_on", "/completed_on")
    check_not_in_future(command.started_on, "/started_on", command.at)
    if command.completed_on > add_months(oslo_day(command.at), LONGEST_COURSE_AHEAD_MONTHS):
        raise wrong("completed_too_far_ahead", "/completed_on", months=LONGEST_COURSE_AHEAD_MONTHS)


def assessment(command: AssessCandidate) -> None:
    """An assessment was made, and holds for a time."""
    check_not_in_future(command.assessed_on, "/assessed_on", command.at)
    if command.valid_until <= command.assessed_on:
        raise wrong("dates_out_of_order", "/assessed_on", "/valid_until")


def revocation(command: RevokeReadiness) -> None:
    """Free text stands only beside the reason `other`, and has to there."""
    if command.reason is RevokeReason.OTHER and not command.note:
        raise wrong("note_needed", "/note")
    if command.reason is not RevokeReason.OTHER and command.note:
        raise wrong("note_not_allowed", "/note")


def consent_day(given_on: date, field: str, at: datetime) -> None:
    """Consent has been given."""
    check_not_in_future(given_on, field, at)
