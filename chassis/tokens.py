"""Bearer tokens: where the issuer's keys come from, whether a token holds, and the tokens of the services themselves.

Invariant: a token is believed only with a known key, an allowed asymmetric algorithm, our audience and issuer, and in
its time (by the machine clock).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from chassis.clock import machine_now
from chassis.errors import DependencyDown
from chassis.issuer import DevIssuer
from chassis.metrics import TOKENS_REFUSED
from chassis.settings import Settings

ALGORITHMS = ("Ed25519", "EdDSA", "ES256", "RS256", "PS256")
JWKS_SECONDS = 3600.0
JWKS_PAUSE_SECONDS = 10.0
LEEWAY_SECONDS = 5
BELIEVED_SECONDS = 60.0
BELIEVED_TOKENS = 1000
_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
LONGEST_TOKEN = 8192


class TokenInvalid(Exception):
    """The token does not hold; `reason` is for metrics, never for the caller."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Principal:
    """Who asks, as the token says. Resources are checked against it; a foreign one is answered 404."""

    sub: str
    role: str
    scopes: frozenset[str]
    client: str
    """The organisation on whose behalf the caller acts: part of the claim of an Idempotency-Key."""
    org_numbers: frozenset[str] = frozenset()
    intermediary: str | None = None
    municipality: str | None = None
    candidate_id: str | None = None
    persona: str | None = None
    """Development only: whom the login page names."""

    def acts_for(self, org_number: str) -> bool:
        """Whether the caller may act for this employer."""
        return org_number in self.org_numbers

    def is_of(self, intermediary: str | None) -> bool:
        """Whether the caller works at this intermediary."""
        return intermediary is not None and self.intermediary == intermediary

    def is_candidate(self, candidate_id: str) -> bool:
        """Whether the caller is this candidate."""
        return self.candidate_id == candidate_id


class KeySource(Protocol):
    """The keys of the issuer."""

    async def keys(self, *, anew: bool = False) -> KeySet:
        """The keys; `anew`: a token names one that is not among them. Raises DependencyDown."""
        ...


class FixedKeys:
    """The development issuer's keys."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def keys(self, *, anew: bool = False) -> KeySet:  # noqa: ARG002 - they never change
        return self._keys


class FetchedKeys:
    """The issuer's JWKS: fetched when first needed, each hour, and when a token names an unknown key."""

    def __init__(self, url: str, *, client: httpx.AsyncClient | None = None) -> None:
        self._url = url
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT)
        self._lock = asyncio.Lock()
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")

    async def keys(self, *, anew: bool = False) -> KeySet:
        if self._keys is not None and not anew and monotonic() - self._fetched < JWKS_SECONDS:
            return self._keys
        async with self._lock:
            # Whoever sends made-up key ids must not make us ask the issuer for each of them.
            if monotonic() - self._tried >= JWKS_PAUSE_SECONDS:
                self._tried = monotonic()
                await self._fetch()
            if self._keys is None:
                raise DependencyDown(f"the token issuer's keys at {self._url} cannot be read: see DUGNAD_JWKS_URL")
            return self._keys

    async def _fetch(self) -> None:
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            self._keys = KeySet.import_key_set(answer.json())
            self._fetched = monotonic()
        except (httpx.HTTPError, ValueError, KeyError, TypeError, JoseError):
            # Keys known from before go on being used: an issuer that is down for an hour must not lock everybody out.
            TOKENS_REFUSED.labels("jwks_unreadable").inc()


class TokenChecker:
    """Checks tokens: signature, algorithm, issuer, audience, time and the claims that a principal needs."""

    def __init__(self, settings: Settings, source: KeySource | None = None) -> None:
        if source is None and settings.environment == "production":
            assert settings.jwks_url is not None, "Settings refuses production without it"
            source = FetchedKeys(settings.jwks_url)
        self._source = source or FixedKeys(DevIssuer(settings).keys)
        self._issuer, self._audience = settings.issuer, settings.audience
        self._believed: OrderedDict[str, tuple[float, float, Principal]] = OrderedDict()

    async def check(self, token: str) -> Principal:
        """The principal of a token. Raises TokenInvalid, or DependencyDown where the issuer's keys cannot be read."""
        known = self._believed.get(token)
        if known is not None and monotonic() < known[0] and machine_now().timestamp() < known[1]:
            return known[2]
        try:
            claims = await self._claims(token)
            principal = _principal(claims)
        except TokenInvalid as invalid:
            self._believed.pop(token, None)
            TOKENS_REFUSED.labels(invalid.reason).inc()
            raise
        # Not longer than a minute: a key that the issuer has taken back must not go on being believed.
        self._believed[token] = (monotonic() + BELIEVED_SECONDS, float(claims["exp"]), principal)
        while len(self._believed) > BELIEVED_TOKENS:
            self._believed.popitem(last=False)
        return principal

    async def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise TokenInvalid("malformed")
        for anew in (False, True):
            keys = await self._source.keys(anew=anew)
            try:
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
                self._in_force().validate(claims)
            except InvalidKeyIdError:
                # The issuer may have taken a new key into use.
                continue
            except (ValueError, RecursionError) as error:
                raise TokenInvalid("malformed") from error
            except JoseError as error:
                raise TokenInvalid(error.error) from error
            return claims
        raise TokenInvalid("key_unknown")

    def _in_force(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(machine_now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )


def _principal(claims: Mapping[str, Any]) -> Principal:
    consumer = claims.get("consumer")
    organisation = consumer.get("ID") if isinstance(consumer, Mapping) else None
    try:
        return Principal(
            sub=_text(claims, "sub") or _missing("sub"),
            role=_text(claims, "role") or "unknown",
            scopes=frozenset((_text(claims, "scope") or "").split()),
            # Maskinporten names the organisation as `consumer`; others by the client's own id.
            client=_text(claims, "client") or organisation or _text(claims, "client_id") or _text(claims, "sub") or "",
            org_numbers=frozenset(str(number) for number in claims.get("org_numbers") or ()),
            intermediary=_text(claims, "intermediary"),
            municipality=_text(claims, "municipality"),
            candidate_id=_text(claims, "candidate_id"),
            persona=_text(claims, "persona"),
        )
    except TypeError as error:
        raise TokenInvalid("claims") from error


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise TokenInvalid("claims")
    return value


def _missing(name: str) -> str:
    raise TokenInvalid(f"{name}_missing")


class ServiceTokens:
    """A service's own token for calling another service: minted in development, by client credentials otherwise."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        *,
        client: httpx.AsyncClient | None = None,
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        self._service, self._elapsed = service, elapsed
        self._issuer = DevIssuer(settings) if settings.environment == "development" else None
        if self._issuer is None and (
            settings.token_url is None or settings.client_id is None or settings.client_secret is None
        ):
            raise ValueError("set DUGNAD_TOKEN_URL, DUGNAD_CLIENT_ID and DUGNAD_CLIENT_SECRET to call other services")
        self._settings = settings
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT)
        self._held: dict[str, tuple[float, str]] = {}

    async def token(self, audience: str | None = None) -> str:
        """A token that holds for at least half a minute more. Raises DependencyDown."""
        audience = audience or self._settings.audience
        until, token = self._held.get(audience, (float("-inf"), ""))
        if until - self._elapsed() > 30:
            return token
        asked = self._elapsed()
        token, seconds = await self._new(audience)
        self._held[audience] = (asked + seconds, token)
        return token

    async def _new(self, audience: str) -> tuple[str, float]:
        if self._issuer is not None:
            return self._issuer.token(self._service, seconds=600), 600.0
        secret = self._settings.client_secret
        assert secret is not None, "checked at construction"
        assert self._settings.token_url is not None, "checked at construction"
        form = {"grant_type": "client_credentials", "audience": audience}
        try:
            answer = await self._client.post(
                self._settings.token_url, data=form, auth=(self._settings.client_id or "", secret.get_secret_value())
            )
            answer.raise_for_status()
            granted = answer.json()
            return str(granted["access_token"]), float(granted.get("expires_in", 60))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            where = self._settings.token_url
            raise DependencyDown(f"no token for {self._service} from {where}: see DUGNAD_TOKEN_URL") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
