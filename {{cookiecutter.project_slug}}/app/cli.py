"""`python -m app …`: the commands behind the Makefile."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.config import ROOT, get_settings
from app.errors import Error

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run and look after the application.",
)

_DEVELOPMENT_ONLY = "This command is for development: its code (tools/) or its packages are not here; run `make setup`."


@cli.command()
def dev(
    port: Annotated[int, typer.Option(envvar="PORT", min=1, max=65535, help="Where to listen")] = 8000,
    host: Annotated[str, typer.Option(envvar="HOST", help="127.0.0.1 is this machine only")] = "127.0.0.1",
) -> None:
    """Start the database if it is the embedded one, migrate, and serve with reload."""
    try:
        from tools.dev import serve  # noqa: PLC0415  # not there in production
    except ImportError:
        sys.exit(_DEVELOPMENT_ONLY)
    serve(host, port)


@cli.command()
def serve(
    port: Annotated[int, typer.Option(envvar="PORT", max=65535, min=0, help="Where to listen; 0 is any")] = 8000,
    host: Annotated[str, typer.Option(envvar="HOST", help="127.0.0.1 is this machine only")] = "127.0.0.1",
) -> None:
    """Serve as in production: WEB_CONCURRENCY processes, no reload, no migration, an orderly end after SIGTERM."""
    from app.commands.server import serve  # noqa: PLC0415  # with uvicorn, more than `--help` needs

    serve(get_settings(), host, port)


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Up to which one; `head` is the newest")] = "head",
) -> None:
    """Bring the database to the newest schema. Many may do so at the same time."""
    from alembic.util import CommandError  # noqa: PLC0415  # only this command needs Alembic

    from app.commands.migrations import newest_revision, upgrade  # noqa: PLC0415

    try:
        upgrade(get_settings(), revision)
    except CommandError as error:
        sys.exit(str(error))
    typer.echo(f"The database is at revision {newest_revision() if revision == 'head' else revision}.")


@cli.command()
def worker() -> None:
    """Send the mails that wait in the outbox, until Ctrl-C or SIGTERM. Any number of workers may run at once."""
    import asyncio  # noqa: PLC0415  # with the rest of it, more than `--help` needs

    from app.mail.transports import NoTransport  # noqa: PLC0415
    from app.observability import logs  # noqa: PLC0415
    from app.worker import serve  # noqa: PLC0415

    settings = get_settings()
    logs.configure(settings)
    try:
        asyncio.run(serve(settings))
    except NoTransport as error:
        sys.exit(str(error))


@cli.command()
def seed(
    articles: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many to add")] = 100,
) -> None:
    """Fill the blog with people and articles to look at. Again, and there are more."""
    try:
        from tools.seed import fill  # noqa: PLC0415  # not there in production
    except ImportError:
        sys.exit(_DEVELOPMENT_ONLY)
    fill(articles)


@cli.command()
def create_superuser(
    email: Annotated[str, typer.Option(help="Asked for when it is missing")] = "",
    username: Annotated[str, typer.Option(help="Asked for when it is missing")] = "",
    existing: Annotated[
        str, typer.Option(metavar="LOGIN", help="Promote the account with this e-mail or user name, make none")
    ] = "",
) -> None:
    """Make an account that may look after the whole application.

    The password is asked for twice, or read from standard input if that is no
    terminal: its first line.
    """
    from app.commands import superusers  # noqa: PLC0415  # as below

    if existing and (email or username):
        raise typer.BadParameter("--existing says which account it is: leave --email and --username out")
    try:
        if existing:
            user = superusers.promote(get_settings(), existing)
        else:
            user = superusers.create(get_settings(), *_asked_for(email, username))
    except Error as error:
        sys.exit(error.detail)
    typer.echo(f"{user.username} ({user.email}) is a superuser.")


def _asked_for(email: str, username: str) -> tuple[str, str, str]:
    """E-mail, user name and password of the new account."""
    if not sys.stdin.isatty():
        if not (email and username):
            sys.exit("Nobody can be asked here: give --email and --username, and the password on standard input")
        password = sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")
        return email, username, password.decode(errors="surrogateescape")
    return (
        email or typer.prompt("E-mail"),
        username or typer.prompt("User name"),
        typer.prompt("Password", hide_input=True, confirmation_prompt=True),
    )


@cli.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to be made")]) -> None:
    """Write the whole database into a file, while others go on using it."""
    from app.commands import backups  # noqa: PLC0415  # as above

    try:
        backups.backup(get_settings(), file)
    except Error as error:
        sys.exit(error.detail)
    typer.echo(f"{file}: {file.stat().st_size:,} bytes")


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `backup` has made")],
    replace: Annotated[bool, typer.Option("--replace", help="Whatever the database has now may go")] = False,
) -> None:
    """Put a backup into the database, which has to be empty: all of it or nothing."""
    from app.commands import backups  # noqa: PLC0415  # as above

    try:
        backups.restore(get_settings(), file, replace=replace)
    except Error as error:
        sys.exit(error.detail)
    typer.echo(f"The database is as it was in {file}. Bring it to the newest schema: python -m app migrate")


@cli.command()
def generate(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the files are current")] = False,
    into: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The directory")] = ROOT,
) -> None:
    """Write openapi.yaml, the contract that the application serves, and ir.json, what the models say of themselves."""
    from app import contract  # noqa: PLC0415  # with FastAPI it takes a second to load, which `--help` need not
    from app.main import create_app  # noqa: PLC0415

    app = create_app(get_settings())
    if not check:
        contract.write(app, into)
    elif old := contract.not_current(app, into):
        sys.exit(f"Not what the application serves: {', '.join(old)}. Write anew with `make generate`")
