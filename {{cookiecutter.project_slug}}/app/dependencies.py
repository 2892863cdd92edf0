"""What an endpoint may ask for, as aliases that read like words in its signature."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response

from app.config import Settings
from app.database import Database, Reader, UnitOfWork
from app.repositories.base import Page
from app.schemas.page import PageQuery


def get_app_settings(request: Request) -> Settings:
    """The settings that the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


def get_database(request: Request) -> Database:
    """The database that the lifespan has opened."""
    database: Database = request.app.state.database
    return database


AppSettings = Annotated[Settings, Depends(get_app_settings)]
AppDatabase = Annotated[Database, Depends(get_database)]


async def get_unit_of_work(database: AppDatabase) -> AsyncIterator[UnitOfWork]:
    """One transaction for the request."""
    async with database.unit_of_work() as uow:
        yield uow


def get_reader(database: AppDatabase) -> Reader:
    """Reads without a transaction."""
    return database.reader()


# scope="function": the commit comes before the answer. With the default scope it comes after,
# and a commit that fails has been answered with 200.
Uow = Annotated[UnitOfWork, Depends(get_unit_of_work, scope="function")]
Reads = Annotated[Reader, Depends(get_reader)]

# A key in a path: what fits into PostgreSQL's bigint.
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


class PageLinks:
    """Tells the client where the list goes on (RFC 8288)."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def announce(self, page: Page[Any], query: PageQuery) -> None:
        """Set `Link: <…>; rel="next"` if there is more.

        The address is relative, so that it is right behind every proxy.
        """
        if page.has_more:
            following = self._request.url.include_query_params(skip=query.skip + query.limit)
            self._response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'


Links = Annotated[PageLinks, Depends()]
