"""What mails say, and how they leave."""

import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from html import escape
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from aiosmtplib import SMTPException
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.config import Settings
from app.mail.mail import Mail
from app.mail.messages import compose
from app.mail.transports import FileTransport, NoTransport, SmtpTransport, transport_of
from tests.letters import Letter, MailServer, mail_server, sending_to

TOKEN = "p2xvKkQyZ0mJ4n8sD1wE5rT7uI9oA3bC6fGhLqMzXyw"  # pragma: allowlist secret
SECRETIVE = {"verify_email", "change_email", "reset_password", "invitation"}
CONTEXT = {"workspace": "Engines", "inviter": "Ada", "new_email": "countess@example.com"}
# Names, and what is left of them.
HOSTILE = {
    "Ada\r\nBcc: eve@example.com": "Ada Bcc: eve@example.com",
    "Ada\n\nHello, this is the administrator": "Ada Hello, this is the administrator",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "{{ 7*7 }}{% set x = 1 %}": "{{ 7*7 }}{% set x = 1 %}",
    "🦄 Ünïcorn": "🦄 Ünïcorn",
    "a\0b\x1b[31m\x85\u2028c": "a b [31m c",
    "x" * 2000: "x" * 2000,
}
LINKS = {
    "verify_email": f"https://app.example.com/verify-email#token={TOKEN}",
    "change_email": f"https://app.example.com/change-email#token={TOKEN}",
    "reset_password": f"https://app.example.com/reset-password#token={TOKEN}",
    "invitation": f"https://app.example.com/accept-invitation#token={TOKEN}",
}
REQUESTS = {
    "verify_email": "POST /auth/verify-email",
    "change_email": "POST /auth/verify-email",
    "reset_password": "POST /auth/reset-password",
    "invitation": "POST /invitations/accept",
}
KINDS = [*LINKS, "email_changed", "password_changed", "account_exists"]


@pytest.fixture
def plain(settings: Settings) -> Settings:
    change = {"app_name": "Blog", "frontend_url": "", "mail_from": "post@example.com", "smtp_host": ""}
    return settings.model_copy(update=change)


@pytest.fixture
def with_pages(plain: Settings) -> Settings:
    return plain.model_copy(update={"frontend_url": "https://app.example.com"})


def mail(kind: str, to: str = "ada@example.com", **context: str) -> Mail:
    lifetime = timedelta(hours=1)
    return Mail(kind, to, CONTEXT | context, *((TOKEN, lifetime) if kind in SECRETIVE else ()))


def read(written: Mail, settings: Settings) -> Letter:
    """The mail as it is read after a journey."""
    return Letter.of(written.to, compose(written, settings).as_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_a_mail_says_what_it_is_and_asks_for_no_answer(plain: Settings, kind: str) -> None:
    message = read(mail(kind), plain).message
    assert "Blog" in message["Subject"]
    assert message["From"] == "Blog <post@example.com>"
    assert message["To"] == "ada@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert datetime.now(UTC) - message["Date"].datetime < timedelta(minutes=1)
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("kind", sorted(SECRETIVE))
def test_a_token_comes_with_its_link_its_lifetime_and_a_way_out(with_pages: Settings, kind: str) -> None:
    letter = read(mail(kind), with_pages)
    assert letter.token == TOKEN
    assert LINKS[kind] in letter.text.splitlines()
    assert f'<a href="{LINKS[kind]}">' in letter.html
    for part in (letter.text, letter.html):
        assert "good for 1 hour" in part
        assert "gnore this mail" in part


@pytest.mark.parametrize("kind", sorted(SECRETIVE))
def test_without_a_front_end_a_mail_tells_the_request(plain: Settings, kind: str) -> None:
    letter = read(mail(kind), plain)
    assert letter.token == TOKEN
    for part in (letter.text, letter.html):
        assert REQUESTS[kind] in part
        assert "http" not in part


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(hours=48), "2 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=1), "1 minute,"),
    ],
)
def test_lifetimes_are_told_in_words(plain: Settings, lifetime: timedelta, words: str) -> None:
    assert f"good for {words}" in read(Mail("reset_password", "a@example.com", {}, TOKEN, lifetime), plain).text


@pytest.mark.parametrize("kind", ["email_changed", "password_changed", "account_exists"])
def test_a_notice_has_no_token(plain: Settings, kind: str) -> None:
    letter = read(mail(kind), plain)
    assert letter.token is None
    assert "token" not in letter.text + letter.html


def test_who_has_forgotten_the_password_is_told_where_to_go(plain: Settings, with_pages: Settings) -> None:
    for kind in ("password_changed", "account_exists"):
        assert "POST /auth/forgot-password" in read(mail(kind), plain).text
        assert "https://app.example.com/forgot-password" in read(mail(kind), with_pages).text


@pytest.mark.parametrize(("name", "shown"), HOSTILE.items())
def test_a_hostile_name_is_a_name(plain: Settings, name: str, shown: str) -> None:
    """No header of its own, no line of its own, no markup, no template."""
    letter = read(mail("invitation", workspace=name, inviter=name), plain.model_copy(update={"app_name": name}))
    harmless = read(mail("invitation"), plain)
    assert letter.message.keys() == harmless.message.keys()
    assert not letter.message.defects
    assert letter.message["To"] == "ada@example.com"
    assert letter.text.count("\n") == harmless.text.count("\n")
    assert letter.token == TOKEN
    assert "<script" not in letter.html
    assert f"{shown} invites you to the workspace {shown} at {shown}." in letter.text
    assert f"{escape(shown)} invites you to the workspace {escape(shown)}" in letter.html
    assert letter.subject == f"{shown} invites you to {shown} at {shown}"


def test_a_missing_word_is_an_error_and_not_a_gap(plain: Settings) -> None:
    with pytest.raises(Exception, match="'workspace' is undefined"):
        compose(Mail("invitation", "ada@example.com", {"inviter": "Ada"}, TOKEN, timedelta(days=1)), plain)


@pytest.mark.parametrize(
    ("address", "envelope"),
    [("ada@straße.example", "ada@xn--strae-oqa.example"), ("ådå@example.com", "ådå@example.com")],
)
async def test_addresses_in_other_scripts_are_reached(
    plain: Settings, mailbox: MailServer, address: str, envelope: str
) -> None:
    mailbox.reset()
    await SmtpTransport(sending_to(mailbox, plain)).send(compose(mail("verify_email", address), plain))
    assert [letter.to for letter in mailbox.collect()] == [envelope]


class TestTls:
    @pytest.fixture
    def server_side(self, tmp_path: Path) -> ssl.SSLContext:
        """A server's certificate for 127.0.0.1, which it has signed itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (tmp_path / "key.pem").write_bytes(private)
        (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        return context

    @pytest.mark.parametrize("security", ["tls", "starttls"])
    async def test_mail_is_encrypted(
        self,
        plain: Settings,
        server_side: ssl.SSLContext,
        security: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        options = {"tls": server_side} if security == "tls" else {"tls_context": server_side, "require_starttls": True}
        async with mail_server(**options) as server:
            settings = sending_to(server, plain).model_copy(update={"smtp_security": security})
            with pytest.raises((SMTPException, ssl.SSLError), match="certificate verify failed"):
                await SmtpTransport(settings).send(compose(mail("verify_email"), plain))
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
            await SmtpTransport(settings).send(compose(mail("verify_email"), plain))
            assert len(server.collect()) == 1

    async def test_a_server_that_asks_for_a_password_gets_it(
        self, plain: Settings, server_side: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def authenticate(*arguments: object) -> AuthResult:
            return AuthResult(success=arguments[-1] == LoginPassword(b"ada", b"pass word"))

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        encrypted = mail_server(
            tls_context=server_side, require_starttls=True, auth_required=True, authenticator=authenticate
        )
        async with encrypted as server:
            settings = sending_to(server, plain).model_copy(update={"smtp_security": "starttls"})
            with pytest.raises(SMTPException, match="Authentication required"):
                await SmtpTransport(settings).send(compose(mail("verify_email"), plain))
            known = settings.model_copy(update={"smtp_username": "ada", "smtp_password": SecretStr("pass word")})
            await SmtpTransport(known).send(compose(mail("verify_email"), plain))
            assert len(server.collect()) == 1

    async def test_a_server_that_offers_no_tls_gets_nothing(self, plain: Settings, mailbox: MailServer) -> None:
        mailbox.reset()
        settings = sending_to(mailbox, plain).model_copy(update={"smtp_security": "starttls"})
        with pytest.raises(SMTPException, match="STARTTLS"):
            await SmtpTransport(settings).send(compose(mail("verify_email"), plain))
        assert mailbox.collect() == []


async def test_in_development_mails_are_files_that_sort_by_time(
    with_pages: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "var" / "mail"
    for name in ("first", "second"):
        written = compose(mail("verify_email", f"{name}@example.com"), with_pages)
        await FileTransport(directory).send(written)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = sorted(directory.iterdir())
    letters = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    assert [letter["To"] for letter in letters] == ["first@example.com", "second@example.com"]
    assert LINKS["verify_email"] in files[0].read_text(encoding="utf-8").splitlines(), "to be copied from there"


async def test_the_log_tells_where_a_mail_lies_and_not_what_is_in_it(with_pages: Settings, tmp_path: Path) -> None:
    with capture_logs() as logs:
        await FileTransport(tmp_path).send(compose(mail("verify_email"), with_pages))
    (line,) = logs
    for told in (str(tmp_path), "ada@example.com", "Confirm your e-mail address for Blog"):
        assert told in str(line)
    assert TOKEN not in str(line)


def test_only_development_does_without_a_server(plain: Settings) -> None:
    assert isinstance(transport_of(plain), FileTransport)
    assert isinstance(transport_of(plain.model_copy(update={"smtp_host": "mail.example.com"})), SmtpTransport)
    with pytest.raises(NoTransport, match="SMTP_HOST"):
        transport_of(plain.model_copy(update={"environment": "production"}))
