"""Keys of records and cells, and the noise that is drawn with them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.domain.counting import Counted
from services.reporting.domain.disclosure.cells import Cell, finest, with_totals
from services.reporting.domain.disclosure.keys import KEY_SPACE, Secrets, draw, encoded, record_key
from services.reporting.domain.disclosure.noise import LAST_ROW, deviations, noised, row_of

SECRETS = Secrets(record=b"r" * 32, noise=b"n" * 32)
ROWS = range(1, LAST_ROW + 1)


def moment(row: int, power: int) -> Decimal:
    return sum((chance * v**power for v, chance in row_of(row).items()), Decimal(0))


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_noise_table_has_mean_zero_and_variance_three(row: int) -> None:
    assert abs(moment(row, 0) - 1) < Decimal("1e-25")
    assert abs(moment(row, 1)) < Decimal("1e-25")
    assert abs(moment(row, 2) - 3) < Decimal("1e-25")


@pytest.mark.parametrize("row", ROWS)
def test_no_row_leads_to_one_or_two_below_zero_or_further_than_five(row: int) -> None:
    targets = [row + v for v in deviations(row)]
    assert min(targets) >= 0
    assert not {1, 2} & set(targets)
    assert all(abs(v) <= 5 for v in deviations(row))
    assert all(chance > 0 for chance in row_of(row).values())


def test_a_single_unit_is_mostly_published_as_none() -> None:
    assert round(row_of(1)[-1], 3) == Decimal("0.734")
    assert round(row_of(1)[2], 3) == Decimal("0.137")


def test_the_largest_row_is_symmetric() -> None:
    row = row_of(LAST_ROW)
    assert all(abs(row[v] - row[-v]) < Decimal("1e-25") for v in range(6))


def test_nothing_is_published_as_nothing_and_large_counts_have_the_last_row() -> None:
    assert {noised(0, drawn) for drawn in (0, KEY_SPACE // 2, KEY_SPACE - 1)} == {0}
    assert [noised(1000, drawn) for drawn in (0, KEY_SPACE // 2, KEY_SPACE - 1)] == [995, 1000, 1005]
    assert [noised(1, drawn) for drawn in (0, KEY_SPACE - 1)] == [0, 6]


def test_the_draw_is_the_inverse_of_the_distribution_function() -> None:
    # The first 73.4 % of all draws give 0, whatever comes after them 3 or more.
    border = int(row_of(1)[-1] * KEY_SPACE)
    assert (noised(1, border - 1), noised(1, border)) == (0, 3)


@pytest.mark.parametrize(("count", "drawn"), [(-1, 0), (1, -1), (1, KEY_SPACE)])
def test_what_is_no_count_or_no_draw_is_refused(count: int, drawn: int) -> None:
    with pytest.raises(ValueError, match="a count is not negative"):
        noised(count, drawn)


def test_keys_are_the_first_eight_bytes_of_the_hmac_as_it_is_written_down() -> None:
    # Made with openssl: printf '\0\0\0\4slot\0\0\0\2S1' | openssl dgst -sha256 -hmac rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr
    assert encoded("slot", "S1") == b"\0\0\0\4slot\0\0\0\2S1"
    assert f"{record_key(SECRETS, 'slot', 'S1'):016x}" == "39ad7cd5e1c02a6a"
    # The same over slot, 2026M03, final and 7, under the other secret.
    assert f"{draw(SECRETS, 'slot', '2026M03', 'final', 7):016x}" == "fc50f414e5f13bcf"


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_different_texts_never_give_the_same_bytes(one: list[str], other: list[str]) -> None:
    assert (encoded(*one) == encoded(*other)) == (one == other)


def test_secrets_are_long_differ_and_are_never_shown() -> None:
    assert "rrr" not in repr(SECRETS)
    assert "nnn" not in f"{SECRETS} {SECRETS!r}"
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Secrets(record=b"short", noise=b"n" * 32)
    with pytest.raises(ValueError, match="differ"):
        Secrets(record=b"n" * 32, noise=b"n" * 32)


def of(*ids: str, at: tuple[str, ...] = ("33", "2026M03"), content: str = "slots", unit: str = "slot") -> list[Counted]:
    return [Counted(content, at, unit, each) for each in ids]


def same(code: str) -> tuple[str, ...]:
    return (code,)


def below(code: str) -> tuple[str, ...]:
    return (code, "total")


def keyed(counted: list[Counted]) -> dict[tuple[str, tuple[str, ...]], Cell]:
    return finest(counted, SECRETS, [below, same])


def test_a_cell_counts_its_units_and_sums_their_keys_in_any_order() -> None:
    forwards = keyed(of("a", "b", "c"))
    assert forwards == keyed(of("c", "a", "b"))
    cell = forwards["slots", ("33", "2026M03")]
    assert cell.n == 3
    assert cell.ks == sum(record_key(SECRETS, "slot", each) for each in "abc") % KEY_SPACE


def test_a_total_is_the_sum_of_its_finest_cells() -> None:
    cells = keyed([*of("a", "b"), *of("c", at=("34", "2026M03"))])
    summed = with_totals(cells, [below, same])
    assert summed["slots", ("total", "2026M03")] == keyed(of("a", "b", "c"))["slots", ("33", "2026M03")]
    assert summed["slots", ("33", "2026M03")].n == 2


def test_a_unit_that_would_be_counted_twice_in_a_total_is_refused() -> None:
    with pytest.raises(ValueError, match="twice in a cell of slots"):
        keyed([*of("a"), *of("a", at=("34", "2026M03"))])


def test_a_unit_may_stand_in_cells_that_have_no_total_in_common() -> None:
    both = [*of("a"), *of("a", at=("side by side", "2026M03"))]
    cells = finest(both, SECRETS, [lambda code: (code, "total") if code == "33" else (code,), same])
    assert {place: cell.n for place, cell in cells.items()} == {
        ("slots", ("33", "2026M03")): 1,
        ("slots", ("side by side", "2026M03")): 1,
    }
    with pytest.raises(ValueError, match="twice"):
        keyed([*of("a"), *of("a")])


def test_different_units_are_never_counted_together() -> None:
    with pytest.raises(ValueError, match="not counted together"):
        Cell("slot", 1, 1) + Cell("trial", 1, 1)


def test_the_noise_depends_on_who_is_counted_the_period_and_the_stage_and_on_nothing_else() -> None:
    cells = [keyed(of(f"id{n}"))["slots", ("33", "2026M03")] for n in range(200)]
    assert len({cell.published(SECRETS, "2026M03", "final") for cell in cells}) > 2
    one = Cell("slot", 40, 12345)
    same = {one.published(SECRETS, "2026M03", "final") for _ in range(20)}
    assert len(same) == 1
    periods = {one.published(SECRETS, f"20{year}M03", "final") for year in range(10, 60)}
    stages = {one.published(SECRETS, "2026M03", f"stage{n}") for n in range(50)}
    units = {Cell(f"unit{n}", 40, 12345).published(SECRETS, "2026M03", "final") for n in range(50)}
    assert min(len(periods), len(stages), len(units)) > 4
