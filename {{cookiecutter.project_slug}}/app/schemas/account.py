"""What goes in and out where somebody proves who he is: by a password once more, or by a token from a mail."""

from app.schemas.base import Input, Output
from app.schemas.user import Email, Password


class Notice(Output):
    """What happens next, in a sentence."""

    detail: str


class PasswordChange(Input):
    current_password: str
    new_password: Password


class AccountDeletion(Input):
    password: str


class EmailVerification(Input):
    token: str


class ForgottenPassword(Input):
    email: Email


class PasswordReset(Input):
    token: str
    password: Password
