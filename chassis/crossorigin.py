"""Lets browsers of any origin read what is open to everybody.

Invariant: only paths below the given one are touched, only reading and queries are allowed, and never with credentials.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALLOWED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, Content-Disposition",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_PREFLIGHT = {
    **_ALLOWED,
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Accept-Language",
    "Access-Control-Max-Age": "86400",
}


class CrossOrigin:
    """Outermost, so that errors may be read from elsewhere too: `app.add_middleware(CrossOrigin, below="/api/v2")`."""

    def __init__(self, app: ASGIApp, below: str) -> None:
        self._app = app
        self._below = below.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").lower()
        if scope["type"] != "http" or not (path == self._below or path.startswith(f"{self._below}/")):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return

        async def opened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALLOWED.items():
                    headers[name] = value
                if "Allow" in headers:
                    # Answered here, which whoever named the methods cannot know.
                    headers["Allow"] = f"{headers['Allow']}, OPTIONS"
            await send(message)

        await self._app(scope, receive, opened)
