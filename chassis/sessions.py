"""Sessions of people in a browser: a cookie that holds the token, and a token in each form.

Invariant: a change that is authenticated by the cookie alone is never believed; it needs the form token of that session
and must not come from another site.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from chassis.problems import Problem
from chassis.settings import Settings

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Sessions:
    """Cookies and form tokens. Without a secret (`DUGNAD_SESSION_SECRET`) in production there are no sessions."""

    def __init__(self, settings: Settings) -> None:
        production = settings.environment == "production"
        self.secure = production
        """Whether cookies go over encrypted lines alone."""
        # The prefix makes browsers refuse a cookie that another host of the domain has set.
        self.cookie = "__Host-dugnad" if production else "dugnad_session"
        given = settings.session_secret or (None if production else settings.dev_issuer_key)
        self._secret = (
            None if given is None else hashlib.sha256(b"dugnad session\0" + given.get_secret_value().encode()).digest()
        )

    def token(self, request: Request) -> str | None:
        """The token in the session cookie."""
        return None if self._secret is None else request.cookies.get(self.cookie)

    def csrf_token(self, token: str) -> str:
        """The form token that belongs to a session."""
        assert self._secret is not None, "there is no session without a secret"
        return hmac.new(self._secret, token.encode(), hashlib.sha256).hexdigest()

    def begin(self, response: Response, token: str, seconds: int) -> None:
        """Put the session into the answer."""
        assert self._secret is not None, "there is no session without a secret"
        response.set_cookie(
            self.cookie, token, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def end(self, response: Response) -> None:
        """Take the session back."""
        response.delete_cookie(self.cookie, path="/", secure=self.secure, httponly=True, samesite="lax")

    async def check_form(self, request: Request, token: str) -> None:
        """Raises Problem 403 unless this change carries the form token of the session and comes from our own pages."""
        refuse_other_sites(request)
        given = request.headers.get(CSRF_HEADER)
        if given is None and is_form(request):
            field = (await request.form()).get(CSRF_FIELD)
            given = field if isinstance(field, str) else None
        if given is None or not hmac.compare_digest(given.encode(), self.csrf_token(token).encode()):
            raise Problem(403, "csrf")


def is_form(request: Request) -> bool:
    """Whether the body is an HTML form's."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/x-www-form-urlencoded"


def refuse_other_sites(request: Request) -> None:
    """Raises Problem 403 if the browser says that another site sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "csrf")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Problem(403, "csrf")


def local_path(target: str | None, otherwise: str = "/") -> str:
    """`target` if it is a path on this host, else `otherwise`: a login link must not lead to somebody else's page."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return otherwise
    if any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in target):
        return otherwise
    parts = urlsplit(target)
    return otherwise if parts.scheme or parts.netloc else target
