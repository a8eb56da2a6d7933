"""When a period is published, how often, and what opens it once more."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.reporting.domain.counting import Counted
from services.reporting.domain.disclosure.gate import changed, opens
from services.reporting.domain.periods import Frequency
from services.reporting.domain.publications import FREQUENCIES, TOGETHER
from services.reporting.domain.releases import BadSchedule, Due, Schedule, Stage, Timetable, days_of, due
from services.reporting.releasekeys import BadKeys, ReleaseSettings, schedule_of, secrets_of

MONTHLY = Timetable("trakt", Frequency.MONTH, "2026M01", preliminary=2, final=6)
SCHEDULE = Schedule("1", 15, (MONTHLY,))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026K1", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026K4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2024M02", date(2024, 2, 1), date(2024, 2, 29)),
    ],
)
def test_a_period_has_its_first_and_last_day(period: str, first: date, last: date) -> None:
    assert days_of(period) == (first, last)


@pytest.mark.parametrize("period", ["2026M13", "2026K5", "26", "2026M1", "all", ""])
def test_what_is_no_period_is_refused(period: str) -> None:
    with pytest.raises(ValueError, match="is no period"):
        days_of(period)


def test_a_release_counts_up_to_the_beginning_of_its_day_in_oslo() -> None:
    assert SCHEDULE.cutoff("2026M01", 2) == at("2026-03-15T00:00:00+01:00")
    assert SCHEDULE.cutoff("2026M03", 2) == at("2026-05-15T00:00:00+02:00")
    assert SCHEDULE.cutoff("2026", 4) == at("2027-04-15T00:00:00+02:00")


def test_a_period_is_due_as_preliminary_and_then_as_final_and_never_again() -> None:
    preliminary = Due(at("2026-03-15T00:00:00+01:00"), "trakt", "2026M01", Stage.PRELIMINARY)
    final = Due(at("2026-07-15T00:00:00+02:00"), "trakt", "2026M01", Stage.FINAL)
    assert due(SCHEDULE, at("2026-03-14T23:59:59+01:00"), {}) == []
    assert due(SCHEDULE, at("2026-03-15T00:00:00+01:00"), {}) == [preliminary]
    assert preliminary.release == "2026-03-15"
    one = {("trakt", "2026M01"): [Stage.PRELIMINARY]}
    assert preliminary not in due(SCHEDULE, at("2026-07-14T12:00:00+02:00"), one)
    later = due(SCHEDULE, at("2026-07-15T12:00:00+02:00"), one)
    assert final in later
    both = {("trakt", "2026M01"): [Stage.PRELIMINARY, Stage.FINAL]}
    assert all(each.period != "2026M01" for each in due(SCHEDULE, at("2030-01-01T00:00:00+01:00"), both))


def test_a_period_whose_final_release_is_due_has_no_preliminary_one_any_more() -> None:
    found = [each for each in due(SCHEDULE, at("2026-07-20T00:00:00+02:00"), {}) if each.period == "2026M01"]
    assert [each.stage for each in found] == [Stage.FINAL]


def test_figures_of_public_bodies_are_due_only_where_there_is_one() -> None:
    yearly = Timetable("arbeidsstyrke", Frequency.YEAR, "2024", preliminary=3, final=9)
    now = at("2026-01-01T00:00:00+01:00")
    assert due(Schedule("1", 15, (yearly,)), now, {}) == []
    assert [each.period for each in due(Schedule("1", 15, (yearly,), ("889640782",)), now, {})] == ["2024"]


def test_the_schedule_of_the_program_names_every_published_table() -> None:
    schedule = schedule_of(ReleaseSettings())
    assert {each.table for each in schedule.timetables} == set(FREQUENCIES)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"since": "2026M01", "preliminary": 2, "final": 2}, "the preliminary release"),
        ({"since": "2026M01", "preliminary": 0, "final": 2}, "the preliminary release"),
        ({"since": "2026M31", "preliminary": 1, "final": 2}, "is no period"),
        ({"since": "2026K1", "preliminary": 1, "final": 2}, "not a period of this table"),
        ({"since": "2026M01", "final": 2}, "'preliminary' is missing"),
    ],
)
def test_a_schedule_that_cannot_be_kept_says_why(table: dict[str, object], said: str) -> None:
    document = {"version": "1", "day": 15, "public_bodies": [], "tables": {"trakt": table}}
    with pytest.raises(BadSchedule, match=said):
        Schedule.of(document, FREQUENCIES, TOGETHER)


def test_tables_that_count_the_same_units_are_published_at_the_same_time() -> None:
    trakt, mangfold = ({"since": "2026M01", "preliminary": months, "final": 9} for months in (2, 3))
    document = {"version": "1", "day": 15, "public_bodies": [], "tables": {"trakt": trakt, "mangfold": mangfold}}
    with pytest.raises(BadSchedule, match="trakt and mangfold count the same"):
        Schedule.of(document, FREQUENCIES, TOGETHER)
    document["tables"] = {"trakt": trakt, "oppfolging": mangfold, "mangfold": {**mangfold, "preliminary": 2}}
    assert len(Schedule.of(document, FREQUENCIES, TOGETHER).timetables) == 3


def test_a_schedule_of_tables_or_days_that_do_not_exist_is_refused(tmp_path: Path) -> None:
    good = {"since": "2026M01", "preliminary": 1, "final": 2}
    with pytest.raises(BadSchedule, match="no published table"):
        Schedule.of(
            {"version": "1", "day": 15, "public_bodies": [], "tables": {"strange": good}}, FREQUENCIES, TOGETHER
        )
    with pytest.raises(BadSchedule, match="1 to 28"):
        Schedule.of({"version": "1", "day": 31, "public_bodies": [], "tables": {"trakt": good}}, FREQUENCIES, TOGETHER)
    with pytest.raises(BadSchedule, match="cannot be read"):
        schedule_of(ReleaseSettings(release_schedule=tmp_path / "none.toml"))


# --- the gate -------------------------------------------------------------------------------------------------------


def slots(first: int, last: int, *contents: str) -> list[Counted]:
    return [Counted(content, ("33", "2026M01"), "slot", f"S{n}") for n in range(first, last) for content in contents]


@pytest.mark.parametrize(("records", "open_again"), [(0, False), (1, False), (20, False), (99, False), (100, True)])
def test_the_final_figures_are_new_only_from_a_hundred_changed_records_on(records: int, open_again: bool) -> None:
    before = slots(0, 500, "slots", "not_started")
    added = [*before, *slots(500, 500 + records, "slots", "not_started")]
    moved = [*slots(0, records, "slots", "0_7"), *slots(records, 500, "slots", "not_started")]
    taken_away = slots(records, 500, "slots", "not_started")
    for after in (added, moved, taken_away):
        assert changed(before, after) == records
        assert opens(changed(before, after)) is open_again


def test_what_one_case_changes_in_several_units_is_one_change() -> None:
    trials = [Counted("starts", ("33", "2026M01"), "trial", f"T{n}") for n in range(60)]
    assert changed([], [*slots(0, 60, "slots"), *trials]) == 60


# --- secrets --------------------------------------------------------------------------------------------------------

RECORD, NOISE = "a1" * 32, "b2" * 32


def kept(path: Path, text: str, mode: int = 0o600) -> ReleaseSettings:
    path.write_text(text)
    path.chmod(mode)
    return ReleaseSettings(release_keys_file=path)


def test_secrets_come_from_settings_or_from_a_file_of_its_owner(tmp_path: Path) -> None:
    of_settings = secrets_of(ReleaseSettings(release_record_key=SecretStr(RECORD), release_noise_key=SecretStr(NOISE)))
    of_file = secrets_of(kept(tmp_path / "keys", f"# made in 2026\nrecord={RECORD}\nnoise = {NOISE}\n"))
    assert of_settings == of_file
    assert of_file.record == bytes.fromhex(RECORD)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadKeys, match="chmod 600"):
        secrets_of(kept(tmp_path / "keys", f"record={RECORD}\nnoise={NOISE}\n", mode))


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"record={RECORD}\n",
        f"record={RECORD}\nnoise={RECORD}\n",
        f"record={RECORD}\nnoise=zz\n",
        f"record={RECORD}\nnoise=b2\n",
    ],
)
def test_secrets_that_are_missing_short_or_the_same_are_refused_and_never_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadKeys) as refused:
        secrets_of(kept(tmp_path / "keys", text))
    assert RECORD not in f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__context__ and ''}"
    assert refused.value.__suppress_context__


def test_without_secrets_it_says_what_to_set_and_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadKeys, match="DUGNAD_RELEASE_KEYS_FILE"):
        secrets_of(ReleaseSettings())
    with pytest.raises(BadKeys, match="cannot be read"):
        secrets_of(ReleaseSettings(release_keys_file=tmp_path / "none"))
    with pytest.raises(BadKeys, match="is no file"):
        secrets_of(ReleaseSettings(release_keys_file=tmp_path))


def test_settings_never_show_their_secrets() -> None:
    settings = ReleaseSettings(release_record_key=SecretStr(RECORD), release_noise_key=SecretStr(NOISE))
    shown = f"{settings!r} {settings} {secrets_of(settings)!r}"
    assert RECORD not in shown
    assert NOISE not in shown
