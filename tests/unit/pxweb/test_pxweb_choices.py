"""Choices as people and programs write them: answered, or refused with a reason; never a fault, never guessed."""

from __future__ import annotations

import random

import httpx

from services.reporting.pxweb.router import PUBLIC
from tests.unit.pxweb.test_pxweb_api import FOUND, http, read

__all__ = ["http"]


async def test_whatever_is_written_as_a_choice_is_answered_or_refused_and_never_our_fault(
    http: httpx.AsyncClient,
) -> None:
    rnd = random.Random(20)
    parts = [
        "*",
        "?",
        "*0*",
        "top(1)",
        "top(1,500)",
        "bottom(3,9999)",
        "range(0,33)",
        "from(0)",
        "[top(2)]",
        "33??",
        "",
    ]
    parts += [
        "x(",
        "(a,b)",
        "**",
        "slots",
        "needs",
        ",",
        '"',
        "range(,)",
        "total",
        "2024M01",
        "top( 2 , 1 )",
        "0",
        "][",
    ]
    seen = set()
    for _ in range(400):
        table = rnd.choice(FOUND)
        query = {
            f"valueCodes[{each.id}]": ",".join(rnd.sample(parts, rnd.choice((1, 1, 2))))
            for each in table.dimensions
            if each.total is None or rnd.random() < 0.4
        }
        if rnd.random() < 0.3:
            query["heading"] = ",".join(each.id for each in rnd.sample(table.dimensions, 2))
        answer = await http.get(f"{PUBLIC}/tables/{table.id}/data", params=query)
        seen.add(answer.status_code)
        assert answer.status_code in (200, 400), query
    assert seen == {200, 400}


async def test_a_variable_that_is_posted_twice_or_with_blanks_or_nulls_means_what_it_means_in_a_query(
    http: httpx.AsyncClient,
) -> None:
    chosen = {"valueCodes[Tid]": "top(2)", "valueCodes[ContentsCode]": "slots,needs"}
    usual = await read(http, "tables/trakt/data", **chosen)
    body = {
        "selection": [
            {"variableCode": "Tid", "valueCodes": [" top(2) "]},
            {"variableCode": "ContentsCode", "valueCodes": ["slots"]},
            {"variableCode": "CONTENTSCODE", "valueCodes": ["needs"]},
            {"variableCode": "Region", "codelist": None, "valueCodes": None},
        ],
        "placement": None,
    }
    posted = await http.post(f"{PUBLIC}/tables/trakt/data", json=body)
    assert posted.json() == usual
    nothing = await http.post(f"{PUBLIC}/tables/trakt/data", json={"selection": None})
    assert nothing.json() == await read(http, "tables/trakt/data")


async def test_the_table_says_how_many_decimals_all_its_contents_have(http: httpx.AsyncClient) -> None:
    for contents, decimals in (("median", 1), ("median,slots", 0)):
        query = {"valueCodes[Tid]": "top(1)", "valueCodes[ContentsCode]": contents}
        assert (await read(http, "tables/ventetid/data", **query))["extension"]["px"]["decimals"] == decimals
