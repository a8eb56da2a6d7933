"""Login, sessions and pages, as a browser without JavaScript meets them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
from starlette.responses import Response

from chassis.decisions import Answer, Done
from chassis.respond import respond_page
from chassis.sessions import Sessions, local_path
from tests.webapp import OWN, StillService, browser, settings, thing_app, token

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "nb"}


def hidden(page: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert match is not None, f"no field {name}"
    return match[1]


async def log_in(client: httpx.AsyncClient, persona: str = "employer-lier", **more: str) -> httpx.Response:
    return await client.post("/login", data={"persona": persona, **more}, headers=BROWSER)


async def test_a_page_sends_whoever_is_not_logged_in_to_the_login_and_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/?year=2017", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F%3Fyear%3D2017")
    page = await client.get(answer.headers["location"], headers=BROWSER)
    assert hidden(page.text, "next") == "/?year=2017"
    answer = await log_in(client, next=hidden(page.text, "next"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/?year=2017")
    page = await client.get(answer.headers["location"], headers=BROWSER)
    assert page.status_code == 200
    assert "Logget inn som Arbeidsgiver: Mester Grønn i Lier" in page.text


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client: httpx.AsyncClient) -> None:
    cookie = (await log_in(client)).headers["set-cookie"]
    assert cookie.startswith("dugnad_session=")
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=3600"):
        assert attribute in cookie
    assert "Secure" not in cookie


def test_the_session_cookie_is_secure_in_production() -> None:
    given = settings(environment="production", dev_issuer_key=None, jwks_url="http://x", session_secret="s")
    response = Response()
    Sessions(given).begin(response, "t", 60)
    assert response.headers["set-cookie"].startswith("__Host-dugnad=t;")
    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize("production", [True, False])
async def test_how_far_a_log_has_come_is_told_by_the_rule_of_the_session_cookie(production: bool) -> None:
    more = {"environment": "production", "dev_issuer_key": None, "jwks_url": "http://x", "session_secret": "s"}
    app = thing_app(StillService(settings(**(more if production else {}))))
    done = Done(Answer({}, "/", "thing:1"), version=1, commit_id="c", position=7, repeated=False, source="intake~2")

    @app.get("/redirected")
    async def redirected() -> Response:
        return respond_page("/", done)

    async with browser(app) as client:
        cookie = (await client.get("/redirected")).headers["set-cookie"]
    assert cookie.startswith("dugnad_seen_intake=intake~2:7;")
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=60"):
        assert attribute in cookie
    assert ("Secure" in cookie) is production


async def test_the_login_shows_every_persona_but_no_service(client: httpx.AsyncClient) -> None:
    page = (await client.get("/login", headers=BROWSER)).text
    shown = re.findall(r'name="persona" value="([^"]+)"', page)
    assert shown == [
        "employer-lier",
        "employer-nav",
        "counsellor-nav",
        "counsellor-refugee-service",
        "counsellor-adult-education",
        "decision-maker",
        "candidate",
        "analyst",
        "operator",
    ]


@pytest.mark.parametrize("persona", ["", "king", "followup"])
async def test_a_login_as_nobody_shows_the_form_again_with_what_is_missing(
    client: httpx.AsyncClient, persona: str
) -> None:
    answer = await log_in(client, persona)
    assert answer.status_code == 422
    assert 'href="#persona">Hvem er du: Feltet mangler.' in answer.text
    assert "set-cookie" not in answer.headers


async def test_a_candidate_says_which_one(client: httpx.AsyncClient) -> None:
    answer = await log_in(client, "candidate")
    assert answer.status_code == 422
    assert 'aria-describedby="candidate_id-hint candidate_id-error" aria-invalid="true"' in answer.text
    assert (await log_in(client, "candidate", candidate_id=OWN)).status_code == 303
    short = await log_in(client, "candidate", candidate_id=OWN[-6:])
    assert (short.status_code, "Den står sist i adressen til kandidatens side" in short.text) == (422, True)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "evil",
        "/a\r\nb",
        "",
        "javascript:alert(1)",
        "/\t/x",
    ],
)
async def test_a_login_never_leads_to_another_host(client: httpx.AsyncClient, target: str) -> None:
    assert (await log_in(client, next=target)).headers["location"] == "/"
    assert local_path(target) == "/"
    assert local_path("/a?b=//c") == "/a?b=//c"


async def test_a_login_from_another_site_is_refused(client: httpx.AsyncClient) -> None:
    for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = await client.post("/login", data={"persona": "operator"}, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


async def test_a_form_needs_the_token_of_its_session(client: httpx.AsyncClient, service: StillService) -> None:
    await log_in(client)
    page = (await client.get("/", headers=BROWSER)).text
    csrf = hidden(page, "csrf_token")
    for wrong in ({}, {"csrf_token": ""}, {"csrf_token": "æ"}, {"csrf_token": csrf[:-1] + "x"}):
        answer = await client.post("/form", data={"title": "a", "idempotency_key": "k", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert service.seen == []
    good = {"title": "a", "idempotency_key": "k", "csrf_token": csrf, "version": "4"}
    answer = await client.post("/form", data=good)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    title, context = service.seen[0]
    assert (title, context.if_match) == ("a", 4)
    assert csrf.encode() not in context.body


async def test_the_form_token_of_another_session_does_not_hold(client: httpx.AsyncClient) -> None:
    await log_in(client)
    sessions = Sessions(settings())
    other = sessions.csrf_token(token("operator"))
    answer = await client.post("/form", data={"idempotency_key": "k", "csrf_token": other})
    assert answer.status_code == 403


async def test_the_api_takes_a_cookie_only_with_the_form_token(client: httpx.AsyncClient) -> None:
    await log_in(client)
    key = {"Idempotency-Key": "k"}
    assert (await client.get("/things")).status_code == 200
    assert (await client.post("/things", json={"title": "a"}, headers=key)).status_code == 403
    csrf = Sessions(settings()).csrf_token(client.cookies["dugnad_session"])
    sent = {**key, "X-CSRF-Token": csrf}
    assert (await client.post("/things", json={"title": "a"}, headers=sent)).status_code == 201
    cross = {**sent, "Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/things", json={"title": "a"}, headers=cross)).status_code == 403


async def test_a_form_without_its_key_is_400(client: httpx.AsyncClient) -> None:
    sent = {"Authorization": f"Bearer {token()}"}
    answer = await client.post("/form", data={"title": "a"}, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


async def test_a_page_takes_forms_and_no_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/form", json={"title": "a"}, headers={"Authorization": f"Bearer {token()}"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_logging_out_ends_the_session(client: httpx.AsyncClient) -> None:
    await log_in(client)
    page = (await client.get("/", headers=BROWSER)).text
    assert (await client.post("/logout", data={})).status_code == 403
    answer = await client.post("/logout", data={"csrf_token": hidden(page, "csrf_token")})
    assert answer.status_code == 303
    assert (await client.get("/", headers=BROWSER)).headers["location"].startswith("/login")


async def test_an_expired_session_leads_to_the_login_again(client: httpx.AsyncClient) -> None:
    client.cookies.set("dugnad_session", "a.b.c")
    assert (await client.get("/", headers=BROWSER)).headers["location"] == "/login?next=%2F"
    assert (await client.get("/docs", headers=BROWSER)).status_code == 200


async def test_production_offers_no_personas_and_says_whose_tokens_it_takes() -> None:
    given = settings(environment="production", dev_issuer_key=None, jwks_url="http://127.0.0.1:1/jwks")
    async with browser(thing_app(StillService(given))) as client:
        page = await client.get("/login", headers=BROWSER)
        assert page.status_code == 404
        assert given.issuer in page.text
        assert "employer-lier" not in page.text
        answer = await client.post("/login", data={"persona": "operator"})
        assert (answer.status_code, answer.json()["code"]) == (404, "login_unavailable")


async def test_the_reader_chooses_the_language_once(client: httpx.AsyncClient) -> None:
    page = await client.get("/login", headers=BROWSER)
    assert '<html lang="nb">' in page.text
    answer = await client.get("/language/en?next=/login", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    page = await client.get("/login", headers=BROWSER)
    assert '<html lang="en">' in page.text
    assert page.headers["content-language"] == "en"
    assert (await client.get("/language/de")).status_code == 404


async def test_pages_run_no_scripts_and_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs", headers=BROWSER)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "<script" not in page.text
    assert " style=" not in page.text
    for address in re.findall(r'<(?!a )[a-z]+ [^>]*(?:src|href|action)="([^"]+)"', page.text):
        assert address.startswith(("/", "#")), address
    sheet = await client.get("/static/dugnad.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert (await client.get("/static/nothing.css")).json()["code"] == "not_found"
    assert (await client.get("/static/..%2fweb.py")).status_code == 404


class Outline(HTMLParser):
    """What assistive technology needs of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.inputs: list[str] = []
        self.labels: set[str] = set()
        self.tables: list[list[str]] = []
        self.unscoped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.inputs.append(str(given.get("id")))
        if tag == "label":
            self.labels.add(str(given.get("for")))
        if tag == "table":
            self.tables.append([])
        elif self.tables and tag in ("caption", "th"):
            self.tables[-1].append(tag)
        if tag == "th" and given.get("scope") not in ("col", "row"):
            self.unscoped += 1


@pytest.mark.parametrize("path", ["/login", "/docs", "/nowhere"])
async def test_a_page_has_a_heading_a_main_part_labels_captions_and_scopes(
    client: httpx.AsyncClient, path: str
) -> None:
    page = (await client.get(path, headers=BROWSER)).text
    outline = Outline()
    outline.feed(page)
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("main") == 1
    assert '<a class="skip" href="#main">Hopp til innholdet</a>' in page
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.inputs) <= outline.labels
    assert outline.unscoped == 0
    assert all(table[0] == "caption" for table in outline.tables)


async def test_an_error_in_a_browser_is_a_page_with_what_to_do(client: httpx.AsyncClient) -> None:
    page = await client.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>Finnes ikke</h1>" in page.text
    assert page.headers["x-request-id"] in page.text


async def test_pages_escape_what_they_show(client: httpx.AsyncClient) -> None:
    await log_in(client)
    page = (await client.get('/?"><b>', headers=BROWSER)).text
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


async def test_the_api_is_described_with_scopes_headers_and_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    post = document["paths"]["/things/{thing_id}/withdrawal"]["post"]
    assert post["security"] == [{"bearer": ["needs:write"]}]
    required = {parameter["name"] for parameter in post["parameters"] if parameter["required"]}
    assert required == {"thing_id", "Idempotency-Key", "If-Match"}
    for status in ("400", "401", "403", "404", "409", "413", "415", "422", "428", "503"):
        content = post["responses"][status]["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "/login" not in document["paths"]
    assert document["paths"]["/dev/clock"]["get"]["security"] == []


async def test_the_description_for_people_names_every_route_field_and_scope(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs", headers=BROWSER)).text
    for wanted in ("POST /things", "/things/{thing_id}/withdrawal", "needs:write", "hours_per_week", "Idempotency-Key"):
        assert wanted in page
    assert 'href="#type-Slot"' in page
    assert 'id="type-Slot"' in page


async def test_in_development_every_page_leads_to_the_pages_of_all_services(client: httpx.AsyncClient) -> None:
    page = (await client.get("/login", headers=BROWSER)).text
    for url, words in (("8101", "Behov"), ("8102", "Kobling"), ("8103", "Oppfølging"), ("8104", "Rapporter")):
        assert f'<a href="http://127.0.0.1:{url}/">{words}</a>' in page


async def test_who_may_not_read_tables_is_not_led_to_them(client: httpx.AsyncClient) -> None:
    await log_in(client)
    assert "Rapporter</a>" not in (await client.get("/", headers=BROWSER)).text
    await log_in(client, "analyst")
    assert "Rapporter</a>" in (await client.get("/docs", headers=BROWSER)).text


async def test_in_production_no_page_shows_addresses_within_the_cluster() -> None:
    given = settings(environment="production", dev_issuer_key=None, jwks_url="http://127.0.0.1:1/jwks")
    async with browser(thing_app(StillService(given))) as client:
        assert "127.0.0.1:8102" not in (await client.get("/docs", headers=BROWSER)).text


async def test_the_unexpected_is_a_page_for_a_browser(client: httpx.AsyncClient) -> None:
    await log_in(client)
    answer = await client.get("/broken", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "<h1>Noe gikk galt hos oss</h1>" in answer.text
    assert "Kari" not in answer.text


async def test_whoever_lacks_a_scope_is_led_to_another_role(client: httpx.AsyncClient) -> None:
    await log_in(client, "operator")
    answer = await client.get("/things/x?a=1", headers=BROWSER)
    assert answer.status_code == 403
    assert '<a href="/login?next=/things/x%3Fa%3D1">Logg inn i en annen rolle</a>' in answer.text
