"""A trained model on disk: a folder with the weights and `card.json`, which says what they are and vouches for them."""

import hashlib
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.decision import Thresholds
from models.errors import BundleError
from models.images.decode import Fit
from models.reference import Reference

if TYPE_CHECKING:
    import keras

CARD = "card.json"
NETWORK = "model.keras"
INT8 = "int8.xml"
INT8_WEIGHTS = "int8.bin"


class Card(BaseModel):
    """What `card.json` holds.

    data_sha256: digest of the labels, splits and bytes of all pictures the model was trained and chosen on.
    metrics: figures by split as in `metrics.json`. reference: of the validation split; bundles before 0.5 have none.
    files: sha256 of each file of the bundle by its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    name: str
    created_at: datetime
    classes: tuple[str, str] = ("non_food", "food")
    fit: Fit
    temperature: float = Field(gt=0)
    thresholds: Thresholds
    recipe: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    reference: Reference | None = None
    data_sha256: str
    libraries: dict[str, str]
    files: dict[str, str]


class Bundle:
    """A verified bundle: `folder`, its `card` and `sha256`, the digest of the card and through it of everything."""

    def __init__(self, folder: Path, card: Card, sha256: str) -> None:
        self.folder = folder
        self.card = card
        self.sha256 = sha256

    @property
    def model_name(self) -> str:
        """Name for people and rows: the card's name and the first 12 digits of the digest."""
        return f"{self.card.name}@{self.sha256[:12]}"

    @classmethod
    def load(cls, folder: Path | None = None) -> "Bundle":
        """Reads and verifies the bundle in `folder`, or the one that comes with foodsort.

        Raises BundleError when the card or a file is missing, of another format, or differs from its digest.
        """
        folder = folder or Path(str(resources.files("models") / "food"))
        path = folder / CARD
        try:
            text = path.read_bytes()
            card = Card.model_validate_json(text)
            if NETWORK not in card.files:
                raise BundleError(f"{path} does not vouch for {NETWORK}; get the bundle anew")
            for name, digest in card.files.items():
                _verify(folder, name, digest)
        except OSError as error:
            raise BundleError(f"{folder} is no whole model bundle: {error.strerror}: {error.filename}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise BundleError(
                f"{path} is no card of a model bundle: {where}: {first['msg']}; train one with `foodsort train`"
            ) from error
        return cls(folder, card, hashlib.sha256(text).hexdigest())

    @classmethod
    def write(cls, folder: Path, card: Card) -> "Bundle":
        """Writes `card.json` beside files that lie in `folder` already, and makes it vouch for each of them."""
        files = {name: file_sha256(folder / name) for name in card.files}
        text = card.model_copy(update={"files": files}).model_dump_json(indent=2) + "\n"
        (folder / CARD).write_text(text, encoding="utf-8")
        return cls.load(folder)

    def network(self) -> "keras.Model":
        """The Keras network, float32: uint8 RGB (n, side, side, 3) → logit (n, 1). Raises BundleError."""
        import keras

        try:
            return keras.saving.load_model(self.folder / NETWORK, compile=False, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BundleError(f"{self.folder / NETWORK} cannot be loaded ({error}); train the bundle again") from error


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_network(network: "keras.Model", path: Path) -> None:
    """Saves a float32 network as a `.keras` file whose kernels are float16, half the size.

    Keras casts them back when it loads the file. Vectors (biases, batch normalisation) stay float32: they are small,
    and the variances among them reach below what float16 holds.
    """
    import io
    import zipfile

    import h5py
    import numpy as np

    weights = "model.weights.h5"
    whole = io.BytesIO()
    network.save(whole_path := path.with_suffix(".float32.keras"))
    whole.write(whole_path.read_bytes())
    whole_path.unlink()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        halved = io.BytesIO()
        with h5py.File(io.BytesIO(source.read(weights)), "r") as old, h5py.File(halved, "w") as new:

            def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Group):
                    copied = new.require_group(name)
                else:
                    values = item[()]
                    half = isinstance(values, np.ndarray) and values.ndim > 1
                    copied = new.create_dataset(name, data=values.astype(np.float16) if half else values)
                copied.attrs.update(item.attrs)

            old.visititems(copy)
        for entry in source.namelist():
            target.writestr(entry, halved.getvalue() if entry == weights else source.read(entry))


def _verify(folder: Path, name: str, digest: str) -> None:
    if Path(name).name != name:
        raise BundleError(f"{folder / CARD} names {name}, which is outside the bundle; get the bundle anew")
    if file_sha256(folder / name) != digest:
        raise BundleError(f"{folder / name} is not the file its card vouches for (sha256 differs); get the bundle anew")
