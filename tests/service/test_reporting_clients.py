"""Analysts' clients as they come, against the reporting service itself: engines, events, facts, tables, HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import requests
import uvicorn
from fastapi import FastAPI
from pxstatspy import OutputFormatParam, PxAPI, PxAPIConfig
from pyjstat import pyjstat

from chassis.issuer import DevIssuer
from chassis.settings import Settings
from services.reporting.pxweb.router import LIVE
from tests.service.test_reporting_http import a_started_trial, running


@asynccontextmanager
async def listening(app: FastAPI, at: socket.socket) -> AsyncIterator[None]:
    """The app on a socket that listens already, so that nobody has to wait; its lifespan is somebody else's."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[at]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def test_pxstatspy_and_pyjstat_read_the_live_tables_of_what_happened(settings: Settings) -> None:
    at = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{at.getsockname()[1]}"
    chosen = settings.model_copy(update={"tables_url": address})
    async with running(chosen) as world, listening(world.app, at):
        await a_started_trial(world)
        await world.table("mangfold")
        token = DevIssuer(world.service.settings).token("analyst")

        def with_pxstatspy() -> list[list[int]]:
            api = PxAPI(PxAPIConfig(base_url=address + LIVE, api_key=token, language="en"))
            assert set(api.find_tables_as_dataframe()["id"]) >= {
                "ventetid",
                "trakt",
                "utfall",
                "mangfold",
                "oppfolging",
            }
            frame = api.get_data_as_dataframe(
                "trakt",
                value_codes={"Region": ["0", "0301"], "ContentsCode": ["slots", "started"], "Tid": ["*"]},
                output_format_param=OutputFormatParam.USE_CODES,
            )
            found: list[list[int]] = frame[["slots", "started"]].to_numpy().tolist()
            return found

        def with_pyjstat() -> float:
            query = "valueCodes[ContentsCode]=median&valueCodes[Tid]=2025M11"
            answer = requests.get(
                f"{address}{LIVE}/tables/ventetid/data?{query}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=10,
            )
            return float(pyjstat.Dataset.read(answer.text).write("dataframe")["value"][0])

        # Registered in November, started in December, in the country and in Oslo.
        assert await asyncio.to_thread(with_pxstatspy) == [[2, 0], [0, 1], [2, 0], [0, 1]]
        assert await asyncio.to_thread(with_pyjstat) == 28.0
