from models.bundle import NETWORK
from models.decision import Thresholds
from models.images.decode import Fit
from tests.training.conftest import Bundled
from training.report.sections import card


def test_the_model_is_shown_with_its_cost(bundled: Bundled) -> None:
    bundle = bundled(fit=Fit(side=448), thresholds=Thresholds(), files={NETWORK: "0123456789abcdef"})
    rows = dict(card.model_section(bundle, "openvino").tables[0].rows)
    assert rows["model"] == "tiny, made 2026-11-24; weights 0123456789ab"
    assert rows["input"] == "448 × 448 px, stretch"
    assert rows["cost of a look"] == "15.42 G multiply-adds, proportional to the side squared"
    assert rows["engine"] == "openvino"
