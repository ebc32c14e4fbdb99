from pathlib import Path

import numpy as np
import pytest

from training.fitting import feature_bank
from training.fitting.feature_bank import BankSplit


def split(count: int) -> BankSplit:
    random = np.random.default_rng(count)
    return BankSplit(
        positions={side: random.normal(0, 0.3, (count, 5)).astype(np.float32) for side in (224, 128)},
        labels=np.arange(count) % 2,
        sources=["", "küche", "web"] * (count // 3),
        weights=np.where(np.arange(count) < 2, 3.0, 1.0),
    )


def test_a_bank_is_read_as_it_was_written(tmp_path: Path) -> None:
    bank = {"training": split(12), "guard": split(6)}
    feature_bank.save(tmp_path / "features.npz", bank)
    loaded = feature_bank.load(tmp_path / "features.npz")
    assert list(loaded) == ["training", "guard"]
    for name, expected in bank.items():
        assert list(loaded[name].positions) == [224, 128]
        for side, positions in expected.positions.items():
            np.testing.assert_allclose(loaded[name].positions[side], positions, atol=1e-3)
        assert loaded[name].labels.tolist() == expected.labels.tolist()
        assert loaded[name].sources == expected.sources
        assert loaded[name].weights.tolist() == expected.weights.tolist()


def test_a_bank_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "features.npz").open("wb") as file:
        np.savez(file, **{"training.labels": np.array([{"a": 1}], object)})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="allow_pickle"):
        feature_bank.load(tmp_path / "features.npz")
