"""A trained model on disk: a folder with the weights and `card.json`, which describes them and holds their digests."""

import hashlib
from datetime import datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.cascade import Cascade
from models.decision import Thresholds
from models.errors import BundleError
from models.head import Head, attach_heads, load_heads
from models.images.decode import Fit
from models.reference import Reference

if TYPE_CHECKING:
    import keras

CARD = "card.json"
NETWORK = "model.keras"
INT8 = "int8.xml"
INT8_WEIGHTS = "int8.bin"
HEADS = "heads.npz"
BANK = "features.npz"
_KERAS_WEIGHTS = "model.weights.h5"
_DIGITS = 12


class Card(BaseModel):
    """The contents of `card.json`.

    Attributes:
        format_version: 1 until 0.9: the networks hold their only head. Since then `heads.npz` holds the heads.
        fit: How images become the network's input.
        cascade: The small look, if there is one.
        temperature: Divisor of the logits that calibrates the probabilities; 1 if the heads are calibrated.
        recipe: Settings of the training.
        metrics: Metrics by split, as in `metrics.json`.
        reference: Distribution of the predictions on the validation split; bundles before 0.5 have none.
        data_sha256: Digest of the labels, splits and bytes of all training and validation images.
        libraries: Versions of the libraries it was trained with.
        files: SHA-256 of each file of the bundle by its name.
        base: SHA-256 of the card of the bundle that it stands on: files that its own folder lacks are those of that
            bundle, which lies beside it in a folder of the name `folder_name(base)`. None for a bundle of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1, 2] = 1
    name: str
    created_at: datetime
    classes: tuple[str, str] = ("non_food", "food")
    fit: Fit
    cascade: Cascade | None = None
    temperature: float = Field(gt=0)
    thresholds: Thresholds
    recipe: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    reference: Reference | None = None
    data_sha256: str
    libraries: dict[str, str]
    files: dict[str, str]
    base: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class Bundle:
    """A verified bundle.

    Attributes:
        folder: Its folder.
        card: Its card.
        sha256: Digest of the card, which holds the digests of all files.
        candidate: Another model with the same network, whose heads an engine runs too; None for none.
    """

    def __init__(self, folder: Path, card: Card, sha256: str, candidate: "Bundle | None" = None) -> None:
        self.folder = folder
        self.card = card
        self.sha256 = sha256
        self.candidate = candidate

    @property
    def model_name(self) -> str:
        """The name for people and rows: the card's name and the first 12 digits of the digest."""
        return f"{self.card.name}@{folder_name(self.sha256)}"

    def path(self, name: str) -> Path:
        """Returns the path of a file of the bundle: in its own folder, else in that of the bundle it stands on."""
        return _path(self.folder, self.card, name)

    @property
    def base_folder(self) -> Path | None:
        """The folder of the bundle that it stands on; None for a bundle of its own."""
        return _base_folder(self.folder, self.card.base) if self.card.base is not None else None

    @classmethod
    def load(cls, folder: Path | None = None) -> "Bundle":
        """Reads and verifies a bundle.

        Args:
            folder: Its folder; None for the bundle that comes with foodsort.

        Raises:
            BundleError: The card or a file is missing, has another format, or differs from its digest, or the bundle
                that it stands on is not beside it.
        """
        folder = folder or Path(str(resources.files("models") / "food"))
        path = folder / CARD
        try:
            text = path.read_bytes()
            card = Card.model_validate_json(text)
            if NETWORK not in card.files:
                raise BundleError(f"{path} has no digest of {NETWORK}; copy the bundle again")
            if card.base is not None:
                _verify_base(folder, card.base)
            for name, digest in card.files.items():
                _verify(folder, card, name, digest)
        except OSError as error:
            raise BundleError(f"{folder} is not a complete model bundle: {error.strerror}: {error.filename}") from error
        except ValidationError as error:
            first = error.errors()[0]
            location = ".".join(map(str, first["loc"])) or "the file"
            raise BundleError(
                f"{path} is not the card of a model bundle: {location}: {first['msg']}; train one with `foodsort train`"
            ) from error
        return cls(folder, card, hashlib.sha256(text).hexdigest())

    @classmethod
    def write(cls, folder: Path, card: Card) -> "Bundle":
        """Writes `card.json` with the digests of the files, which must exist in `folder` or in that of the base."""
        files = {name: file_sha256(_path(folder, card, name)) for name in card.files}
        text = card.model_copy(update={"files": files}).model_dump_json(indent=2) + "\n"
        (folder / CARD).write_text(text, encoding="utf-8")
        return cls.load(folder)

    @property
    def heads(self) -> dict[int, Head]:
        """The heads by their sides (pixels), the full side first; none in format 1. Read each time: 18 MB of memory.

        Raises BundleError.
        """
        return load_heads(self.path(HEADS)) if HEADS in self.card.files else {}

    @cached_property
    def sides(self) -> tuple[int, ...]:
        """Sides of the pictures that the network takes (pixels), in the order of its outputs. Raises BundleError."""
        return tuple(self.heads) or (self.card.fit.side,)

    @property
    def used_sides(self) -> tuple[int, ...]:
        """The full side, and the side of the small look if there is one."""
        cascade = self.card.cascade
        return (self.card.fit.side, cascade.side) if cascade else (self.card.fit.side,)

    def without_cascade(self) -> "Bundle":
        """Returns the same model with one look at the full side."""
        candidate = self.candidate.without_cascade() if self.candidate else None
        return Bundle(self.folder, self.card.model_copy(update={"cascade": None}), self.sha256, candidate)

    def with_candidate(self, candidate: "Bundle") -> "Bundle":
        """Returns the same model, whose engines run the heads of a candidate too.

        Raises:
            BundleError: The candidate has another network, or heads for other sides.
        """
        files = [(bundle.card.files.get(NETWORK), bundle.card.files.get(INT8_WEIGHTS)) for bundle in (self, candidate)]
        if files[0] != files[1] or self.sides != candidate.sides or not self.heads:
            raise BundleError(f"{candidate.folder} has another network than {self.folder}; learn again")
        return Bundle(self.folder, self.card, self.sha256, candidate)

    @property
    def all_models(self) -> "tuple[Bundle, ...]":
        """The model, and its candidate if there is one, in the order of an engine's outputs."""
        return (self, self.candidate) if self.candidate else (self,)

    def load_network(self) -> "keras.Model":
        """Loads the float32 Keras network: uint8 RGB (n, side, side, 3) → a logit of each head (n, number of heads).

        The heads of the candidate follow those of the model.

        Raises:
            BundleError: The network or the heads cannot be loaded.
        """
        import keras

        try:
            network = keras.saving.load_model(self.path(NETWORK), compile=False, safe_mode=True)
            heads = [model.heads for model in self.all_models]
            return attach_heads(network, *heads) if heads[0] else network
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BundleError(f"{self.path(NETWORK)} cannot be loaded ({error}); train the bundle again") from error


def folder_name(sha256: str) -> str:
    """Returns the name of the folder of a bundle among others: the first 12 digits of the digest of its card."""
    return sha256[:_DIGITS]


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_network(network: "keras.Model", path: Path) -> None:
    """Saves a float32 network as a `.keras` file with float16 kernels, half the size.

    Keras casts them back when it loads the file. Vectors (biases, batch normalisation) stay float32: they are small,
    and some variances are below the range of float16.
    """
    import io
    import zipfile

    float32_path = path.with_suffix(".float32.keras")
    network.save(float32_path)
    float32_archive = io.BytesIO(float32_path.read_bytes())
    float32_path.unlink()
    with zipfile.ZipFile(float32_archive) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            data = source.read(entry)
            target.writestr(entry, _halve_kernels(data) if entry == _KERAS_WEIGHTS else data)


def _halve_kernels(weights: bytes) -> bytes:
    """Converts the kernels of an HDF5 file of Keras weights to float16."""
    import io

    import h5py
    import numpy as np

    halved = io.BytesIO()
    with h5py.File(io.BytesIO(weights), "r") as source, h5py.File(halved, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                copied = target.require_group(name)
            else:
                values = item[()]
                is_kernel = isinstance(values, np.ndarray) and values.ndim > 1
                copied = target.create_dataset(name, data=values.astype(np.float16) if is_kernel else values)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
    return halved.getvalue()


def _path(folder: Path, card: Card, name: str) -> Path:
    own = folder / name
    return own if card.base is None or own.exists() else _base_folder(folder, card.base) / name


def _base_folder(folder: Path, base: str) -> Path:
    # The folder may be a link to the bundle, or ".", whose parent would be itself.
    return folder.resolve().parent / folder_name(base)


def _verify_base(folder: Path, base: str) -> None:
    path = _base_folder(folder, base) / CARD
    if not path.is_file():
        raise BundleError(
            f"{folder} stands on another model bundle, which is missing: {path.parent}; copy that bundle there too, or "
            "learn again"
        )
    if file_sha256(path) != base:
        raise BundleError(
            f"{path} differs from the digest in {folder / CARD}, whose bundle stands on it; copy the bundle in "
            f"{path.parent} again"
        )


def _verify(folder: Path, card: Card, name: str, digest: str) -> None:
    if Path(name).name != name:
        raise BundleError(f"{folder / CARD} names {name}, which is outside the bundle; copy the bundle again")
    path = _path(folder, card, name)
    if file_sha256(path) != digest:
        raise BundleError(f"{path} differs from its digest in the card (sha256); copy the bundle again")
