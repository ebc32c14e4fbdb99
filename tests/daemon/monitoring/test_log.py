import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from logging_journald import JournaldTransport

from daemon.monitoring import log


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    before = structlog.get_config()
    yield
    logger = structlog.get_config()["logger_factory"]()
    if isinstance(logger, log._Journal):
        logger._transport.socket.close()
    structlog.configure(**before)


def test_lines_of_models_are_logged_like_all_others(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure(terminal=False)
    log.configure(terminal=False)
    logging.getLogger("foodsort").warning("OpenVINO cannot run %s", "it")
    log.flush()
    (line,) = capfd.readouterr().err.splitlines()
    assert "level=warning event=" + json.dumps("OpenVINO cannot run it") in line


def test_json_has_one_object_per_line(capfd: pytest.CaptureFixture[str]) -> None:
    log.configure(terminal=True, form="json")
    structlog.get_logger().warning("filed as failed", photo="Käse\\x0a.jpg", kind="corrupt")
    log.flush()
    (line,) = capfd.readouterr().err.splitlines()
    fields = json.loads(line)
    assert fields.pop("at").endswith("Z")
    assert fields == {"level": "warning", "event": "filed as failed", "photo": "Käse\\x0a.jpg", "kind": "corrupt"}


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in place of journald's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path := tmp_path / "journal"))
        listening.settimeout(5)
        monkeypatch.setattr(JournaldTransport, "SOCKET_PATH", path)
        yield listening


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Configures logging as if stderr led to the journal."""

    def to_journal() -> None:
        stat = os.fstat(sys.stderr.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        log.configure(terminal=False)

    return to_journal


def test_the_journal_gets_levels_and_fields_and_stderr_nothing(
    journal: socket.socket, configure: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    configure()
    structlog.get_logger().info("filed", photo="a.jpg", batch=7)
    structlog.get_logger().error("out of room")
    assert journal.recv(4096).decode().splitlines() == [
        "MESSAGE=filed photo=a.jpg batch=7",
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=foodsort",
        "PHOTO=a.jpg",
        "BATCH=7",
    ]
    assert b"PRIORITY=3\n" in journal.recv(4096)
    assert not capfd.readouterr().err


def test_a_missing_or_stuck_journal_only_loses_lines(
    journal: socket.socket, configure: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_JOURNAL_S", 0.001)
    configure()
    for number in range(1000):  # far more than the socket holds
        structlog.get_logger().info("filed", photo=f"{number}.jpg")
    journal.close()
    structlog.get_logger().info("filed", photo="last.jpg")


@pytest.mark.parametrize("stream", ["", "1:2", "nonsense"])
def test_without_a_journal_lines_go_to_stderr(
    stream: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stream)
    log.configure(terminal=False)
    structlog.get_logger().info("watching", inbox="photos/inbox")
    log.flush()
    assert "level=info event=watching inbox=photos/inbox" in capfd.readouterr().err
