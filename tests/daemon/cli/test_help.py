"""The text of `--help`, for all commands."""

import shlex
import sys
from typing import Any

import pytest
import typer

from daemon.cli import app

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_valid_example(name: str) -> None:
    text = COMMANDS[name].help
    assert "Example: foodsort " in text
    example = shlex.split(" ".join(text.partition("Example: foodsort ")[2].split()))
    assert example[0] == name
    COMMANDS[name].make_context(name, example[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_has_a_sentence(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert parameter.help, f"{name} {parameter.name}"
        assert parameter.help.endswith(".") or parameter.name == "help", f"{name} {parameter.name}: {parameter.help}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_each_word_of_every_option(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(sys, "argv", ["foodsort", name, "--help"])
    with pytest.raises(SystemExit):
        app()
    drawn = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for parameter in COMMANDS[name].params:
        assert " ".join(parameter.help.split()) in drawn
