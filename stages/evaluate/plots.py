"""The tables under `plots/`; `dvc.yaml` says how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stages.evaluate.curves import precision_by_coverage, reliability
from stages.evaluate.error_analysis import confusion
from stages.evaluate.matching import ComparedDocument, judged
from stages.evaluate.params import EvaluateParams
from stages.evaluate.scores import by_note_type


def plots_of(
    test: Sequence[ComparedDocument], labels: Sequence[str], params: EvaluateParams
) -> dict[str, pd.DataFrame]:
    """Return the table of each plot of the test documents, by file name without ending."""
    return {
        "confusion": confusion(test, labels),
        "calibration": reliability(*judged(test)),
        "precision_coverage": precision_by_coverage(*judged(test)),
        "f1_by_note_type": by_note_type(test, params),
    }
