"""/metrics and /healthz of real daemons over real HTTP; failing metrics cost no photo."""

import http.client
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from daemon.database import addresses, connections
from daemon.monitoring import http_server
from daemon.monitoring.metrics import Metrics
from models.bundle import Bundle
from tests.daemon.conftest import Foodsort, Photo, running, started, status, until
from tests.daemon.rows import select

pytestmark = pytest.mark.slow

# A main loop without a tick for two seconds is stuck; the arguments are the daemon's command line.
SHORT_LIMIT = """
import runpy, sys
from daemon.monitoring import health
health.STILL_S = 2
del sys.argv[1:4]
runpy.run_module("daemon", None, "__main__")
"""


@pytest.fixture
def port(root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port of 127.0.0.1, at which the root's daemon listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    monkeypatch.setenv("FOODSORT_METRICS__LISTEN", f"127.0.0.1:{port}")
    return port


def ask_for(path: str, port: int, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as client:
        client.request(method, path)
        answer = client.getresponse()
        return answer.status, answer.read().decode()


def health(port: int) -> tuple[int, str]:
    """The answer of /healthz; (0, "") without a server."""
    try:
        return ask_for("/healthz", port)
    except OSError:
        return 0, ""


def samples(port: int) -> dict[tuple[str, ...], float]:
    """Each sample of /metrics by its name and the values of its labels, in the order of the labels' names."""
    code, text = ask_for("/metrics", port)
    assert code == 200
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_agree_with_the_database(root: Path, photo: Photo, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__TRUNCATED_S", "2")
    monkeypatch.setenv("FOODSORT_IMAGES__DUPLICATES", "skip")
    for number in range(12):
        (root / f"inbox/{number}.jpg").write_bytes(photo(("food", "non_food")[number % 3 == 0], 20 * number))
    for number in (1, 3):
        (root / f"inbox/again-{number}.jpg").write_bytes((root / f"inbox/{number}.jpg").read_bytes())
    (root / "inbox/bill.pdf").write_bytes(b"%PDF")
    with (root / "inbox/open.jpg").open("wb") as file, running(root) as daemon:
        file.write(photo()[:100])
        file.flush()
        until(lambda: sum(status(root)["photos"].values()) == 15, daemon)
        (root / "inbox/cut.jpg").write_bytes(photo()[:500])
        until(lambda: sum(status(root)["photos"].values()) == 16, daemon)
        until(lambda: status(root)["queue"] == {"inbox": 1, "in_flight": 0}, daemon)
        metrics = samples(port)
    for label, outcome, count in (
        ("food", "food", 8),
        ("non_food", "non_food", 4),
        ("food", "duplicate", 1),
        ("non_food", "duplicate", 1),
        ("unsure", "unsure", 0),
        ("none", "failed", 2),
    ):
        assert metrics["foodsort_photos_total", label, outcome] == count
        state = outcome if outcome in {"duplicate", "failed"} else "filed"
        is_label = "IS NULL" if label == "none" else f"= '{label}'"
        where = f"label {is_label} AND state = '{state}'"
        assert select(root, f"SELECT count(*) AS n FROM results WHERE {where}") == [{"n": count}]
    kinds = select(root, "SELECT error_kind, count(*) AS n FROM results WHERE state = 'failed' GROUP BY 1")
    assert {row["error_kind"]: row["n"] for row in kinds} == {
        name[1]: count for name, count in metrics.items() if name[0] == "foodsort_failures_total" and count
    }
    sizes = select(root, "SELECT count(*) AS n FROM batches WHERE inference_ms > 0")
    batches = metrics["foodsort_batch_photos_count",]
    assert batches == sizes[0]["n"]
    assert metrics["foodsort_batch_photos_sum",] == 16
    assert metrics["foodsort_probability_count",] == 14
    assert metrics["foodsort_probability_bucket", "0.5"] == 5
    assert metrics["foodsort_filing_seconds_count",] == 16
    returned = metrics["foodsort_returned_total",]
    assert returned >= 1  # the truncated photo, which might have been still being written
    assert metrics["foodsort_stage_seconds_count", "decode"] == metrics["foodsort_queue_seconds_count", "decode"]
    assert metrics["foodsort_stage_seconds_count", "decode"] == 16 + returned
    for stage in ("look_up", "classify", "file"):
        assert metrics["foodsort_stage_seconds_count", stage] == batches
        assert metrics["foodsort_stage_seconds_sum", stage] > 0
    assert metrics["foodsort_queue_seconds_count", "classify"] == 16
    assert metrics["foodsort_queue_seconds_count", "file"] == batches
    assert metrics["foodsort_filing_seconds_sum",] > metrics["foodsort_stage_seconds_sum", "decode"] / 16
    assert (metrics["foodsort_waiting_photos", "inbox"], metrics["foodsort_waiting_photos", "in_flight"]) == (1, 0)
    assert 0 < metrics["foodsort_oldest_waiting_seconds",] < 600
    bundle = Bundle.load()
    assert metrics["foodsort_model_info", "scripted", bundle.model_name, bundle.sha256] == 1
    assert metrics["foodsort_disk_free_bytes",] > 0
    assert (metrics["foodsort_healthy",], metrics["foodsort_in_trouble",]) == (1, 0)
    assert metrics["foodsort_decoder_deaths_total",] == 0
    assert metrics["process_resident_memory_bytes",] > 0
    assert any(name[0] == "python_info" for name in metrics)


def test_each_metric_is_documented(root: Path, port: int) -> None:
    documentation = (Path(__file__).parents[3] / "docs/metrics.md").read_text()
    with running(root):
        families = list(text_string_to_metric_families(ask_for("/metrics", port)[1]))
    ours = {family.name: family for family in families if family.name.startswith("foodsort_")}
    assert ours
    for name, family in ours.items():
        row = f"| `{name}{'_total' if family.type == 'counter' else ''}` | {family.type} |"
        assert row in documentation
    documented = {
        line.split("`")[1].removesuffix("_total") for line in documentation.splitlines() if "| `foodsort_" in line
    }
    assert documented == set(ours)


def test_other_requests_are_refused(root: Path, port: int) -> None:
    with running(root):
        assert ask_for("/metrics?name[]=foodsort_healthy", port)[1].count("\n") == 3
        assert ask_for("/", port)[0] == ask_for("/metrics/", port)[0] == ask_for("/..%2f", port)[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            assert ask_for("/metrics", port, method=method)[0] == 405
    assert "Traceback" not in (root / "daemon.log").read_text()


def test_metrics_are_served_over_ipv6(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
            port = free.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    monkeypatch.setenv("FOODSORT_METRICS__LISTEN", f"[::1]:{port}")
    with running(root):
        assert ask_for("/healthz", port, "::1") == (200, "watching\n")


def test_a_lost_inbox_is_unhealthy(root: Path, port: int) -> None:
    with running(root) as daemon:
        assert health(port) == (200, "watching\n")
        assert listens(daemon.pid)
        shutil.rmtree(root / "inbox")
        until(lambda: health(port)[0] == 503 and "inbox" in health(port)[1], daemon)
        metrics = samples(port)
        assert (metrics["foodsort_healthy",], metrics["foodsort_in_trouble",]) == (0, 1)
        (root / "inbox").mkdir()
        until(lambda: health(port) == (200, "watching\n"), daemon)


def test_a_database_locked_at_the_start_is_unhealthy(root: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{root}/foodsort.db?timeout=0.1")
    connections.connect(addresses.database_url(root, "")).dispose()
    with closing(sqlite3.connect(root / "foodsort.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with started(root) as daemon:
            until(lambda: health(port)[0] == 503 and "database is locked" in health(port)[1], daemon)
            assert samples(port)["foodsort_photos_total", "food", "food"] == 0
            holder.rollback()
            until(lambda: health(port)[0] == 200, daemon)


def test_a_stuck_main_loop_is_unhealthy(root: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{root}/foodsort.db?timeout=60")
    with (
        running(root, sys.executable, "-c", SHORT_LIMIT) as daemon,
        closing(sqlite3.connect(root / "foodsort.db")) as holder,
    ):
        until(lambda: health(port)[0] == 200, daemon)
        holder.execute("BEGIN IMMEDIATE")
        (root / "inbox/link.jpg").symlink_to("nowhere")  # an event to record, for which SQLite waits a minute
        until(lambda: health(port)[0] == 503, daemon)
        assert "stuck: the daemon's loop has not moved for" in health(port)[1]
        holder.rollback()
        until(lambda: health(port)[0] == 200, daemon)


def test_a_port_in_use_is_an_error(root: Path, port: int, foodsort: Foodsort) -> None:
    with socket.create_server(("127.0.0.1", port)):
        code, _, err = foodsort("run", "--root", root, "--once")
        assert code == 1
        assert err.endswith("\n")
        assert (
            f"foodsort: metrics.listen: nothing can be served at 127.0.0.1 port {port}: Address already in use" in err
        )
        assert "Traceback" not in err
        assert foodsort("run", "--root", root, "--dry-run")[0] == 0
    assert foodsort("run", "--root", root, "--once")[0] == 0


def test_an_invalid_address_is_an_error(root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_METRICS__LISTEN", "nonsense")
    code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 2
    assert "FOODSORT_METRICS__LISTEN: metrics.listen = 'nonsense': is not an IP address with a port" in err


@pytest.fixture
def silent(root: Path, port: int) -> Iterator["tuple[subprocess.Popen[str], list[socket.socket]]"]:
    """A daemon whose connections are all taken by clients with half a request."""
    with ExitStack() as stack:
        daemon = stack.enter_context(running(root))
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(http_server._CLIENTS)
        ]
        for client in clients:
            client.sendall(b"GE")
        yield daemon, clients


def test_silent_clients_delay_no_photo_and_are_dropped(
    root: Path, port: int, photo: Photo, silent: "tuple[subprocess.Popen[str], list[socket.socket]]"
) -> None:
    daemon, clients = silent
    (root / "inbox/a.jpg").write_bytes(photo())
    until((root / "food/a.jpg").exists, daemon)
    assert [client.recv(1) for client in clients] == [b""] * len(clients)
    assert health(port)[0] == 200


def test_endless_requests_delay_no_stop(
    silent: "tuple[subprocess.Popen[str], list[socket.socket]]",
) -> None:
    daemon, clients = silent

    def ended() -> bool:
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(b"T")
        return daemon.poll() is not None

    daemon.terminate()
    until(ended, patience_s=30)
    assert daemon.returncode == 0


def test_clients_above_the_limit_are_refused(
    port: int, silent: "tuple[subprocess.Popen[str], list[socket.socket]]"
) -> None:
    with pytest.raises(ConnectionError):
        ask_for("/healthz", port)


def test_a_metric_that_cannot_be_recorded_ends_nothing() -> None:
    metrics = Metrics()
    with capture_logs() as lines:
        with metrics.stages.work("decode"):
            pass
        metrics.batch(cast(int, "many"))
    assert [line["kind"] for line in lines] == ["metrics"]
    assert metrics.stages.slowest == "decode"


def listens(pid: int) -> bool:
    """Whether a process has a TCP socket, of either version, that others can connect to."""
    rows = [row.split() for table in Path("/proc/net").glob("tcp*") for row in table.read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            sockets.add(os.readlink(fd))
    return not listening.isdisjoint(sockets)


def test_nothing_is_served_by_default(root: Path) -> None:
    with running(root) as daemon:
        assert not listens(daemon.pid)
