"""For whoever reads the mail of an address: what the tokens in there are good for."""

from fastapi import status

from app.auth.dependencies import CurrentUser
from app.dependencies import ClientThrottle, EmailProofs
from app.errors import Conflict, Forbidden, Invalid, TooManyRequests, Unauthenticated
from app.problems import documented
from app.routing import Router
from app.schemas.account import EmailVerification, ForgottenPassword, Notice, PasswordReset

router = Router(prefix="/auth", tags=["auth"])


@router.post(
    "/verify-email",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, Conflict, Invalid, TooManyRequests),
)
async def verify_email(data: EmailVerification, throttle: ClientThrottle, proofs: EmailProofs) -> None:
    """Show that the address is yours: the one that you have registered with, or the new one that you want."""
    await throttle.attempt()
    await proofs.verify_email(data.token)


@router.post(
    "/resend-verification",
    status_code=status.HTTP_202_ACCEPTED,
    responses=documented(Unauthenticated, Forbidden, Conflict, TooManyRequests),
)
async def resend_verification(user: CurrentUser, throttle: ClientThrottle, proofs: EmailProofs) -> Notice:
    """Get another mail to verify your address. The token in the one before is good for nothing then."""
    await throttle.mail_to(user.email)
    await proofs.resend_verification(user)
    return Notice(detail="A mail with a token is on its way to your address")


@router.post(
    "/forgot-password", status_code=status.HTTP_202_ACCEPTED, responses=documented(Forbidden, Invalid, TooManyRequests)
)
async def forgot_password(data: ForgottenPassword, throttle: ClientThrottle, proofs: EmailProofs) -> Notice:
    """Get a mail with a token to set another password. The answer does not tell whether the address has an account."""
    await throttle.mail_to(data.email)
    await proofs.forgot_password(data.email)
    return Notice(detail="If this address has an account, a mail with a token is on its way to it")


@router.post(
    "/reset-password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documented(Unauthenticated, Forbidden, Invalid, TooManyRequests),
)
async def reset_password(data: PasswordReset, throttle: ClientThrottle, proofs: EmailProofs) -> None:
    """Set another password with a token from a mail. You are logged out everywhere, and a mail tells you of it."""
    await throttle.attempt()
    await proofs.reset_password(data.token, data.password)
