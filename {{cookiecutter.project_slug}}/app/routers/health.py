"""For whoever operates the application: is the process alive, can it do its work."""

from typing import Literal

from pydantic import BaseModel
from sqlalchemy import literal, select

from app.dependencies import AppSettings, AppShutdown, FreshReads
from app.errors import Unavailable
from app.problems import documented
from app.routing import Router

router = Router(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: Literal["ok"] = "ok"


class Welcome(BaseModel):
    """Where to go from here."""

    name: str
    documentation: str = "/docs"
    openapi: str = "/openapi.json"


@router.get("/")
async def read_root(settings: AppSettings) -> Welcome:
    """Where the documentation is."""
    return Welcome(name=settings.app_name)


@router.get("/health/live")
async def live() -> Health:
    """The process answers. Asks nothing else: a database that is down is no reason to restart the application."""
    return Health()


@router.get("/health/ready", responses=documented(Unavailable))
async def ready(reader: FreshReads, shutdown: AppShutdown) -> Health:
    """The database answers, and this process is not about to end: requests may come."""
    if shutdown.begun:
        raise Unavailable("This process is about to end")
    # The replica is not asked: without it the primary answers every read.
    await reader.one_or_none(select(literal(1)))
    return Health()
