"""data/features -> models: a tagger of the chosen family, calibrated, with its learning curve."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from stages.common.annotated import read_annotated
from stages.common.command import parse_no_arguments, run_command
from stages.common.files import write_csv
from stages.common.labels import load_labels
from stages.common.wording import counted
from stages.train.params import load_params

FEATURES = Path("data/features")
MODELS = Path("models")
PLOTS = Path("plots")


def main() -> None:
    """Run the stage."""
    from stages.featurize.attributes.extractor import AttributeExtractor
    from stages.featurize.store import read_features
    from stages.train.held_out import held_out_of
    from stages.train.learning import learn_extractor, learning_curve
    from stages.train.promises import warnings_of_acceptance
    from stages.train.silence import warnings_of_silence

    params = load_params()
    attributes = AttributeExtractor.load(FEATURES / "extractor")
    train, dev = (read_features(FEATURES / f"{split}.parquet") for split in ("train", "dev"))
    seen, held_out = held_out_of(train, dev, params.seed)

    mentions = counted(sum(map(len, train.spans)), "mention")
    print(f"train: {params.family}, {counted(len(train.tokens), 'token')}, {mentions}", flush=True)
    labels = load_labels()
    annotated = read_annotated(FEATURES)
    for warning in warnings_of_silence((*train.documents, *held_out.documents), annotated, labels):
        print(f"train: warning: {warning}", file=sys.stderr, flush=True)
    learned, reviewers = learn_extractor(train, seen, held_out, attributes, params)
    extractor = replace(learned, labels=labels)
    extractor.save(MODELS)
    for warning in warnings_of_acceptance(extractor.acceptance, labels):
        print(f"train: warning: {warning}", file=sys.stderr, flush=True)
    write_csv(PLOTS / "leaderboard.csv", extractor.tagger.leaderboard())
    write_csv(PLOTS / "acceptance.csv", reviewers)
    if len(reviewers):
        print(reviewers.to_string(index=False), flush=True)

    whole = extractor.tagger if seen is train else None
    curve = learning_curve(seen, held_out, attributes.n_rows, params, whole)
    write_csv(PLOTS / "learning_curve.csv", curve)
    print(curve.to_string(index=False))


if __name__ == "__main__":
    parse_no_arguments("stages.train", __doc__)
    sys.exit(run_command("train", main))
