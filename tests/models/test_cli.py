import io
import subprocess
import sys
from collections.abc import Callable

import pytest
from PIL import Image

from models.cli import CommandLine
from models.errors import BundleError, FoodsortError


class _SettingError(FoodsortError):
    exit_code = 2


def _import_missing() -> None:
    import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def _open_a_picture_with_a_broken_tag() -> None:
    tags = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x10\x01\x02\0\xff\xff\0\0\xff\xff\0\0"
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=tags)
    Image.open(file).getexif().get(0)


def _raising(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (_raising(BundleError("x is no bundle")), 1, "foodsort: x is no bundle\n"),
        (_raising(_SettingError("y is no setting")), 2, "foodsort: y is no setting\n"),
        (_raising(PermissionError(13, "Permission denied", "/z")), 1, "foodsort: Permission denied: /z\n"),
        (
            _import_missing,
            1,
            "foodsort: this command needs the package no_such_package; install it with: pip install foodsort\n",
        ),
        (lambda: None, 0, ""),
        (_open_a_picture_with_a_broken_tag, 0, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    command: Callable[[], None],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["foodsort"])
    app = CommandLine(pretty_exceptions_enable=False)
    app.command()(command)
    with pytest.raises(SystemExit) as end:
        app()
    assert (end.value.code or 0, capsys.readouterr().err) == (code, message)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["foodsort"])
    app = CommandLine(pretty_exceptions_enable=False)
    app.command()(_raising(AssertionError("a bug")))
    with pytest.raises(AssertionError, match="a bug"):
        app()


def test_the_commands_of_a_room_run_alone() -> None:
    done = subprocess.run([sys.executable, "-m", "training", "--help"], capture_output=True, text=True, check=True)
    assert "evaluate" in done.stdout
