"""data/features -> models: a tagger of the chosen family, calibrated, with its learning curve."""

from __future__ import annotations

import sys
from pathlib import Path

from stages.common.command import without_arguments
from stages.common.files import write_csv
from stages.common.params import load_params

FEATURES = Path("data/features")
MODELS = Path("models")
PLOTS = Path("plots")


def main() -> None:
    """Run the stage."""
    from stages.featurize.attributes.extractor import AttributeExtractor
    from stages.featurize.store import read_features
    from stages.train.held_out import held_out_of
    from stages.train.learning import learn_extractor, learning_curve
    from stages.train.reviewer import acceptance_leaderboard
    from stages.train.taggers.tokens.automl import leaderboard_of

    params = load_params().train
    attributes = AttributeExtractor.load(FEATURES / "extractor")
    train, dev = (read_features(FEATURES / f"{split}.parquet") for split in ("train", "dev"))
    seen, held_out = held_out_of(train, dev, params.seed)

    print(f"train: {params.family}, {len(train.tokens)} tokens, {sum(map(len, train.spans))} mentions", flush=True)
    extractor = learn_extractor(train, seen, held_out, attributes, params)
    extractor.save(MODELS)
    write_csv(PLOTS / "leaderboard.csv", leaderboard_of(extractor.tagger))
    accepting = acceptance_leaderboard(extractor.tagger, train.documents, params.acceptance, params.seed)
    write_csv(PLOTS / "acceptance.csv", accepting)
    if len(accepting):
        print(accepting.to_string(index=False), flush=True)

    whole = extractor.tagger if seen is train else None
    curve = learning_curve(seen, held_out, attributes.n_rows, params, whole)
    write_csv(PLOTS / "learning_curve.csv", curve)
    print(curve.to_string(index=False))


if __name__ == "__main__":
    sys.exit(without_arguments("stages.train", __doc__, main))
