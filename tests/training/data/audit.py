"""An audit with a finding of each kind."""

import pandas as pd

from training.data.audit import Audit, ClassStatistics, DuplicatePair
from training.data.layout import LeftOut, Reason
from training.data.shortcuts import Shortcut
from training.fitting.features import UnreadablePhoto

AUDIT = Audit(
    frame=pd.DataFrame(),
    counts={"training": {"non_food": 3, "food": 4}, "evaluation": {"non_food": 1, "food": 2}},
    unreadable=[UnreadablePhoto("c\n<b>.jpg", "empty", "no | bytes")],
    duplicates=[
        DuplicatePair("a", 0, "training", "b", 1, "evaluation", 0, exact=True),
        DuplicatePair("d", 1, "training", "e", 1, "training", 6, exact=False),
    ],
    leaks=[DuplicatePair("a", 0, "training", "b", 1, "evaluation", 0, exact=True)],
    class_statistics=[ClassStatistics("food", 300, 200, 1000, 5.0, {"JPEG": 5, "PNG": 1})],
    shortcuts=[Shortcut("colour", 100, 0.72, (0.62, 0.8), 0.5, 0.44, 0.5, suspicious=False)],
    one_sided_share=0.25,
    warnings=["something is wrong"],
    left_out=[
        LeftOut("x/.DS_Store", Reason.HIDDEN),
        LeftOut("x/cat\n.jpg", Reason.NO_LABEL),
        LeftOut("x/dog.jpg", Reason.NO_LABEL),
    ],
    notes=["x/manifest.csv is ignored"],
)
