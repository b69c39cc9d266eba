"""models + data/prepared -> metrics, predictions, error analysis and plots."""

from __future__ import annotations

import sys
from pathlib import Path

from stages.common.errors import BeHealthyError
from stages.common.files import read_table, write_csv, write_json, write_table, write_text
from stages.common.params import load_params
from stages.common.tables import PREDICTIONS
from stages.evaluate.acceptance import acceptance
from stages.evaluate.comparison import compare, judged
from stages.evaluate.curves import precision_by_coverage, reliability
from stages.evaluate.errors import ERRORS, confusion, error_table
from stages.evaluate.page import page_of
from stages.evaluate.predictions import predict
from stages.evaluate.scores import by_note_type, document_counts, evaluation
from stages.evaluate.summary import show
from stages.train.extractor import Extractor

PREPARED, MODELS = Path("data/prepared"), Path("models")
METRICS, PLOTS, PREDICTED, PAGE = Path("metrics"), Path("plots"), Path("predictions"), Path("reports/errors.html")


def main() -> int:
    """Run the stage."""
    params = load_params().evaluate
    documents, mentions = (read_table(PREPARED / f"{name}.parquet") for name in ("documents", "mentions"))
    tokens = read_table(PREPARED / "tokens.parquet", ["document", "sentence", "start", "end"])
    extractor = Extractor.load(MODELS)
    predictions = predict(PREPARED, ("dev", "test"), extractor)
    part = {split: documents[documents["split"] == split] for split in ("train", "dev", "test")}
    dev, test = (compare(part[split], mentions, predictions) for split in ("dev", "test"))
    training = mentions.loc[mentions["document"].isin(part["train"]["document"]), "text"]
    temperature = getattr(extractor.tagger, "temperature", None)
    try:
        scores = evaluation(test, training, acceptance(dev, test, params.promised_precision), temperature, params)
    except BeHealthyError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    errors = error_table({"dev": dev, "test": test}, tokens)
    write_json(METRICS / "evaluation.json", scores)
    write_csv(METRICS / "documents.csv", document_counts(test))
    write_table(PREDICTED / "predictions.parquet", predictions, PREDICTIONS)
    write_table(PREDICTED / "errors.parquet", errors, ERRORS)
    write_csv(PLOTS / "confusion.csv", confusion(test))
    write_csv(PLOTS / "calibration.csv", reliability(*judged(test)))
    write_csv(PLOTS / "precision_coverage.csv", precision_by_coverage(*judged(test)))
    write_csv(PLOTS / "f1_by_note_type.csv", by_note_type(test, params))
    write_text(PAGE, page_of(errors, "dev" if len(dev) else "test"))
    show(scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
