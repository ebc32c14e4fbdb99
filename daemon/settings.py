"""All settings, from foodsort.toml and the FOODSORT_* variables: each with its type, its unit and a description."""

import json
import os
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from models import EngineName, Precision
from models.errors import FoodsortError
from models.images.formats import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS

FILE = "foodsort.toml"
ENV_PREFIX = "FOODSORT_"
ENV_DELIMITER = "__"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(FoodsortError):
    """Raised when a setting is unknown, has the wrong type or an invalid value."""

    exit_code = 2


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FolderSettings(_Section):
    """The folders, relative to the root or absolute."""

    inbox: str = Field("inbox", min_length=1)
    """Photos in this folder are sorted."""
    food: str = Field("food", min_length=1)
    """Photos of food are moved here."""
    non_food: str = Field("non_food", min_length=1)
    """All other photos are moved here."""
    failed: str = Field("failed", min_length=1)
    """Files that cannot be classified are moved here, each with a file that gives the reason."""
    duplicates: str = Field("duplicates", min_length=1)
    """Exact duplicates of filed photos are moved here if images.duplicates is "skip"."""
    unsure: str = ""
    """Photos that the model is unsure about are moved here; empty: they go to food or non_food."""
    other: str = ""
    """Files that are no images, such as videos, are moved here; empty: they go to failed."""
    drags: bool = True
    """Whether a photo that a person moves by hand from one label's folder to another's gets that label."""

    @property
    def used(self) -> dict[str, str]:
        """The folders in use by the names of their settings, the inbox first."""
        names = ("inbox", "food", "non_food", "failed", "duplicates", "unsure", "other")
        return {name: folder for name in names if (folder := getattr(self, name))}

    @model_validator(mode="after")
    def _check_distinct(self) -> "FolderSettings":
        inbox, *destinations = map(os.path.normpath, self.used.values())
        if len({inbox, *destinations}) < 1 + len(destinations):
            raise ValueError("two folders have the same name; each needs its own")
        for path in destinations:
            if path.startswith(inbox + "/"):
                raise ValueError(f"{path} is in the inbox, so its photos would be sorted again; choose another folder")
        return self


class WatchSettings(_Section):
    """When a file in the inbox is ready to be sorted, and how it is taken."""

    rescan_s: Seconds = 60.0
    """Seconds between two full scans of the inbox while file events work."""
    poll_s: Seconds = 5.0
    """Seconds between two full scans of the inbox where file events do not work."""
    settle_s: Seconds = 2.0
    """Seconds for which the size and time of a file must not change."""
    open_s: Seconds = 600.0
    """Seconds to wait at most for a program to close a file that it writes."""
    empty_s: Seconds = 10.0
    """Seconds after which a file that stays empty counts as failed."""
    truncated_s: Seconds = 30.0
    """Seconds for which a truncated or damaged image must not change before it counts as failed."""
    ignore: tuple[str, ...] = ()
    """More file names to ignore, as shell patterns such as "*.bak"."""
    companions: bool = True
    """Whether files that belong to a photo, such as Live Photo videos and sidecars, move with it."""
    companion_endings: tuple[str, ...] = ()
    """More endings of such files, as "txt"; docs/use.md lists the others."""
    companion_s: float = Field(600.0, ge=0, allow_inf_nan=False)
    """Seconds for which such a file waits for its photo; then it is sorted by itself."""
    take: Literal["move", "copy"] = "move"
    """Whether photos leave the inbox, or stay and a copy is sorted: "copy" for a folder that a sync tool keeps in step."""


class ImageSettings(_Section):
    """Which images are accepted."""

    max_pixels: int = Field(DEFAULT_MAX_PIXELS, gt=0)
    """Largest image in pixels (width × height); larger ones fail as too_large."""
    max_bytes: int = Field(DEFAULT_MAX_BYTES, gt=0)
    """Largest file in bytes; larger ones fail as too_large and are not read."""
    decoders: int = Field(0, ge=0, le=256)
    """Processes that decode images; 0: one more than the processors that foodsort may use, at least 3."""
    timeout_s: Seconds = 60.0
    """Seconds that decoding an image may take; after several attempts it fails as decoder_timeout."""
    duplicates: Literal["file", "skip"] = "file"
    """What happens to an exact duplicate: "file" moves it like any other photo, "skip" moves it to folders.duplicates."""


class ModelSettings(_Section):
    """The model and its engine."""

    bundle: str = ""
    """Folder of the model bundle, relative to the root or absolute; empty: the bundle that comes with foodsort."""
    engine: EngineName = "auto"
    """Inference engine; auto is the fastest on this machine, scripted is a fake for trials."""
    idle_unload_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Seconds without a photo before the model is unloaded; 0: never. TensorFlow does not free its memory."""
    precision: Precision = "auto"
    """Number format: auto is int8 if the bundle has it, else the fastest of the engine; float32 is slower."""
    cascade: Literal["auto"] | bool = "auto"
    """Look at a small picture first, and again only where that is not sure; auto: if the bundle can."""


class BatchSettings(_Section):
    """How photos are batched for the network."""

    max_size: int = Field(32, ge=1, le=1024)
    """Largest batch (photos)."""
    max_delay_ms: int = Field(200, ge=0, le=60_000)
    """Milliseconds that a photo waits at most for others."""


class DatabaseSettings(_Section):
    """Where results are recorded."""

    url: str = ""
    """Database as an SQLAlchemy URL such as postgresql://user@host/photos; empty: foodsort.db in the root."""


class LearnSettings(_Section):
    """How the model learns from the labels that people give."""

    auto: Literal["never", "candidate", "promote"] = "never"
    """Whether a candidate is made after new labels, and put live unless its verdict forbids it."""
    every: int = Field(50, ge=1)
    """New labels after which that happens."""


class MetricsSettings(_Section):
    """Metrics for monitoring."""

    listen: str = ""
    """IP address and port that serve /metrics and /healthz, such as "127.0.0.1:9108"; empty: no server."""

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, listen: str) -> str:
        _parse_address(listen)
        return listen

    @property
    def address(self) -> tuple[str, int] | None:
        """The IP address and port to listen at, None for no server."""
        return _parse_address(self.listen)


def _parse_address(listen: str) -> tuple[str, int] | None:
    """Parses an IP address with a port; None when empty; raises ValueError otherwise."""
    if not listen:
        return None
    try:
        host, _, port = listen.rpartition(":")
        number = int(port) if port.isascii() and port.isdigit() else 0
        is_ipv6 = host.startswith("[") and host.endswith("]")
        ip = ip_address(host[1:-1] if is_ipv6 else host)
        if (ip.version == 6) != is_ipv6 or not 0 < number < 65536:
            raise ValueError
    except ValueError:
        raise ValueError('is not an IP address with a port, such as "127.0.0.1:9108" or "[::1]:9108"') from None
    return str(ip), number


class WebSettings(_Section):
    """The review page."""

    token: str = ""
    """Token that people enter to see the page, 12 characters or more; empty: none, and only this machine is served."""

    @field_validator("token")
    @classmethod
    def _check_length(cls, token: str) -> str:
        if 0 < len(token) < 12:
            raise ValueError("is too easy to guess; use 12 characters or more")
        return token


class LogSettings(_Section):
    """The log."""

    format: Literal["auto", "json"] = "auto"
    """Log format: "auto" fits a terminal or systemd's journal, "json" writes JSON objects."""


class Settings(BaseSettings):
    """All settings. Options override environment variables, which override the file, which overrides the defaults."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, env_ignore_empty=True
    )
    file: ClassVar[Path | None] = None

    folders: FolderSettings = FolderSettings()
    watch: WatchSettings = WatchSettings()
    images: ImageSettings = ImageSettings()
    model: ModelSettings = ModelSettings()
    batch: BatchSettings = BatchSettings()
    database: DatabaseSettings = DatabaseSettings()
    learn: LearnSettings = LearnSettings()
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
        """Returns the sources in order of precedence; no .env file and no secrets folder."""
        file = TomlConfigSettingsSource(settings_cls, cls.file)
        return init_settings, env_settings, file


def load(root: Path) -> Settings:
    """Loads the settings of a root from its foodsort.toml, if it exists, and the environment.

    Raises:
        SettingsError: A setting is wrong; the message names the file or variable, the key and the allowed values.
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
        raise SettingsError("\n".join(_explain(str(path), details) for details in error.errors())) from error
    # Absolute, because pydantic-settings takes a leading ~ for somebody's home.
    of_root = type("Settings", (Settings,), {"file": path.absolute(), "__module__": __name__})
    try:
        return of_root()  # type: ignore[no-any-return]
    except ValidationError as error:  # the file alone is valid, so the error is in a variable or in their combination
        messages = [_explain(_variable_of(details), details) for details in error.errors()]
        raise SettingsError("\n".join(messages)) from error


def variable_name(*path: str) -> str:
    """Returns the environment variable of a setting.

    >>> variable_name("watch", "settle_s")
    'FOODSORT_WATCH__SETTLE_S'
    """
    return ENV_PREFIX + ENV_DELIMITER.join(path).upper()


def _check_file(path: Path) -> None:
    """Validates the file alone and strictly: a quoted number is valid in a variable but a mistake in the file."""
    if path.exists():
        fields: dict[str, Any] = {
            name: (field.annotation, field.default) for name, field in Settings.model_fields.items()
        }
        file = create_model("File", __config__=ConfigDict(extra="forbid"), **fields)
        text = json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str)
        file.model_validate_json(text, strict=True)


def _variable_of(details: ErrorDetails) -> str:
    parts = [str(part) for part in details["loc"]]
    names = [variable_name(*parts[:depth]) for depth in (3, 2, 1)]
    return f"environment variable {next((name for name in names if name in os.environ), names[0])}"


def _explain(source: str, details: ErrorDetails) -> str:
    location = [str(part) for part in details["loc"]]
    key = ".".join(location)
    if details["type"] == "extra_forbidden":
        section = Settings.model_fields.get(location[0])
        fields = type(section.default).model_fields if section and len(location) > 1 else Settings.model_fields
        return f"{source}: {key} is not a setting; the settings are {', '.join(fields)}"
    return f"{source}: {key} = {details['input']!r}: {details['msg'].removeprefix('Value error, ')}"
