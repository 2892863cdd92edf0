"""Applications that serve schemas which were not made for this project, on a database with their tables."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.config import Settings
from app.database.database import Database
from app.database.engine import create_engine
from app.main import create_app
from app.models.base import Declarative
from app.resources.catalog import catalog_of
from tests.databases import clone
from tests.people import People
from tests.samples.northwind import Northwind
from tests.samples.oddities import SCHEMA, Oddities
from tests.samples.pagila import VIEWS, Pagila
from tests.samples.samples import SAMPLES, Sample


@pytest.fixture(scope="session")
async def samples_template(template: str, settings: Settings, worker_id: str) -> Settings:
    """Settings that name a database with the tables of all samples, which stay empty."""
    return await _with_tables(settings, await clone(template, f"samples_{worker_id}"))


@pytest.fixture(scope="session")
async def own_samples(template: str, settings: Settings, worker_id: str) -> Settings:
    """The same for a database where commits are real."""
    return await _with_tables(settings, await clone(template, f"own_samples_{worker_id}"))


async def _with_tables(settings: Settings, dsn: str) -> Settings:
    own = settings.model_copy(update={"database_url": SecretStr(dsn)})
    engine = create_engine(own)
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        for base in (Pagila, Northwind, Oddities):
            tables = [table for table in base.metadata.sorted_tables if not table.info.get("view")]
            await connection.run_sync(base.metadata.create_all, tables=tables)
        for view in VIEWS:
            await connection.execute(text(view))
    await engine.dispose()
    return own


@pytest.fixture(scope="session")
async def engine(samples_template: Settings) -> AsyncIterator[AsyncEngine]:
    """In the place of the worker's own: what a test asks for stands on this database, too."""
    engine = create_engine(samples_template)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def served_samples(samples_template: Settings) -> dict[str, FastAPI]:
    """For each sample an application that serves it beside the blog."""
    return {name: create_app(samples_template, catalog_of(Declarative, base)) for name, base in SAMPLES.items()}


async def _sample(name: str, apps: dict[str, FastAPI], database: Database, settings: Settings) -> Sample:
    app = apps[name]
    app.state.database = database
    ada = await People(app, database, settings).join()
    return Sample(app, ada.client, SAMPLES[name])


@pytest.fixture(params=SAMPLES)
async def sample(
    request: pytest.FixtureRequest, served_samples: dict[str, FastAPI], database: Database, settings: Settings
) -> Sample:
    """Each of them in turn."""
    return await _sample(request.param, served_samples, database, settings)


@pytest.fixture
async def pagila(served_samples: dict[str, FastAPI], database: Database, settings: Settings) -> Sample:
    return await _sample("pagila", served_samples, database, settings)


@pytest.fixture
async def northwind(served_samples: dict[str, FastAPI], database: Database, settings: Settings) -> Sample:
    return await _sample("northwind", served_samples, database, settings)


@pytest.fixture
async def oddities(served_samples: dict[str, FastAPI], database: Database, settings: Settings) -> Sample:
    return await _sample("oddities", served_samples, database, settings)
