"""Paths that match in any case and with a slash at their end, below given paths.

Invariant: the routes below those paths are written in small letters, and nothing in their paths differs by case alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send


class AnyCase:
    """`app.add_middleware(AnyCase, below=("/api/v2",))`: the router sees `/api/v2/tables` for `/API/v2/Tables/`."""

    def __init__(self, app: ASGIApp, below: Sequence[str]) -> None:
        self._app = app
        self._below = tuple(f"{path.rstrip('/').lower()}/" for path in below)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].lower().rstrip("/")
            if path != scope["path"] and f"{path}/".startswith(self._below):
                scope = {**scope, "path": path, "raw_path": path.encode("utf-8")}
        await self._app(scope, receive, send)
