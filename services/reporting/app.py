"""The reporting service put together: the only place here that knows concrete classes."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from chassis import web
from chassis.auth import ServiceTokens
from chassis.employers import IntakeEmployers
from chassis.keyring import KeyringOfMany, RemoteKeyring
from chassis.pages import Link, Pages
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from services.reporting import api, pages, views
from services.reporting.live import LiveTables
from services.reporting.published import PublishedTables
from services.reporting.pxweb import older
from services.reporting.pxweb import router as pxweb
from services.reporting.pxweb.base import Base
from services.reporting.reading import Reading
from services.reporting.releases import ReleaseStore

HERE = Path(__file__).parent


def create_app(settings: Settings, keyring: KeyringOfMany | None = None) -> FastAPI:
    """The app of reporting. Nothing connects before its lifespan starts. Persons' keys and employers' names come from
    intake."""
    service = Service(name="reporting", settings=settings)
    for projection in views.PROJECTIONS:
        service.add_projection(projection)
    tokens = ServiceTokens(settings, "reporting")
    reading = Reading(service, keyring or RemoteKeyring(settings.intake_url, tokens))
    service.run_beside(reading.keep_counting)
    texts = Texts(HERE / "texts")
    employers = IntakeEmployers(settings.intake_url, tokens)
    live = LiveTables(reading, service.clock)
    staff = Base(live, texts, settings, pxweb.LIVE, scope="tables:read", employers=employers)
    published = PublishedTables(ReleaseStore(service.database("reporting")))
    service.also_faulty.append(published.faults)
    public = Base(published, texts, settings, pxweb.PUBLIC, scope=None)
    app = web.create_app(
        service,
        routers=[
            api.router(reading, texts),
            pages.router(reading, texts, employers),
            pxweb.router(staff),
            pxweb.router(public),
            older.router(public),
        ],
        texts=texts,
        title="Dugnad reporting",
        description="Live tables of placements and of the work force, with the definitions they were made by.",
        pages=Pages(texts, HERE / "templates", menu=[Link("/", "report.title")]),
    )
    pxweb.prepare(app)
    return app
