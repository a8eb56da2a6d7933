"""Puts matching together: the only place that knows its concrete parts.

Invariant: every command, also those of reactions, goes through the one runner that knows the trials.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from fastapi import FastAPI

from chassis.auth import ServiceTokens
from chassis.keyring import Keyring, RemoteKeyring
from chassis.pages import Pages
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app as create_web_app
from contracts.matching import SOURCE, TOPIC, MatchingEvent
from services.matching import api, pages
from services.matching.core import Matching
from services.matching.reactions import REACTIONS
from services.matching.trials import MatchingService
from services.matching.views import PROJECTIONS

HERE = Path(__file__).parent


def create_matching(settings: Settings, keyring: Keyring | None = None) -> Matching:
    """The service without its web app; nothing connects yet. `keyring` replaces intake's in tests."""
    service = MatchingService("matching", settings)
    keyring = keyring or RemoteKeyring(settings.intake_url, ServiceTokens(settings, "matching"))
    log = service.log(SOURCE, TOPIC, get_args(MatchingEvent), keyring)
    for projection in PROJECTIONS:
        service.add_projection(projection)
    for reaction in REACTIONS:
        service.add_reaction(log, reaction)
    return Matching(service, log)


def create_app(settings: Settings) -> FastAPI:
    """Matching's web app; its lifespan starts and stops the service."""
    return web_app(create_matching(settings))


def web_app(matching: Matching) -> FastAPI:
    """The web app of a service that has been put together."""
    texts = Texts(HERE / "texts")
    return create_web_app(
        matching.service,
        routers=[api.needs_router(matching), api.matches_router(matching), pages.router(matching)],
        texts=texts,
        title="Dugnad: matching",
        description="The pool of ready candidates, ranking with reasons, ask, present, answer, confirm.",
        pages=Pages(texts, HERE / "templates"),
    )
