"""foodsort.toml, FOODSORT_* and flags: every setting with its type, its unit and one sentence."""

import json
import os
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from models import EngineName, Precision
from models.errors import FoodsortError
from models.images.formats import DEFAULT_MAX_PIXELS

FILE = "foodsort.toml"
_PREFIX = "FOODSORT_"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(FoodsortError):
    """Raised when a setting is unknown, of the wrong type or impossible."""

    exit_code = 2


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FolderSettings(_Section):
    """Folders, relative to the root or absolute."""

    inbox: str = Field("inbox", min_length=1)
    """Photos dropped here are sorted."""
    food: str = Field("food", min_length=1)
    """Photos of food go here."""
    non_food: str = Field("non_food", min_length=1)
    """All other photos go here."""
    failed: str = Field("failed", min_length=1)
    """What cannot be classified goes here, with the reason beside it."""
    duplicates: str = Field("duplicates", min_length=1)
    """Exact copies of photos that are filed already go here where images.duplicates is "skip"."""
    unsure: str = ""
    """Name a folder to set photos aside that the model is not sure of."""

    @model_validator(mode="after")
    def _apart(self) -> "FolderSettings":
        names = [
            self.inbox,
            self.food,
            self.non_food,
            self.failed,
            self.duplicates,
            *([self.unsure] if self.unsure else []),
        ]
        paths = [os.path.normpath(name) for name in names]
        if len(set(paths)) < len(paths):
            raise ValueError("two folders have the same name; each needs its own")
        for path in paths[1:]:
            if (path + "/").startswith(paths[0] + "/"):
                raise ValueError(f"{path} lies in the inbox, so its photos would be sorted again; move it out")
        return self


class WatchSettings(_Section):
    """When a file of the inbox is ready."""

    rescan_s: Seconds = 60.0
    """Seconds between two full looks at the inbox, whatever the events said."""
    poll_s: Seconds = 5.0
    """Seconds between two full looks where the system does not tell all that happens in the inbox."""
    settle_s: Seconds = 2.0
    """Seconds for which size and time of a file must stand still."""
    open_s: Seconds = 600.0
    """Seconds to wait for the close of a file that was seen being written."""
    empty_s: Seconds = 10.0
    """Seconds that a file of zero bytes is given."""
    truncated_s: Seconds = 30.0
    """Seconds for which a cut-off or damaged picture must stand still before it counts as failed."""
    ignore: tuple[str, ...] = ()
    """Further names to leave alone, as shell patterns such as "*.xmp"."""


class ImageSettings(_Section):
    """What pictures are read."""

    max_pixels: int = Field(DEFAULT_MAX_PIXELS, gt=0)
    """Most pixels a picture may have; larger ones fail as too_large."""
    timeout_s: Seconds = 60.0
    """Seconds that a picture may take to decode; what takes longer fails as decoder_timeout, after some tries."""
    duplicates: Literal["file", "skip"] = "file"
    """What is done with an exact copy: "file" it like any other, or "skip" it to folders.duplicates."""


class ModelSettings(_Section):
    """What classifies."""

    bundle: str = ""
    """Folder of a model bundle, relative to the root or absolute; empty: the one that comes with foodsort."""
    engine: EngineName = "auto"
    """What runs the model: auto, tensorflow, openvino, or scripted (a fake for trying things out)."""
    idle_unload_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Seconds without a photo after which the model is let go of until the next one; 0: never. TensorFlow keeps its memory."""
    precision: Precision = "auto"
    """What it computes in: auto (int8 where the bundle has it, else what the engine finds fastest) or float32, slower."""


class BatchSettings(_Section):
    """How photos are gathered for the network."""

    max_size: int = Field(32, ge=1, le=1024)
    """Most photos in a batch."""
    max_delay_ms: int = Field(200, ge=0, le=60_000)
    """Milliseconds that a photo waits for others at most."""


class DatabaseSettings(_Section):
    """Where results are recorded."""

    url: str = ""
    """Database, as a SQLAlchemy URL such as postgresql://user@host/photos; empty: foodsort.db in the root."""


class MetricsSettings(_Section):
    """Figures for monitoring."""

    listen: str = ""
    """Address and port that serve /metrics and /healthz, such as "127.0.0.1:9108"; empty: none."""

    @field_validator("listen")
    @classmethod
    def _an_address(cls, listen: str) -> str:
        _address(listen)
        return listen

    @property
    def address(self) -> tuple[str, int] | None:
        """IP address and port to listen at."""
        return _address(self.listen)


def _address(listen: str) -> tuple[str, int] | None:
    """Raises ValueError for what is neither an IP address with a port nor empty."""
    if not listen:
        return None
    try:
        host, _, port = listen.rpartition(":")
        number = int(port) if port.isascii() and port.isdigit() else 0
        v6 = host.startswith("[") and host.endswith("]")
        ip = ip_address(host[1:-1] if v6 else host)
        if (ip.version == 6) != v6 or not 0 < number < 65536:
            raise ValueError
    except ValueError:
        raise ValueError('is no IP address with a port, such as "127.0.0.1:9108" or "[::1]:9108"') from None
    return str(ip), number


class WebSettings(_Section):
    """The review page."""

    token: str = ""
    """What people say to see the page; 12 characters or more. Empty: nothing, and then only this machine may be served."""

    @field_validator("token")
    @classmethod
    def _hard_to_guess(cls, token: str) -> str:
        if 0 < len(token) < 12:
            raise ValueError("is too easy to guess; take 12 characters or more")
        return token


class LogSettings(_Section):
    """What is said while it runs."""

    format: Literal["auto", "json"] = "auto"
    """Lines for a terminal, or with levels and fields for systemd's journal, as fits ("auto"), or JSON objects ("json")."""


class Settings(BaseSettings):
    """All settings. Flags beat environment variables, those beat the file, that beats the defaults."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )
    file: ClassVar[Path | None] = None

    folders: FolderSettings = FolderSettings()
    watch: WatchSettings = WatchSettings()
    images: ImageSettings = ImageSettings()
    model: ModelSettings = ModelSettings()
    batch: BatchSettings = BatchSettings()
    database: DatabaseSettings = DatabaseSettings()
    metrics: MetricsSettings = MetricsSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of precedence; no .env file and no secrets folder."""
        file = TomlConfigSettingsSource(settings_cls, cls.file)
        return init_settings, env_settings, file


def load(root: Path) -> Settings:
    """The settings for a root, from its foodsort.toml (if there) and the environment.

    Raises SettingsError that names the file or variable, the key and what is allowed.
    """
    path = root / FILE
    try:
        _check_file(path)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8, from byte {error.start + 1} on; save it as UTF-8") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise SettingsError("\n".join(_explained(str(path), one) for one in error.errors())) from error
    of_root = type("Settings", (Settings,), {"file": path, "__module__": __name__})
    try:
        return of_root()  # type: ignore[no-any-return]
    except ValidationError as error:  # the file is sound, so it is a variable, or the two together
        raise SettingsError("\n".join(_explained(_variable(one), one) for one in error.errors())) from error


def _check_file(path: Path) -> None:
    """Checks the file alone and strictly: a number in quotes is fine in a variable, and a mistake in the file."""
    if path.exists():
        fields: dict[str, Any] = {
            name: (field.annotation, field.default) for name, field in Settings.model_fields.items()
        }
        file = create_model("File", __config__=ConfigDict(extra="forbid"), **fields)
        text = json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str)
        file.model_validate_json(text, strict=True)


def _variable(error: Any) -> str:
    names = [_PREFIX + "__".join(str(part).upper() for part in error["loc"][:depth]) for depth in (3, 2, 1)]
    return f"environment variable {next((name for name in names if name in os.environ), names[0])}"


def _explained(source: str, error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        section = Settings.model_fields.get(location[0])
        known = type(section.default).model_fields if section and len(location) > 1 else Settings.model_fields
        return f"{source}: {key} is no setting; there are {', '.join(known)}"
    return f"{source}: {key} = {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"


def template() -> str:
    """A foodsort.toml with every setting at its default, commented out, each with its sentence."""
    lines = ["# Settings of foodsort. Each line shows a default; take the # away to change it.", ""]
    for section, field in Settings.model_fields.items():
        lines.append(f"[{section}]")
        defaults = field.default
        for key, setting in type(defaults).model_fields.items():
            value = getattr(defaults, key)
            text = f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)
            lines += [f"# {setting.description}", f"#{key} = {text}"]
        lines.append("")
    return "\n".join(lines)
