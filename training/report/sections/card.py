"""The section about a model's card."""

from models.bundle import NETWORK, Bundle
from training.evaluation import cost
from training.report.document import Section, Table


def model_section(bundle: Bundle, engine_name: str) -> Section:
    """Shows the model's card."""
    card = bundle.card
    side, cascade = card.fit.side, card.cascade
    rows = [
        # The digest of the weights, not of the bundle: that one changes when the card gets these metrics.
        ["model", f"{card.name}, made {card.created_at:%Y-%m-%d}; weights {card.files[NETWORK][:12]}"],
        ["engine", engine_name],
        ["input", f"{side} × {side} px, {card.fit.mode}"],
        ["small look", f"{cascade.side} px, decides from a logit of {cascade.margin:.2f}" if cascade else "none"],
        ["cost of a look", f"{cost.multiply_adds(side) / 1e9:.2f} G multiply-adds, proportional to the side squared"],
        ["food if P(food) ≥", f"{card.thresholds.food:.4f}"],
        ["unsure between", f"{card.thresholds.unsure_low:.4f} and {card.thresholds.unsure_high:.4f}"],
        ["digest of the training data", card.data_sha256[:12]],
        ["libraries", ", ".join(f"{name} {release}" for name, release in card.libraries.items())],
    ]
    return Section("model", "Model", tables=[Table(["property", "value"], rows, prose=True)])
