"""`python -m app serve`: the application as production runs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn

from app.config import Settings
from app.observability import logs

# Seconds that an idle connection is kept: longer than a proxy in front keeps it (nginx and most load balancers: 60), or
# the proxy sends a request just when this side hangs up, and has to answer 502.
KEEP_ALIVE: Final = 75
_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C, with as many processes as the settings say, which share the port.

    One that dies is replaced. SIGTERM to this process reaches all of them.
    """
    logs.configure(settings)  # for what the process says that looks after the others; each of them does it for itself
    with _metrics_in_common(settings):
        uvicorn.run(
            "app.main:app",
            host=host,
            port=port,
            workers=settings.web_concurrency,
            lifespan="on",
            log_config=None,
            access_log=False,  # `app.middleware.request_context` writes a better one
            proxy_headers=False,  # `app.middleware.proxies` knows whom to believe
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )


@contextmanager
def _metrics_in_common(settings: Settings) -> Iterator[None]:
    """Have the processes count in files that each of them can read: a scrape reaches only one of them."""
    if settings.metrics_token is None or settings.web_concurrency == 1 or _DIRECTORY in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="metrics-") as directory:
        os.environ[_DIRECTORY] = directory
        yield
