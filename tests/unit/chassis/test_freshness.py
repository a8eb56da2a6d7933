"""How fresh a page has to be, as its reader's cookies say."""

from __future__ import annotations

from starlette.requests import Request

from chassis.freshness import freshness
from chassis.respond import SEEN_COOKIE
from contracts.intake import SOURCE


def asked_with(cookies: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookies.encode())]})


async def test_a_reader_s_own_writes_are_read_from_one_cookie_of_each_log() -> None:
    fresh = await freshness(asked_with(f"{SEEN_COOKIE}intake=intake:7; other=intake:9"))
    assert (fresh.positions, fresh.written) == ((), ((SOURCE, 7),))


async def test_cookies_of_other_names_and_positions_that_are_none_cost_nothing() -> None:
    many = "; ".join(f"{SEEN_COOKIE}{number}=intake:{number + 1}" for number in range(1000))
    fresh = await freshness(asked_with(f"{many}; {SEEN_COOKIE}matching=matching:x; {SEEN_COOKIE}followup="))
    assert fresh.written == ()
