"""data/prepared -> data/features: sparse attributes, and the extractor that production uses too."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from stages.common.annotated import read_annotated, write_annotated
from stages.common.command import parse_no_arguments, run_command
from stages.common.errors import RefusedError
from stages.common.files import read_json
from stages.common.wording import counted
from stages.featurize.params import load_params

PREPARED = Path("data/prepared")
FEATURES = Path("data/features")
GATE = Path("metrics/validation.json")


def main() -> None:
    """Run the stage."""
    from stages.featurize.learning import learn_attributes
    from stages.featurize.store import SplitSentences, read_contexts, write_features

    params = load_params()
    if read_json(GATE)["passed"] is not True:
        raise RefusedError(f"{GATE} says that the data did not pass; nothing is learned from it")
    print("featurize: learning word clusters and attributes from the training split", flush=True)
    extractor = learn_attributes(SplitSentences(PREPARED, "train"), params)
    extractor.save(FEATURES / "extractor")
    print(
        f"featurize: {extractor.n_rows} attributes, {sum(map(bool, extractor.words.clusters))} clustered words",
        flush=True,
    )
    write_annotated(FEATURES, read_annotated(PREPARED))
    for split in ("train", "dev", "test"):
        path = FEATURES / f"{split}.parquet"
        tokens = write_features(path, read_contexts(PREPARED, split), extractor)
        print(f"featurize: {split}: {counted(tokens, 'token')}, {path.stat().st_size / 1e6:.1f} MB", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"featurize: peak memory {peak:.0f} MB")


if __name__ == "__main__":
    parse_no_arguments("stages.featurize", __doc__)
    sys.exit(run_command("featurize", main))
