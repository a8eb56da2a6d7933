"""The two cases, played through the public HTTP interfaces, and the tables that they lead to.

Invariant: the tables hold no id and no instant that another play would give otherwise, so they equal `expected.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from chassis.formats import decimals, long_date, percent, whole
from contracts.days import OSLO
from deploy.local.player import Player, StepFailed
from deploy.local.player_scenario import Scenario, load

TABLES = ("ventetid", "trakt", "utfall", "mangfold", "arbeidsstyrke", "oppfolging")
ANALYST = "analyst"


async def play(urls: Mapping[str, str]) -> dict[str, Any]:
    """Play both cases and read what they lead to: tables and journeys. `urls` are base addresses by service.

    Raises StepFailed (a LocalFault) with one line where a step does not go as written.
    """
    scenarios = load()
    async with Player(urls) as player:
        await player.play(scenarios)
        return {
            "tables": {table_id: await _table(player, table_id) for table_id in TABLES},
            "journeys": {scenario.name: await _journeys(player, scenario) for scenario in scenarios},
        }


async def _table(player: Player, table_id: str) -> dict[str, Any]:
    table = await _read(player, f"/tables/{table_id}")
    # The number of events depends on nothing that the reader of a table wants to know.
    del table["complete_to"]
    return table


async def _journeys(player: Player, scenario: Scenario) -> dict[str, list[str]]:
    """Per case one line per event: `2025-01-13 NeedRegistered`, up to the day of the last step.

    Afterwards the clocks follow the machine's, and what the time then brings depends on the day of the play.
    """
    last = scenario.steps[-1].at.astimezone(OSLO).date().isoformat()
    known = player.played.known[scenario.name]
    journeys = {}
    for name, key in scenario.journeys.items():
        found = await _read(player, f"/journeys/{key.format_map(known)}")
        journeys[name] = [f"{event['day']} {event['type']}" for event in found["events"] if event["day"] <= last]
    return journeys


async def _read(player: Player, path: str) -> dict[str, Any]:
    least = [f"{source}:{position}" for source, position in player.played.positions.items()]
    answer = await player.get("reporting", path, ANALYST, min_position=least)
    if answer.status_code != 200:
        raise StepFailed(f"GET reporting{path} answered {answer.status_code}: {' '.join(answer.text.split())[:300]}")
    body: dict[str, Any] = answer.json()
    return body


def render(tables: Mapping[str, Any]) -> str:
    """The tables and journeys for a terminal, in Norwegian."""
    lines: list[str] = []
    for table in tables["tables"].values():
        lines += ["", *_table_lines(table)]
    for scenario, journeys in tables["journeys"].items():
        for name, events in journeys.items():
            lines += ["", f"{scenario}: {name}", *_days(events)]
    return "\n".join(lines)


def _days(events: list[str]) -> list[str]:
    """A line per day."""
    told = (event.split(" ", 1) for event in events)
    by_day = [(day, [name for _, name in of_day]) for day, of_day in groupby(told, key=lambda event: event[0])]
    return [f"  {long_date(day, 'nb'):<18}  {', '.join(names)}" for day, names in by_day]


def _table_lines(table: Mapping[str, Any]) -> list[str]:
    columns = table["columns"]
    cells = [[_cell(row[column["id"]], column) for column in columns] for row in table["rows"]]
    heads = [column["label"] for column in columns]
    widths = [max(len(row[place]) for row in [heads, *cells]) for place in range(len(columns))]
    numbers = [column["kind"] not in ("category", "text") for column in columns]

    def line(row: list[str]) -> str:
        placed = zip(row, widths, numbers, strict=True)
        return "  " + "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in placed)

    rule = "  " + "  ".join("-" * width for width in widths)
    figures = [f"  {each['label']}: {_cell(each['value'], each)}" for each in table["figures"]]
    return [table["title"], line(heads).rstrip(), rule, *(line(row).rstrip() for row in cells), *figures]


def _cell(value: Any, column: Mapping[str, Any]) -> str:
    """As reporting's page writes it."""
    if value is None:
        return ".."
    match column["kind"]:
        case "category":
            return str(column["categories"][value])
        case "count":
            return whole(value, "nb")
        case "per_cent":
            return percent(Decimal(str(value)), "nb")
        case "change":
            return ("+" if value > 0 else "") + percent(Decimal(str(value)), "nb")
        case "days":
            return f"{decimals(Decimal(str(value)), 1, 'nb')} dager"
        case _:
            return str(value)
