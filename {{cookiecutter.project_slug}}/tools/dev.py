"""`python -m app dev`: database, migrations and a server that reloads, in one process tree."""

import signal
import socket
import sys
from types import FrameType

import uvicorn
from alembic.util import CommandError

from app.commands.migrations import upgrade
from app.config import ROOT, get_settings
from tools.embedded_postgres import EmbeddedPostgresError, serving


def serve(host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM, and leave no process behind.

    Ends with one line for a port in use and for a database that cannot be had.
    """
    _refuse_taken_port(host, port)
    # Before uvicorn has a handler of its own, a SIGTERM must unwind the blocks below as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGHUP"):  # the terminal is closed; Windows has no such signal
        signal.signal(signal.SIGHUP, _terminate)
    settings = get_settings()
    try:
        with serving(settings.dsn):
            upgrade(settings)
            print(f"API            http://{host}:{port}")
            print(f"Documentation  http://{host}:{port}/docs   (Ctrl-C stops)", flush=True)
            uvicorn.run(
                "app.main:app",
                host=host,
                port=port,
                reload=True,
                reload_dirs=[str(ROOT / "app")],
                log_config=None,
                proxy_headers=False,  # `app.middleware.proxies` knows whom to believe
            )
    except (EmbeddedPostgresError, CommandError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


def _refuse_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"Cannot listen on {host}:{port}: {error.strerror}. Another port: PORT={port + 1} make dev")
