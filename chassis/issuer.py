"""The development issuer and its personas: tokens for trying things out, made in the process itself.

Invariant: it cannot be constructed in production. Every process derives the same key, so no further process is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from chassis.clock import machine_now
from chassis.ids import new_id
from chassis.settings import Settings
from contracts.vocabulary import Intermediary

ALGORITHM = "Ed25519"
KEY_ID = "dugnad-development"
TOKEN_SECONDS = 3600
MESTER_GRONN = "315486890"
"""Synthetic (begins with 3) and valid modulo 11: the florist of the Lier case."""
NAV_DIRECTORATE = "311122339"
"""Synthetic and valid modulo 11: the employer of the NAV case."""
LIER = "3312"


class NotInProduction(Exception):
    """Something for development was asked for in production. The message says what to set instead."""


class PersonaUnknown(Exception):
    """No such persona."""


class CandidateMissing(Exception):
    """The candidate's persona needs a candidate id."""


@dataclass(frozen=True)
class Persona:
    """Who a development token is for; `client` is the organisation on whose behalf it acts."""

    name: str
    role: str
    client: str
    scopes: tuple[str, ...]
    org_numbers: tuple[str, ...] = ()
    intermediary: Intermediary | None = None
    municipality: str | None = None

    @property
    def is_service(self) -> bool:
        """A service's own client, which nobody logs in as."""
        return self.role == "service"


_EMPLOYER = (
    "needs:write",
    "needs:read",
    "matches:read",
    "matches:respond",
    "agreements:approve",
    "trials:write",
    "cases:read",
    "workforce:write",
)
_COUNSELLOR = (
    "needs:read",
    "candidates:write",
    "candidates:read",
    "matches:write",
    "matches:read",
    "agreements:write",
    "agreements:approve",
    "trials:write",
    "cases:read",
    "background:write",
    "names:read",
)
_DECISION_MAKER = ("needs:read", "matches:read", "cases:read", "agreements:approve", "agreements:decide")
_CANDIDATE = ("candidates:answer", "matches:read", "agreements:approve", "cases:read", "background:write")


def _employer(name: str, org_number: str) -> Persona:
    return Persona(name, "employer", f"org:{org_number}", _EMPLOYER, org_numbers=(org_number,))


def _counsellor(name: str, intermediary: Intermediary, municipality: str | None = None) -> Persona:
    client = f"intermediary:{intermediary.value}" + (f":{municipality}" if municipality else "")
    return Persona(name, "counsellor", client, _COUNSELLOR, intermediary=intermediary, municipality=municipality)


def _service(name: str, *scopes: str) -> Persona:
    return Persona(name, "service", f"service:{name}", scopes)


_ALL = (
    _employer("employer-lier", MESTER_GRONN),
    _employer("employer-nav", NAV_DIRECTORATE),
    _counsellor("counsellor-nav", Intermediary.NAV),
    _counsellor("counsellor-refugee-service", Intermediary.REFUGEE_SERVICE, LIER),
    _counsellor("counsellor-adult-education", Intermediary.ADULT_EDUCATION),
    Persona("decision-maker", "decision_maker", "intermediary:nav", _DECISION_MAKER, intermediary=Intermediary.NAV),
    Persona("candidate", "candidate", "candidate", _CANDIDATE),
    Persona("analyst", "analyst", "analyst", ("tables:read",)),
    Persona("operator", "operator", "operator", ("operate", "audit:read")),
    _service("intake"),
    _service("matching", "keys:read", "eligibility:read", "names:read"),
    _service("followup", "keys:read", "eligibility:read", "names:read"),
    _service("reporting", "keys:read", "employers:read"),
)
PERSONAS: Mapping[str, Persona] = MappingProxyType({persona.name: persona for persona in _ALL})


class DevIssuer:
    """Signs tokens with a key derived from `DUGNAD_DEV_ISSUER_KEY` (Ed25519)."""

    def __init__(self, settings: Settings) -> None:
        if settings.environment == "production":
            raise NotInProduction(
                "the development issuer does not run in production: set DUGNAD_JWKS_URL to the keys of your issuer"
            )
        if settings.dev_issuer_key is None or not settings.dev_issuer_key.get_secret_value():
            raise NotInProduction(
                "DUGNAD_DEV_ISSUER_KEY is missing: set it to any text, the same for all services of this system"
            )
        seed = hashlib.sha256(b"dugnad development issuer\0" + settings.dev_issuer_key.get_secret_value().encode())
        private = Ed25519PrivateKey.from_private_bytes(seed.digest())
        self._key = OKPKey.import_key(private, {"kid": KEY_ID, "alg": ALGORITHM, "use": "sig"})
        self._settings = settings

    @property
    def keys(self) -> KeySet:
        """The public keys, as a JWKS would give them."""
        public = OKPKey.import_key(self._key.public_key, {"kid": KEY_ID, "alg": ALGORITHM, "use": "sig"})
        return KeySet([public])

    def token(self, persona: str, candidate_id: str | None = None, *, seconds: int = TOKEN_SECONDS) -> str:
        """A token for a persona. Raises PersonaUnknown, or CandidateMissing for a candidate without an id."""
        if persona not in PERSONAS:
            raise PersonaUnknown(persona)
        who = PERSONAS[persona]
        sub, client = f"persona:{persona}", who.client
        if who.role == "candidate":
            if candidate_id is None:
                raise CandidateMissing(persona)
            # Two candidates must not share one subject: the four-eyes rule and Idempotency-Key would mix them up.
            sub = client = f"candidate:{candidate_id}"
        now = int(machine_now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._settings.issuer,
            "aud": self._settings.audience,
            "sub": sub,
            "iat": now,
            "exp": now + seconds,
            "jti": new_id(),
            "scope": " ".join(who.scopes),
            "role": who.role,
            "client": client,
            "persona": persona,
            "org_numbers": list(who.org_numbers),
        }
        if who.intermediary is not None:
            claims["intermediary"] = who.intermediary.value
        if who.municipality is not None:
            claims["municipality"] = who.municipality
        if who.role == "candidate":
            claims["candidate_id"] = candidate_id
        return jwt.encode({"alg": ALGORITHM, "kid": KEY_ID}, claims, self._key, algorithms=[ALGORITHM])
