"""Names for a list of employers: what comes is told, and nobody waits for what does not."""

from __future__ import annotations

import asyncio

import pytest

from chassis.employers import PAUSE_SECONDS
from chassis.errors import DependencyDown
from services.intake import employernames
from services.intake.employernames import ListedEmployers
from services.intake.registry import Unit


class Register:
    """Knows some, and hangs or is down for others."""

    def __init__(self, *, hangs: str = "", down: str = "") -> None:
        self.hangs, self.down = hangs, down
        self.asked: list[str] = []

    async def unit(self, org_number: str) -> Unit | None:
        self.asked.append(org_number)
        if org_number == self.hangs:
            await asyncio.Event().wait()
        if org_number == self.down:
            raise DependencyDown("the register does not answer")
        return None if org_number == "3" else Unit(org_number, f"Firma {org_number}", "main")


async def test_each_employer_is_asked_for_once_and_one_that_nobody_knows_has_no_name() -> None:
    register = Register()
    assert await ListedEmployers(register).of(["1", "2", "1", "3"]) == {"1": "Firma 1", "2": "Firma 2"}
    assert register.asked == ["1", "2", "3"]


@pytest.mark.parametrize("trouble", [{"hangs": "2"}, {"down": "2"}], ids=["hangs", "down"])
async def test_a_register_that_does_not_answer_costs_its_names_alone_and_is_left_in_peace_for_a_while(
    trouble: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(employernames, "SECONDS", 0.05)
    now = 0.0
    register = Register(**trouble)
    names = ListedEmployers(register, lambda: now)
    assert await names.of(["1", "2"]) == {"1": "Firma 1"}
    now = PAUSE_SECONDS - 1
    assert await names.of(["1", "2"]) == {"1": "Firma 1"}
    assert register.asked == ["1", "2"], "every page would wait for it"
    now = PAUSE_SECONDS
    assert await names.of(["1"]) == {"1": "Firma 1"}
