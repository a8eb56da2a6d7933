"""`python -m benchmarks.bareroute PORT`: what `command` is compared with: a JSON body, one `insert_one`."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from chassis import mongo
from chassis.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """One route, as a first page of the framework's manual shows it; as durable as the services' commits."""
    app = FastAPI()
    documents = mongo.database(mongo.connect(settings), settings.database("bare"))["documents"]

    @app.post("/documents", status_code=201)
    async def insert(body: dict[str, Any]) -> dict[str, str]:
        stored = await documents.insert_one(dict(body))
        return {"id": str(stored.inserted_id)}

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(Settings()),
        host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", ws="none", log_config=None,
        access_log=False,
    )  # fmt: skip
