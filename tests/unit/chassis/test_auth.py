"""Who is believed, and what they may do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey
from stdnum.no import orgnr

from chassis import tokens
from chassis.auth import SCOPES, require
from chassis.clock import machine_now
from chassis.errors import DependencyDown
from chassis.issuer import MESTER_GRONN, NAV_DIRECTORATE, PERSONAS, DevIssuer, NotInProduction
from chassis.settings import Settings
from chassis.tokens import FetchedKeys, FixedKeys, ServiceTokens, TokenChecker, TokenInvalid
from contracts.vocabulary import Intermediary
from tests.webapp import OWN, StillService, browser, headers, settings, thing_app, token


def production(**more: Any) -> Settings:
    return settings(environment="production", dev_issuer_key=None, jwks_url="http://issuer.test/jwks", **more)


def claims(**more: Any) -> dict[str, Any]:
    now = int(machine_now().timestamp())
    given = settings()
    return {
        "iss": given.issuer,
        "aud": given.audience,
        "sub": "s",
        "iat": now,
        "exp": now + 60,
        "scope": "needs:read needs:write",
        **more,
    }


KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256"})
PUBLIC = KeySet([ECKey.import_key(KEY.as_dict(private=False), {"kid": "one", "alg": "ES256"})])


def signed(key: Any = KEY, header: dict[str, Any] | None = None, **more: Any) -> str:
    used = {"alg": "ES256", "kid": "one"} if header is None else header
    return jwt.encode(used, claims(**more), key, algorithms=[used["alg"]])


async def test_a_token_of_the_issuer_says_who_asks() -> None:
    who = await TokenChecker(settings()).check(token("counsellor-refugee-service"))
    assert (who.role, who.intermediary, who.municipality) == ("counsellor", "refugee_service", "3312")
    assert "candidates:write" in who.scopes
    assert who.is_of(Intermediary.REFUGEE_SERVICE)
    assert not who.is_of(None)
    employer = await TokenChecker(settings()).check(token("employer-lier"))
    assert employer.acts_for(MESTER_GRONN)
    assert not employer.acts_for(NAV_DIRECTORATE)
    candidate = await TokenChecker(settings()).check(token("candidate", OWN))
    assert candidate.is_candidate(OWN)
    assert candidate.sub == f"candidate:{OWN}"


async def test_two_processes_agree_on_the_development_key_and_another_secret_does_not_hold() -> None:
    await TokenChecker(settings()).check(DevIssuer(settings()).token("analyst"))
    with pytest.raises(TokenInvalid):
        await TokenChecker(settings()).check(token("analyst", dev_issuer_key="another"))


@pytest.mark.parametrize(
    "more",
    [
        {"exp": 1000},
        {"aud": "another"},
        {"iss": "https://other.example"},
        {"nbf": 9_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"scope": ["needs:read"]},
        {"org_numbers": 5},
        {"exp": "soon"},
    ],
)
async def test_a_token_with_a_wrong_claim_does_not_hold(more: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        await TokenChecker(settings(), FixedKeys(PUBLIC)).check(signed(**more))


@pytest.mark.parametrize("missing", ["exp", "aud", "iss", "sub"])
async def test_a_token_without_a_needed_claim_does_not_hold(missing: str) -> None:
    given = {name: value for name, value in claims().items() if name != missing}
    made = jwt.encode({"alg": "ES256", "kid": "one"}, given, KEY, algorithms=["ES256"])
    with pytest.raises(TokenInvalid):
        await TokenChecker(settings(), FixedKeys(PUBLIC)).check(made)


async def test_a_token_that_was_believed_a_moment_ago_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = TokenChecker(settings(), FixedKeys(PUBLIC))
    made = signed()
    assert await checker.check(made) is await checker.check(made)
    later = machine_now() + timedelta(seconds=70)
    monkeypatch.setattr(tokens, "machine_now", lambda: later)
    with pytest.raises(TokenInvalid):
        await checker.check(made)


async def test_one_of_several_audiences_is_enough() -> None:
    await TokenChecker(settings(), FixedKeys(PUBLIC)).check(signed(aud=["other", "dugnad"]))


def _unsigned() -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims())}."


def _symmetric() -> str:
    # The public key as the secret of an HMAC: believed by checkers that let the token choose the algorithm.
    key = OctKey.import_key(json.dumps(PUBLIC.as_dict()), {"kid": "one"})
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims(), key, algorithms=["HS256"])


def _changed() -> str:
    head, _, signature = signed().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(role="operator")).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize(
    "made",
    [
        _unsigned,
        _symmetric,
        _changed,
        lambda: signed(header={"alg": "ES256", "kid": "two"}),
        lambda: "a.b.c",
        lambda: "",
        lambda: "x" * 9000,
        lambda: base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.x",
    ],
    ids=["unsigned", "symmetric", "changed", "other key", "nonsense", "empty", "long", "deep"],
)
async def test_a_forged_token_does_not_hold(made: Callable[[], str]) -> None:
    with pytest.raises(TokenInvalid):
        await TokenChecker(settings(), FixedKeys(PUBLIC)).check(made())


async def test_maskinporten_names_the_organisation_as_consumer() -> None:
    checker = TokenChecker(settings(), FixedKeys(PUBLIC))
    who = await checker.check(signed(consumer={"authority": "iso6523-actorid-upis", "ID": "0192:999999999"}))
    assert who.client == "0192:999999999"
    assert (await checker.check(signed(client_id="c"))).client == "c"


class Issuer:
    """A JWKS endpoint that counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys: KeySet | None = PUBLIC

    def answer(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(500) if self.keys is None else httpx.Response(200, json=self.keys.as_dict())

    def source(self) -> FetchedKeys:
        return FetchedKeys(
            "http://issuer.test/jwks", client=httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        )


async def test_production_fetches_the_issuers_keys_once() -> None:
    issuer = Issuer()
    checker = TokenChecker(production(), issuer.source())
    for _ in range(3):
        await checker.check(signed())
    assert issuer.asked == 1


async def test_made_up_key_ids_do_not_make_us_ask_the_issuer_each_time() -> None:
    issuer = Issuer()
    checker = TokenChecker(production(), issuer.source())
    for number in range(20):
        with pytest.raises(TokenInvalid):
            await checker.check(signed(header={"alg": "ES256", "kid": f"k{number}"}))
    assert issuer.asked == 1


async def test_an_issuer_that_is_down_is_503_and_not_401() -> None:
    issuer = Issuer()
    issuer.keys = None
    with pytest.raises(DependencyDown):
        await TokenChecker(production(), issuer.source()).check(signed())
    service = StillService(production())
    app = thing_app(service)
    async with browser(app) as client:
        answer = await client.get("/things", headers={"Authorization": f"Bearer {signed()}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "issuer_unavailable")
    assert answer.headers["retry-after"] == "5"


def test_the_development_issuer_refuses_to_run_in_production_and_says_what_to_do() -> None:
    with pytest.raises(NotInProduction, match="DUGNAD_JWKS_URL"):
        DevIssuer(production())
    with pytest.raises(ValueError, match="DUGNAD_DEV_ISSUER_KEY is set in production"):
        settings(environment="production", jwks_url="http://issuer.test/jwks")
    with pytest.raises(NotInProduction, match="DUGNAD_DEV_ISSUER_KEY is missing"):
        DevIssuer(settings(dev_issuer_key=None))


async def test_production_does_not_believe_tokens_of_the_development_issuer() -> None:
    with pytest.raises(TokenInvalid):
        await TokenChecker(production(), Issuer().source()).check(token("operator"))


async def test_no_token_is_401_with_a_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="dugnad"'


@pytest.mark.parametrize("scheme", ["Basic YTpi", "Bearer", "Token x", "Bearer a.b.c"])
async def test_a_token_that_does_not_hold_is_401(client: httpx.AsyncClient, scheme: str) -> None:
    answer = await client.get("/things", headers={"Authorization": scheme})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_missing_scope_is_403_and_named(client: httpx.AsyncClient, service: StillService) -> None:
    answer = await client.post("/things", json={"title": "a"}, headers=headers("analyst"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "needs:write" in answer.json()["detail"]
    assert 'scope="needs:write"' in answer.headers["www-authenticate"]
    assert service.seen == []


async def test_whoever_may_not_is_not_told_what_is_wrong_with_the_fields(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things", json={"x": 1}, headers=headers("analyst"))).status_code == 403


def test_a_scope_that_nobody_knows_is_a_fault_of_the_code() -> None:
    with pytest.raises(ValueError, match="unknown scopes"):
        require("needs:wrote")


def test_personas_have_known_scopes_and_valid_synthetic_employers() -> None:
    assert set().union(*(persona.scopes for persona in PERSONAS.values())) <= SCOPES.keys()
    for number in (MESTER_GRONN, NAV_DIRECTORATE):
        assert orgnr.is_valid(number)
        assert number.startswith("3")
    decides = [name for name, persona in PERSONAS.items() if "agreements:decide" in persona.scopes]
    assert decides == ["decision-maker"]
    assert [
        name for name, persona in PERSONAS.items() if "keys:read" in persona.scopes and not persona.is_service
    ] == []


async def test_a_persona_gets_a_token_and_an_unknown_one_a_list(client: httpx.AsyncClient) -> None:
    answer = await client.post("/dev/token", json={"persona": "employer-lier"})
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    sent = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get("/things", headers=sent)).status_code == 200
    answer = await client.post("/dev/token", json={"persona": "king"})
    assert (answer.status_code, answer.json()["code"]) == (422, "persona_unknown")
    assert "employer-lier" in answer.json()["detail"]
    answer = await client.post("/dev/token", json={"persona": "candidate"})
    assert answer.json()["errors"][0]["pointer"] == "/candidate_id"


async def test_a_service_mints_its_own_token_in_development_and_keeps_it() -> None:
    now = [0.0]
    own = ServiceTokens(settings(), "followup", elapsed=lambda: now[0])
    first = await own.token()
    assert "names:read" in (await TokenChecker(settings()).check(first)).scopes
    now[0] = 500.0
    assert await own.token() == first
    now[0] = 575.0
    assert await own.token() != first


async def test_a_service_gets_its_token_by_client_credentials_in_production() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": f"t{len(asked)}", "expires_in": 120})

    given = production(token_url="http://issuer.test/token", client_id="followup", client_secret="s")
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    own = ServiceTokens(given, "followup", client=client)
    assert [await own.token(), await own.token()] == ["t1", "t1"]
    assert b"grant_type=client_credentials" in asked[0].content
    with pytest.raises(ValueError, match="DUGNAD_TOKEN_URL"):
        ServiceTokens(production(), "followup")


async def test_a_token_endpoint_that_is_down_is_a_missing_dependency() -> None:
    given = production(token_url="http://issuer.test/token", client_id="followup", client_secret="s")
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    with pytest.raises(DependencyDown, match="DUGNAD_TOKEN_URL"):
        await ServiceTokens(given, "followup", client=client).token()


def test_an_ed25519_key_is_what_development_signs_with() -> None:
    keys = list(DevIssuer(settings()).keys)
    assert [type(key) for key in keys] == [OKPKey]
    assert not keys[0].is_private
    assert not isinstance(keys[0].raw_value, Ed25519PrivateKey)
