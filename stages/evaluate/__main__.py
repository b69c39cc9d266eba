"""models + data/prepared -> metrics, predictions, error analysis and plots."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.common.annotated import read_annotated
from stages.common.command import parse_no_arguments, run_command
from stages.common.files import read_table, write_csv, write_json, write_table, write_text
from stages.common.labels import load_labels
from stages.common.tables import PREDICTIONS
from stages.evaluate.params import EvaluateParams, load_params
from stages.evaluate.summary import show

PREPARED, MODELS = Path("data/prepared"), Path("models")
METRICS, PLOTS, PREDICTED, PAGE = Path("metrics"), Path("plots"), Path("predictions"), Path("reports/errors.html")


def evaluate(params: EvaluateParams, labels: Sequence[str]) -> dict[str, Any]:
    """Load, tag, match_documents, score, save."""
    from stages.evaluate.accepted import accepted, accepted_spans
    from stages.evaluate.behaviour import behaviour
    from stages.evaluate.error_analysis import ERRORS, error_table
    from stages.evaluate.importance import top_attributes
    from stages.evaluate.kpi import kpi, work_left
    from stages.evaluate.matching import match_documents
    from stages.evaluate.minutes import step_times
    from stages.evaluate.page import page_of
    from stages.evaluate.plots import plots_of
    from stages.evaluate.predictions import predict
    from stages.evaluate.scores import document_counts, evaluation
    from stages.evaluate.sensitivity import sensitivity
    from stages.train.extractor import load_extractor

    documents, tokens, mentions = (read_table(PREPARED / f"{n}.parquet") for n in ("documents", "tokens", "mentions"))
    extractor = load_extractor(MODELS, labels)
    predictions = predict(PREPARED, ("dev", "test"), extractor)
    train, dev_part, test_part = (documents[documents["split"] == split] for split in ("train", "dev", "test"))
    annotated = read_annotated(PREPARED)
    dev, test = (match_documents(part, mentions, *predictions, annotated=annotated) for part in (dev_part, test_part))
    training = mentions.loc[mentions["document"].isin(train["document"]), "text"]
    temperature = extractor.tagger.temperature
    scores = evaluation(test, training, accepted(test, extractor.acceptance, labels), temperature, labels, params)
    work, minutes = work_left(test, extractor.acceptance), step_times(params.kpi, entry=documents["seconds"].tolist())
    errors = error_table({"dev": dev, "test": test}, tokens)
    write_json(METRICS / "evaluation.json", scores)
    write_json(METRICS / "kpi.json", kpi(work, minutes, params))
    capabilities = behaviour(extractor, test_part["text"], labels, params.seed)
    write_json(METRICS / "behaviour.json", capabilities)
    taken = [accepted_spans(document, extractor.acceptance) for document in test]
    write_csv(METRICS / "documents.csv", document_counts(test, test_part["public_name"], labels, taken))
    write_table(PREDICTED / "predictions.parquet", predictions.mentions, PREDICTIONS)
    write_table(PREDICTED / "suggestions.parquet", predictions.suggestions, PREDICTIONS)
    write_table(PREDICTED / "errors.parquet", errors, ERRORS)
    for name, table in plots_of(test, labels, params).items():
        write_csv(PLOTS / f"{name}.csv", table)
    write_csv(PLOTS / "kpi_sensitivity.csv", sensitivity(work, minutes, params))
    write_csv(PLOTS / "attributes.csv", top_attributes(extractor))
    write_text(PAGE, page_of(errors, "dev" if dev else "test"))
    return scores


def main() -> None:
    """Run the stage."""
    show(evaluate(load_params(), load_labels()))


if __name__ == "__main__":
    parse_no_arguments("stages.evaluate", __doc__)
    sys.exit(run_command("evaluate", main))
