"""What each kind of mail says, as text and as HTML: `templates/<kind>.txt`, with the subject on its first line,
and `templates/<kind>.html`.
"""

import unicodedata
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from pathlib import Path
from typing import Any, Final

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.config import Settings
from app.mail.mail import Mail

_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
)
# Lines as long as RFC 5322 allows stay as they are: a link that is folded cannot be copied from a file.
_POLICY: Final = SMTP.clone(max_line_length=998)
# Where a token is used: the page of the front end, and the request where there is no front end.
_TURNING: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_USES: Final = {
    "verify_email": ("/verify-email", "POST /auth/verify-email"),
    "change_email": ("/change-email", "POST /auth/verify-email"),
    "reset_password": ("/reset-password", "POST /auth/reset-password"),
    "invitation": ("/accept-invitation", "POST /invitations/accept"),
}


def compose(mail: Mail, settings: Settings) -> EmailMessage:
    """The mail, ready to be sent.

    Raises `jinja2.TemplateError` for a kind that has no templates and for a context that lacks what they name.
    """
    values = _values(mail, settings)
    subject, _, text = _templates.get_template(f"{mail.kind}.txt").render(values).partition("\n")
    html = _templates.get_template(f"{mail.kind}.html").render(values | {"subject": subject})
    message = EmailMessage(_POLICY)
    message["Subject"] = subject
    message["From"] = Address(values["app_name"], addr_spec=settings.mail_from)
    message["To"] = _recipient(mail.to)
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply, please
    message.set_content(text.lstrip("\n"))
    message.add_alternative(html, subtype="html")
    return message


def _recipient(address: str) -> Address:
    """The address with its domain as the DNS has it (`xn--…`), which every mail server takes."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        domain = validate_email(address, check_deliverability=False).ascii_domain
    return Address(username=local, domain=domain)


def _values(mail: Mail, settings: Settings) -> dict[str, Any]:
    page, request = _USES.get(mail.kind, ("", ""))
    frontend = settings.frontend_url
    given = {name: _one_line(value) if isinstance(value, str) else value for name, value in mail.context.items()}
    return given | {
        "app_name": _one_line(settings.app_name),
        "token": mail.token,
        "lifetime": _in_words(mail.lifetime) if mail.lifetime else None,
        # Behind `#`, so that neither a server's log nor a Referer shows it.
        "link": f"{frontend}{page}#token={mail.token}" if frontend else None,
        "request": request,
        "forgot_password": f"{frontend}/forgot-password" if frontend else "POST /auth/forgot-password",
    }


def _one_line(text: str) -> str:
    """The text without line breaks and control characters: no name adds a header, or a line that looks like ours, or
    turns around what stands beside it.
    """
    return " ".join("".join(" " if _is_unfit(character) else character for character in text).split())


def _is_unfit(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in _TURNING


def _in_words(lifetime: timedelta) -> str:
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        count, rest = divmod(lifetime, length)
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    minutes = lifetime // timedelta(minutes=1)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
