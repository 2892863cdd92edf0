"""What an endpoint may ask for, as aliases that read like words in its signature.

All of it is `async`, whether it waits for something or not: FastAPI would call a plain function in a thread.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request, Response

from app.config import Settings
from app.database.database import Database
from app.database.reader import Reader
from app.database.unit_of_work import UnitOfWork
from app.repositories.base import Page
from app.schemas.page import PageQuery
from app.services.accounts import AccountService
from app.services.audit import MAX_USER_AGENT, AuditLog, Origin
from app.services.email_proofs import EmailProofService
from app.services.invitations import InvitationService
from app.services.joining import JoiningService
from app.services.members import MemberService
from app.services.own_account import OwnAccountService
from app.services.sessions import SessionService
from app.services.workspaces import WorkspaceService
from app.shutdown import Shutdown
from app.throttling import Throttle, Throttling


async def get_app_settings(request: Request) -> Settings:
    """The settings that the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


async def get_shutdown(request: Request) -> Shutdown:
    """Whether the end of this process was announced."""
    shutdown: Shutdown = request.app.state.shutdown
    return shutdown


async def get_throttle(request: Request) -> Throttle:
    """What the client of this request may still try."""
    throttling: Throttling = request.app.state.throttling
    return throttling.of(request.client.host if request.client else "")


AppSettings = Annotated[Settings, Depends(get_app_settings)]
AppShutdown = Annotated[Shutdown, Depends(get_shutdown)]
ClientThrottle = Annotated[Throttle, Depends(get_throttle)]


async def get_unit_of_work(request: Request) -> AsyncIterator[UnitOfWork]:
    """One transaction for the request."""
    database: Database = request.app.state.database
    async with database.unit_of_work() as uow:
        yield uow


async def get_reader(request: Request) -> Reader:
    """Reads without a transaction. A replica may answer them, a moment behind."""
    database: Database = request.app.state.database
    return database.reader()


async def get_fresh_reader(request: Request) -> Reader:
    """Reads without a transaction that see every commit: for what decides who may do what."""
    database: Database = request.app.state.database
    return database.reader().fresh()


# scope="function": the commit comes before the answer. With the default scope it comes after,
# and a commit that fails has been answered with 200.
Uow = Annotated[UnitOfWork, Depends(get_unit_of_work, scope="function")]
Reads = Annotated[Reader, Depends(get_reader)]
FreshReads = Annotated[Reader, Depends(get_fresh_reader)]


async def get_audit_log(request: Request, uow: Uow) -> AuditLog:
    """The audit log, which knows where the request comes from. What it records is part of the transaction."""
    origin = Origin(
        address=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "").replace("\0", "")[:MAX_USER_AGENT],
        request_id=request.state.request_id,
    )
    return AuditLog(uow, origin)


Audit = Annotated[AuditLog, Depends(get_audit_log)]


async def get_account_service(uow: Uow, reader: FreshReads, settings: AppSettings, audit: Audit) -> AccountService:
    """Accounts, in the request's transaction."""
    return AccountService(uow, reader, settings, audit)


async def get_own_account_service(uow: Uow, settings: AppSettings, audit: Audit) -> OwnAccountService:
    """The caller's own account, in the request's transaction."""
    return OwnAccountService(uow, settings, audit)


async def get_email_proof_service(
    uow: Uow, reader: FreshReads, settings: AppSettings, audit: Audit
) -> EmailProofService:
    """What tokens from mails are good for, in the request's transaction."""
    return EmailProofService(uow, reader, settings, audit)


async def get_session_service(uow: Uow, settings: AppSettings, audit: Audit) -> SessionService:
    """Sessions, in the request's transaction."""
    return SessionService(uow, settings, audit)


async def get_workspace_service(uow: Uow, settings: AppSettings, audit: Audit) -> WorkspaceService:
    """Workspaces and who is in them, in the request's transaction."""
    return WorkspaceService(uow, settings, audit)


async def get_member_service(uow: Uow, audit: Audit) -> MemberService:
    """Who is in a workspace, in the request's transaction."""
    return MemberService(uow, audit)


async def get_invitation_service(uow: Uow, settings: AppSettings, audit: Audit) -> InvitationService:
    """Invitations, in the request's transaction."""
    return InvitationService(uow, settings, audit)


async def get_joining_service(uow: Uow, reader: FreshReads, settings: AppSettings, audit: Audit) -> JoiningService:
    """Accepting them, in the request's transaction."""
    return JoiningService(uow, reader, settings, audit)


Accounts = Annotated[AccountService, Depends(get_account_service)]
OwnAccount = Annotated[OwnAccountService, Depends(get_own_account_service)]
EmailProofs = Annotated[EmailProofService, Depends(get_email_proof_service)]
Sessions = Annotated[SessionService, Depends(get_session_service)]
Workspaces = Annotated[WorkspaceService, Depends(get_workspace_service)]
Members = Annotated[MemberService, Depends(get_member_service)]
Invitations = Annotated[InvitationService, Depends(get_invitation_service)]
Joining = Annotated[JoiningService, Depends(get_joining_service)]

# A key in a path: what fits into PostgreSQL's bigint.
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `ETag` that the row was read with: if the row has changed since, nothing is done",
    ),
]


async def get_expected_versions(if_match: IfMatch = None) -> frozenset[str] | None:
    """The versions of which one has to be current (RFC 9110, section 13.1.1); None when any will do.

    A proxy that compresses makes `W/"1"` of `"1"`: it is the same version to us.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(","))


# Of an `If-Match` header.
Expected = Annotated[frozenset[str] | None, Depends(get_expected_versions)]


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


async def get_page_links(request: Request, response: Response) -> PageLinks:
    """Where a list goes on, in the answer to this request."""
    return PageLinks(request, response)


Links = Annotated[PageLinks, Depends(get_page_links)]
