"""The command `review`: photos in a browser, for a person who looks at them."""

import os
import signal
import socket
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import Root
from models.errors import FoodsortError

if TYPE_CHECKING:
    from logging import LogRecord

    import sqlalchemy as sa

_END_S = 3
"""How long answers that are under way are waited for at the end (s)."""


class TokenRequired(FoodsortError):
    """Raised when others than this machine would be served and nobody be asked for a token."""

    exit_code = 2


def review(
    root: Root,
    host: Annotated[
        str, typer.Option(help="Address to serve at; one that others reach needs web.token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve at; 0 takes a free one.")] = 8765,
) -> None:
    """Show the photos in a browser, where one key labels them, until stopped.

    Example: foodsort review --root photos
    """
    import logging
    import resource

    import uvicorn

    from daemon.database import addresses, connections
    from daemon.settings import load
    from daemon.web.app import app as page
    from daemon.web.thumbnails import ThumbnailCache

    settings = load(root)
    if not settings.web.token and not _is_loopback(host):
        raise TokenRequired(
            f"at {host} others could see and move your photos; set a token that they have to say, of 12 characters or more:"
            f' `token = "…"` under [web] in {root}/foodsort.toml, or FOODSORT_WEB__TOKEN'
        )
    address = addresses.url(root, settings.database.url)
    _begin(root / settings.folders.inbox, address)
    reading, writing = connections.reading(address), connections.writing(address)
    with (
        closing(_listening(host, port)) as listener,
        closing(ThumbnailCache(root, settings, reading)) as pictures,
    ):
        config = uvicorn.Config(
            page(root, settings, reading, writing, pictures, host),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            # Beyond that neither a photo nor the database could be opened. Those count that have not asked to the end yet:
            # uvicorn waits for that without end, only a server before it would not.
            limit_concurrency=resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2,
            timeout_graceful_shutdown=_END_S,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut_off)
        server = uvicorn.Server(config)
        # Already now, for one that comes before uvicorn listens to signals; afterwards it sends each that it got once more.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, server.handle_exit)
        name, at = listener.getsockname()[:2]
        typer.echo(f"{root} is shown at http://{f'[{name}]' if ':' in name else name}:{at}/ until you press Ctrl-C")
        server.run([listener])


def _begin(inbox: Path, address: "sa.URL") -> None:
    """Makes the database where nothing was sorted yet, as the daemon would, which then uses it. Raises DatabaseError, OSError."""
    from daemon.database import addresses, connections

    path = addresses.file_of(address)
    # Another user's the daemon could not open.
    if path and not path.exists() and inbox.is_dir() and inbox.stat().st_uid == os.geteuid():
        connections.connect(address).dispose()


def _is_no_cut_off(record: "LogRecord") -> bool:
    """Whom the end cuts off learns it in the browser; to who ended the page it is no error."""
    from asyncio import CancelledError

    raised = record.exc_info and record.exc_info[0]
    return not (raised and issubclass(raised, CancelledError)) and "timeout graceful shutdown" not in record.msg


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    """Raises FoodsortError when the address cannot be listened at."""
    bare = host.strip("[]")
    try:
        listener = socket.create_server((bare, port), family=socket.AF_INET6 if ":" in bare else socket.AF_INET)
    except OSError as error:
        raise FoodsortError(
            f"nothing can be shown at {host} port {port}: {(error.strerror or str(error)).lower()};"
            " name another with --port, or end what listens there (`ss -ltnp` shows it)"
        ) from error
    # Connections inherit it; else the second part of an answer waits for 40 ms until the browser says that it has the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
