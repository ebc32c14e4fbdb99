"""Learned models for tests: the shipped network with heads of their own, and a judgement."""

import dataclasses
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.registry.promotions import models_folder
from models.bundle import CARD, HEADS, Bundle, folder_name
from models.head import save_heads
from models.judgement import JUDGEMENT, Comparison, JudgedPhoto, Judgement, Verdict

NOTHING = Comparison(n=0, won=0, lost=0, p=1.0, correct_live=0, correct_candidate=0)


def add_model(
    root: Path, bias: float, verdict: Verdict = "better", *, photos: tuple[JudgedPhoto, ...] = (), age_s: float = 0.0
) -> Bundle:
    """Adds a model to a root whose logits differ from the shipped one's by `bias` ÷ temperature."""
    shipped = Bundle.load()
    folder = models_folder(root)
    base = folder / folder_name(shipped.sha256)
    base.mkdir(parents=True, exist_ok=True)
    for name in (CARD, *shipped.card.files):
        if not (base / name).exists():
            os.symlink(shipped.folder / name, base / name)
    new = folder / f".{verdict}{bias}"
    new.mkdir()
    heads = {side: dataclasses.replace(head, bias=head.bias + bias) for side, head in shipped.heads.items()}
    save_heads(new / HEADS, heads)
    made_at = datetime.now(UTC) - timedelta(seconds=age_s)
    card = shipped.card.model_copy(update={"base": shipped.sha256, "created_at": made_at})
    bundle = Bundle.write(new, card)
    judgement = Judgement(
        verdict=verdict,
        reason=f"it is {verdict}",
        labels=30,
        weight=3,
        base=shipped.sha256,
        against=shipped.sha256,
        candidate=bundle.sha256,
        made_at=made_at.isoformat(),
        guard=NOTHING,
        held_out=NOTHING,
        audit=NOTHING,
        photos=photos,
    )
    (new / JUDGEMENT).write_text(judgement.model_dump_json())
    return Bundle.load(new.rename(folder / folder_name(bundle.sha256)))
