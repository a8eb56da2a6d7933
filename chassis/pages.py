"""Pages rendered on the server, that work without JavaScript.

Invariant: every page states its language, escapes what it shows, and takes its sentences from the catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request

from chassis import formats
from chassis.formats import Language
from chassis.ids import new_id
from chassis.texts import Texts
from chassis.tokens import Principal
from chassis.webstate import Web, language_of, web_of

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
_PAGES_FOR: Mapping[str, frozenset[str]] = {
    "intake": frozenset({"needs:read", "needs:write", "candidates:write"}),
    "matching": frozenset({"matches:read"}),
    "followup": frozenset({"cases:read"}),
    "reporting": frozenset({"tables:read"}),
}
"""The services with pages, in the order of the menu, and the scopes of which a reader needs one to find anything."""
_FIRST: Mapping[str, str] = {"candidate": "matching", "decision_maker": "followup", "analyst": "reporting"}
"""Where a role begins that has nothing to begin with at intake."""


@dataclass(frozen=True)
class Link:
    """An entry of the menu; `label` is a key of the catalogue."""

    href: str
    label: str


def page_router() -> APIRouter:
    """A router for pages: forms instead of JSON, and not in the API's description."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _filter(format_value: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def in_language(context: Context, value: Any, *more: Any) -> Any:
        return format_value(value, context["language"], *more)

    return in_language


def _decimals(value: float, language: Language, places: int = 1) -> str:
    return formats.decimals(value, places, language)


class Pages:
    """Renders the templates of a service; `base.html` and `forms.html` come from the chassis.

    In a template: `t("key", name=value)` is a sentence; filters `long_date`, `percent` (`10,9 %`), `whole` (`13 000`),
    `decimals(1)`; `language`, `principal` (or None), `csrf_token`, `new_key()` for a form's idempotency key.
    """

    def __init__(self, texts: Texts, *directories: Path, menu: Sequence[Link] = ()) -> None:
        self._texts = texts
        self._menu = tuple(menu)
        self._environment = Environment(
            loader=FileSystemLoader([*directories, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            long_date=_filter(formats.long_date),
            percent=_filter(formats.percent),
            whole=_filter(formats.whole),
            decimals=_filter(_decimals),
            alphabetical=lambda items, attribute=None: sorted(items, key=lambda item: _alphabetical(item, attribute)),
        )

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A page in the reader's language."""
        language = language_of(request)
        web = web_of(request)
        reader = getattr(request.state, "principal", None)
        services = _services(web, reader, self._texts)
        menu = list(services.values()) or self._menu
        token = web.sessions.token(request)
        text = self._environment.get_template(template).render(
            **context,
            language=language,
            t=lambda key, **params: self._texts.say(language, key, **params),
            known=lambda key: key in self._texts,
            principal=reader,
            csrf_token=None if token is None else web.sessions.csrf_token(token),
            new_key=new_id,
            menu=menu,
            home=_home(services, menu, reader),
            service_name=web.service.name,
            here=here(request),
            here_path=request.url.path,
            request_is_get=request.method == "GET",
            here_quoted=quote(here(request), safe="/"),
        )
        return HTMLResponse(text, status_code=status, headers={"Content-Language": language, **(headers or {})})


def _services(web: Web, reader: Principal | None, texts: Texts) -> dict[str, Link]:
    """In development the way to the pages of all services, whose addresses nobody knows by heart, by their names.

    In production they are addresses within the cluster, and no link for people. Nobody is led to pages that have
    nothing for them; tables are published, so that whoever reads them finds back to them.
    """
    if web.settings.environment == "production":
        return {}
    own = web.service.name
    return {
        name: Link("/" if name == own else f"{getattr(web.settings, f'{name}_url').rstrip('/')}/", label)
        for name, scopes in _PAGES_FOR.items()
        if reader is None or name == own == "reporting" or not scopes.isdisjoint(reader.scopes)
        for label in [_label(name, reader, texts)]
    }


def _label(name: str, reader: Principal | None, texts: Texts) -> str:
    """By what the pages hold for the reader's role, where that has a word of its own."""
    of_role = f"service.{name}_{'' if reader is None else reader.role}"
    return of_role if of_role in texts else f"service.{name}"


def _home(services: Mapping[str, Link], menu: Sequence[Link], reader: Principal | None) -> str:
    """A reader's own first page: where their work is, else the first one that has something for them."""
    first = _FIRST.get("" if reader is None else reader.role)
    if first is None or not menu:
        return "/"
    return services[first].href if first in services else menu[0].href


def _alphabetical(item: Any, attribute: str | None) -> tuple[str, str]:
    if attribute is None:
        return formats.sort_key(str(item))
    return formats.sort_key(str(item[attribute] if isinstance(item, Mapping) else getattr(item, attribute)))


def here(request: Request) -> str:
    """The path and query of a page, to come back to after login or a change of language."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def wants_page(request: Request) -> bool:
    """Whether the reader is a browser that asks for a page rather than for JSON."""
    accept = request.headers.get("accept", "").lower()
    return "text/html" in accept and "application/json" not in accept and "application/problem+json" not in accept
