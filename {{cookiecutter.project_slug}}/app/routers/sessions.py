from typing import Annotated

from fastapi import Query, status

from app.auth.cookies import Cookies
from app.auth.dependencies import CurrentCaller, CurrentUser
from app.dependencies import FreshReads, Id, Links, Sessions
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated
from app.headers import announced
from app.models.session import UserSession
from app.problems import documented
from app.repositories.base import read_page
from app.repositories.sessions import of_user
from app.routing import Router
from app.schemas.session import SessionQuery, SessionRead

router = Router(prefix="/auth", tags=["sessions"])


@router.get("/sessions", responses=announced(200, "Link") | documented(Unauthenticated, Invalid))
async def list_sessions(
    query: Annotated[SessionQuery, Query()], caller: CurrentCaller, reader: FreshReads, links: Links
) -> list[SessionRead]:
    """Where you are logged in."""
    page = await read_page(reader, of_user(caller.user.id), UserSession, query)
    links.announce(page, query)
    listed = [SessionRead.model_validate(session) for session in page.items]
    return [session.model_copy(update={"current": session.id == caller.session_id}) for session in listed]


@router.delete(
    "/sessions/{session_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, NotFound, Invalid),
)
async def end_session(session_id: Id, user: CurrentUser, sessions: Sessions) -> None:
    """Log out somewhere else."""
    await sessions.end(session_id, user.id)


@router.post("/logout-all", status_code=status.HTTP_204_NO_CONTENT, responses=documented(Unauthenticated, Forbidden))
async def log_out_everywhere(user: CurrentUser, sessions: Sessions, cookies: Cookies) -> None:
    """Log out everywhere, here included."""
    await sessions.end_all(user.id)
    cookies.clear()
