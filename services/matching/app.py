"""Puts matching together: the only place that knows its concrete parts.

Invariant: every decision, also one of a reaction, knows what followup tells of the trials that it meets.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from fastapi import FastAPI

from chassis.audit import Audit, audit_router
from chassis.auth import ServiceTokens
from chassis.keyring import Keyring, RemoteKeyring
from chassis.pages import Pages
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app as create_web_app
from contracts.matching import SOURCE, TOPIC, MatchingEvent
from services.matching import api, pages, planning
from services.matching.core import Matching, trials_in
from services.matching.names import IntakeNames, Names
from services.matching.pool import Pool
from services.matching.reactions import REACTIONS
from services.matching.sweep import keep_sweeping
from services.matching.views import PROJECTIONS

HERE = Path(__file__).parent


def create_matching(settings: Settings, keyring: Keyring | None = None, names: Names | None = None) -> Matching:
    """The service without its web app; nothing connects yet. `keyring` and `names` replace intake's in tests."""
    service = Service("matching", settings)
    tokens = ServiceTokens(settings, "matching")
    keyring = keyring or RemoteKeyring(settings.intake_url, tokens)
    names = names or IntakeNames(settings.intake_url, tokens)
    log = service.log(SOURCE, TOPIC, get_args(MatchingEvent), keyring, trials_in(service))
    for projection in PROJECTIONS:
        service.add_projection(projection)
    for reaction in REACTIONS:
        service.add_reaction(log, reaction)
    audit = Audit(service.database("matching"), "matching")
    service.prepare_with(audit.prepare)
    matching = Matching(service, log, Pool(service.view("pool")), audit, names)
    service.run_beside(lambda: keep_sweeping(matching))
    return matching


def create_app(settings: Settings) -> FastAPI:
    """Matching's web app; its lifespan starts and stops the service."""
    return web_app(create_matching(settings))


def web_app(matching: Matching) -> FastAPI:
    """The web app of a service that has been put together."""
    texts = Texts(HERE / "texts")
    return create_web_app(
        matching.service,
        routers=[
            api.needs_router(matching),
            api.matches_router(matching),
            planning.router(matching),
            audit_router(matching.audit),
            pages.router(matching),
        ],
        texts=texts,
        title="Dugnad: matching",
        description="The pool of ready candidates, ranking with reasons, ask, present, answer, confirm.",
        pages=Pages(texts, HERE / "templates"),
    )
