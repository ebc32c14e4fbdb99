"""`foodsort review`: the review page."""

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

_SHUTDOWN_S = 3
"""How long the server waits for open responses when it stops (s)."""


class TokenRequired(FoodsortError):
    """Raised when the address can be reached by other machines and no token is set."""

    exit_code = 2


def review(
    root: Root,
    host: Annotated[
        str, typer.Option(help="Address to listen on; an address that other machines reach needs web.token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8765,
) -> None:
    """Serve the review page, where people label photos with one key in a browser, until stopped.

    Example: foodsort review --root photos
    """
    import logging
    import resource

    import uvicorn

    from daemon.database import addresses, connections, root_id
    from daemon.settings import load
    from daemon.web.app import app as page
    from daemon.web.photo_features import PhotoFeatures
    from daemon.web.thumbnails import ThumbnailCache

    settings = load(root)
    if not settings.web.token and not _is_loopback(host):
        raise TokenRequired(
            f"at {host} other people could see and move your photos; set a token that they must enter,"
            " 12 characters or more:"
            f' `token = "…"` under [web] in {root}/foodsort.toml, or FOODSORT_WEB__TOKEN'
        )
    address = addresses.database_url(root, settings.database.url)
    _create_database(root, root / settings.folders.inbox, address)
    reading = connections.connect_to_read(address)
    writing = connections.connect_to_write(address, keep_open=False)
    root_id.check(root, reading)
    with (
        closing(_listening(host, port)) as listener,
        closing(ThumbnailCache(root, settings, reading)) as pictures,
        closing(PhotoFeatures(root, settings, pictures)) as features,
    ):
        config = uvicorn.Config(
            page(root, settings, reading, writing, pictures, features, host),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            # With more connections, neither photos nor the database could be opened. Connections with an unfinished
            # request count too: uvicorn waits for the rest without a timeout, and only a reverse proxy would not.
            limit_concurrency=resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_shutdown_error)
        server = uvicorn.Server(config)
        # For a signal that arrives before uvicorn handles signals. When uvicorn stops, it raises its signals again.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        address_name, bound_port = listener.getsockname()[:2]
        url_host = f"[{address_name}]" if ":" in address_name else address_name
        typer.echo(f"{root} is shown at http://{url_host}:{bound_port}/ until you press Ctrl-C")
        server.run([listener])


def _create_database(root: Path, inbox: Path, address: "sa.URL") -> None:
    """Creates the database if nothing was sorted yet, as the daemon would; not in the place of one that was removed.

    Raises:
        DatabaseError, OSError: It cannot be created.
    """
    from daemon.database import addresses, connections, root_id

    path = addresses.sqlite_file(address)
    if root_id.read(root) is not None:
        return
    # Only as the user of the daemon, which could not open the file of another user.
    if path and not path.exists() and inbox.is_dir() and inbox.stat().st_uid == os.geteuid():
        connections.connect(address).dispose()


def _is_no_shutdown_error(record: "LogRecord") -> bool:
    """Hides errors of responses that the shutdown cancelled: they are expected, and browsers show them."""
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
    """A socket that listens on the address.

    Raises:
        FoodsortError: The address cannot be used.
    """
    bare_host = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    try:
        listener = socket.create_server((bare_host, port), family=family)
    except OSError as error:
        raise FoodsortError(
            f"cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()};"
            " choose another port with --port, or stop the program that listens there (`ss -ltnp` shows it)"
        ) from error
    # Connections inherit it. Without it, the second part of a response waits 40 ms for the first one's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
