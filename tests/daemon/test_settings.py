from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon.settings import MetricsSettings, Settings, SettingsError, load
from daemon.settings_text import reference, template


def refused(root: Path, text: str) -> str:
    (root / "foodsort.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(root)
    return str(caught.value)


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.folders.inbox, settings.folders.unsure) == ("inbox", "")
    assert (settings.watch.rescan_s, settings.watch.settle_s, settings.watch.open_s) == (60, 2, 600)
    assert (settings.watch.empty_s, settings.watch.truncated_s) == (10, 30)
    assert (settings.batch.max_size, settings.batch.max_delay_ms) == (32, 200)
    assert (settings.images.max_pixels, settings.model.engine) == (178956970, "auto")


def test_the_file_beats_defaults_and_variables_beat_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foodsort.toml").write_text('[batch]\nmax_size = 4\nmax_delay_ms = 10\n[watch]\nignore = ["*.xmp"]\n')
    monkeypatch.setenv("FOODSORT_BATCH__MAX_SIZE", "8")
    settings = load(tmp_path)
    assert (settings.batch.max_size, settings.batch.max_delay_ms, settings.watch.ignore) == (8, 10, ("*.xmp",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[watch]\nsetle_s = 1\n", "watch.setle_s is not a setting; the settings are rescan_s, poll_s, settle_s"),
        ("[wach]\nsettle_s = 1\n", "wach is not a setting; the settings are folders, watch"),
        ('[watch]\nsettle_s = "1"\n', "watch.settle_s = '1'"),
        ("[watch]\nsettle_s = 0\n", "watch.settle_s = 0"),
        ("[watch]\nsettle_s = inf\n", "watch.settle_s = "),
        ("[batch]\nmax_size = true\n", "batch.max_size = True"),
        ('[model]\nengine = "cuda"\n', "'auto', 'tensorflow', 'openvino' or 'scripted'"),
        ('[folders]\nfood = "inbox/food"\n', "inbox/food is in the inbox"),
        ('[folders]\nfood = "same"\nnon_food = "./same"\n', "the same name"),
        ('[folders]\ninbox = ""\n', "folders.inbox = ''"),
        ('[metrics]\nlisten = "nonsense"\n', "metrics.listen = 'nonsense': is not an IP address with a port"),
        ("[watch\n", "is not TOML"),
        ("watch = 3\n", "watch = 3"),
    ],
)
def test_mistakes_in_the_file_name_file_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    message = refused(tmp_path, text)
    assert str(tmp_path / "foodsort.toml") in message
    assert said in message


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("", None),
        ("127.0.0.1:9108", ("127.0.0.1", 9108)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_read(listen: str, address: tuple[str, int] | None) -> None:
    assert MetricsSettings(listen=listen).address == address


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1", "127.0.0.1:", ":9108", "9108", "localhost:9108", "::1:9108", "[127.0.0.1]:9108", "[::1:9108",
     "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 80", "127.0.0.1:٩", "[[::1]]:9108", " 127.0.0.1:9108"],
)  # fmt: skip
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValidationError, match="is not an IP address with a port"):
        MetricsSettings(listen=listen)


def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_BATCH__MAX_SIZE", "many")
    assert "environment variable FOODSORT_BATCH__MAX_SIZE: batch.max_size = 'many'" in refused(tmp_path, "")


def test_a_name_that_only_begins_like_the_inbox_is_fine(tmp_path: Path) -> None:
    (tmp_path / "foodsort.toml").write_text('[folders]\nfood = "inbox-food"\n')
    assert load(tmp_path).folders.food == "inbox-food"


def test_the_template_explains_every_setting_and_holds_the_defaults(tmp_path: Path) -> None:
    text = template()
    sections = {name: type(field.default).model_fields for name, field in Settings.model_fields.items()}
    for name, fields in sections.items():
        assert f"[{name}]" in text
        for key, field in fields.items():
            assert f"\n#{key} = " in text
            assert f"# {field.description}\n" in text
    lines = (line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in text.splitlines())
    (tmp_path / "foodsort.toml").write_text("\n".join(lines))
    assert load(tmp_path).model_dump() == load(tmp_path / "elsewhere").model_dump()


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "foodsort.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(SettingsError, match=r"foodsort\.toml is not UTF-8, from byte 6 on"):
        load(tmp_path)


def test_the_reference_in_the_docs_is_the_generated_one() -> None:
    page = Path(__file__).parents[2] / "docs/settings.md"
    assert page.read_text(encoding="utf-8") == reference(), "python -m daemon.settings_text > docs/settings.md"
