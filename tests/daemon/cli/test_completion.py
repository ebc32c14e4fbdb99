"""Completion in a real bash, set up like by `foodsort --install-completion`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")]

_COMPLETE = """
eval "$(foodsort --show-completion)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_foodsort_completion foodsort
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has a `foodsort` that runs these sources."""
    file = tmp_path / "bin/foodsort"
    file.parent.mkdir()
    file.write_text(f"#!{sys.executable}\nfrom daemon.cli import app\n\napp()\n")
    file.chmod(0o755)
    project = str(Path(__file__).parents[3])
    return os.environ | {"PATH": f"{file.parent}:{os.environ['PATH']}", "PYTHONPATH": project}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], {"reclassify", "repair", "results", "retry", "review"}),
        (["results", "--li"], {"--limit"}),
        (["results", "--label", ""], {"food", "non_food", "unsure"}),
        (["results", "--by", ""], {"day", "label", "model", "camera"}),
        (["results", "--sort", "c"], {"certainty"}),
        (["results", "--state", "un"], {"undoing", "undone"}),
        (["correct", "--label", "n"], {"non_food"}),
        (["results", "--root", "ph"], {""}),  # bash offers files where nothing else is offered
        (["undo", "fo"], {""}),
    ],
)
def test_commands_options_and_values_are_completed(
    program: dict[str, str], words: list[str], offered: set[str]
) -> None:
    command = ["bash", "--norc", "-c", _COMPLETE, "bash", "foodsort", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=program)
    assert done.stderr == ""
    found = set(done.stdout.splitlines())
    assert found <= offered
    assert found >= offered - {"review"}


@pytest.mark.parametrize("words", ["results --root", "correct --label food", "classify", "train --data"])
def test_paths_are_completed_as_files(program: dict[str, str], tmp_path: Path, words: str) -> None:
    (tmp_path / "photos of mine").mkdir()
    # The completed line is printed instead of run: Ctrl-A moves to its beginning, for an `echo`.
    typed = f'eval "$(foodsort --show-completion)"\nfoodsort {words} ph\t\x01echo it is \nexit\n'
    command = ["script", "-qec", "bash --norc --noprofile -i", "/dev/null"]
    environment = program | {"TERM": "dumb", "PS1": "$ ", "HISTFILE": "", "INPUTRC": "/dev/null"}
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert f"it is foodsort {words} photos of mine/" in done.stdout
