import os
from pathlib import Path

import pytest

from daemon.decoders.processors import usable_processors

GROUP = "sys/fs/cgroup"


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("max 100000", None, 8),
        ("200000 100000", None, 2),
        ("250000 100000", None, 3),
        ("20000 100000", None, 1),
        ("1600000 100000", None, 8),
        ("max 100000", "400000 100000", 4),
        ("300000 100000", "200000 100000", 2),
        ("nonsense", None, 8),
    ],
)
def test_the_quota_of_version_2_counts_and_those_above_it(
    tmp_path: Path, own: str, above: str | None, expected: int
) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/pod/box\n")
    write(tmp_path / GROUP / "pod/box/cpu.max", own + "\n")
    if above:
        write(tmp_path / GROUP / "pod/cpu.max", above + "\n")
    assert usable_processors(tmp_path) == expected


def test_in_a_container_that_sees_the_path_of_the_host_the_top_counts(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/docker/0123\n")
    write(tmp_path / GROUP / "cpu.max", "200000 100000\n")
    assert usable_processors(tmp_path) == 2


@pytest.mark.parametrize(("quota_us", "expected"), [(-1, 8), (150_000, 2)])
def test_the_quota_of_version_1_counts(tmp_path: Path, quota_us: int, expected: int) -> None:
    write(tmp_path / "proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n0::/box\n")
    write(tmp_path / GROUP / "cpu/box/cpu.cfs_quota_us", f"{quota_us}\n")
    write(tmp_path / GROUP / "cpu/box/cpu.cfs_period_us", "100000\n")
    assert usable_processors(tmp_path) == expected


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_processors(tmp_path) == len(os.sched_getaffinity(0)) == 8
