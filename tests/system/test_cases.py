"""Both cases, played through the public HTTP interfaces of the four processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chassis.mongo import Client
from chassis.settings import Settings
from deploy.local import demo
from deploy.local.engines import Engines
from deploy.local.player import Player
from deploy.local.player_scenario import expected, load
from tests.system.system_helpers import documents, named, system, without

EXPECTED_VIEWS = json.loads((Path(__file__).parent / "expected_views.json").read_text(encoding="utf-8"))
LOGS = ("intake", "background", "matching", "followup")
OF_THE_PLATFORM = ("rev", "at", "_id")
NOT_WRITTEN_BY_HAND = {
    "placement": ("started_position",),
    "persons": ("position", "ciphertext"),
    "matches": ("score", "reasons", "trial"),
    "pool": ("profile", "qualifications", "trials", "last"),
}
"""Counted by the ledger, random, weighed by the ranking rules, or whole events."""


async def replay(urls: dict[str, str]) -> Player:
    """Play again, and learn the ids that the first play was given."""
    async with Player(urls) as player:
        await player.play(load())
        return player


async def commits(client: Client, settings: Settings) -> dict[str, int]:
    return {name: len(await documents(client, settings, name, "commits")) for name in LOGS}


@pytest.mark.timeout(300)
async def test_both_cases_lead_to_the_expected_tables_and_a_second_play_changes_nothing(
    engines: Engines, settings: Settings, mongo: Client, tmp_path: Path
) -> None:
    services = system(engines, settings, tmp_path)
    async with services:
        first = await demo.play(services.urls)
        assert first == expected()
        written = await commits(mongo, settings)

        player = await replay(services.urls)
        assert player.played.sent == player.played.repeated > 50
        assert await demo.play(services.urls) == first
        await the_views_are_as_written_by_hand(player, settings, mongo)

    # The second `make demo`: new processes on the same data.
    again = system(engines, settings, tmp_path)
    async with again:
        assert await demo.play(again.urls) == first
    assert await commits(mongo, settings) == written


async def the_views_are_as_written_by_hand(player: Player, settings: Settings, client: Client) -> None:
    names = {value: f"{case}.{name}" for case, known in player.played.known.items() for name, value in known.items()}
    for service, views in EXPECTED_VIEWS.items():
        for view, wanted in views.items():
            found: dict[str, Any] = {}
            for document in await documents(client, settings, service, f"view_{view}_1"):
                key = named(document["_id"], names)
                found[key] = without(named(document, names), *OF_THE_PLATFORM, *NOT_WRITTEN_BY_HAND.get(view, ()))
            assert found == wanted, f"{service}: {view}"
