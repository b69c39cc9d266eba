"""The gates between challenger and champion, computed from what was measured. Pure: no server, no git, no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delivery.changes.bootstrap import Difference, paired_difference, verdict
from delivery.errors import DeliveryError
from delivery.registry.measured import behaviour_table, outcome, predicted, share
from delivery.registry.rescoring import Rescored
from stages.common.files import parse_yaml

Status = Literal["passed", "refused", "no champion yet", "not asked"]
"""Not asked: another gate, which needs no model, refuses already."""
Share = Annotated[float, Field(ge=0, le=1)]


class Bounds(BaseModel):
    """`delivery/registry/gate.yaml`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    calibration_error: Share
    significance: Annotated[float, Field(gt=0, lt=1)]
    minimum_functionality: Share
    minimum_documents: Annotated[int, Field(ge=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]
    throughput: Share
    rounds: Annotated[int, Field(ge=1)]
    round_seconds: Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Gate:
    """What one gate says.

    Parameters
    ----------
    name : str
    status : {"passed", "refused", "no champion yet", "not asked"}
    reason : str
        In words, with its numbers; where it refused, what to do.
    numbers : dict
    """

    name: str
    status: Status
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


def read_bounds(content: bytes, name: str) -> Bounds:
    """Read the bounds from the content of a file.

    Parameters
    ----------
    content : bytes
        UTF-8, YAML.
    name : str
        Of the file, for errors.

    Raises
    ------
    DeliveryError
        Names the file and every key at fault: without bounds nothing is promoted.
    """
    try:
        return Bounds.model_validate(parse_yaml(content))
    except yaml.YAMLError as error:
        raise DeliveryError(f"{name} cannot be read ({type(error).__name__}): restore it with git checkout") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise DeliveryError(f"{name}: {faults}") from None


def absolute_gates(metrics: Mapping[str, Any], counts: pd.DataFrame | None, bounds: Bounds) -> Iterator[Gate]:
    """Judge a challenger by itself.

    Parameters
    ----------
    metrics : mapping
        Flat metrics of its commit.
    counts : DataFrame or None
        ``document, label, tp, fp, fn`` of its own test documents.
    bounds : Bounds
    """
    yield _validation(metrics)
    yield _calibration(metrics, bounds)
    yield _promise(metrics, counts, bounds)
    yield _functionality(metrics, bounds)


def _validation(metrics: Mapping[str, Any]) -> Gate:
    passed = metrics.get("validation.passed")
    if passed is None:
        return _missing("validation", "metrics/validation.json")
    numbers = {"errors": metrics.get("validation.errors"), "warnings": metrics.get("validation.warnings")}
    if passed is not True:
        return Gate("validation", "refused", "the data did not pass the gate: see metrics/validation.json", numbers)
    return Gate("validation", "passed", "the data passed the gate", numbers)


def _calibration(metrics: Mapping[str, Any], bounds: Bounds) -> Gate:
    error, bound = share(metrics.get("evaluation.calibration.ece")), bounds.calibration_error
    if error is None:
        return _missing("calibration", "metrics/evaluation.json")
    numbers = {"ece": error, "bound": bound}
    if error > bound:
        reason = f"calibration error {error:.4f} is above {bound}: see plots/calibration.csv, annotate more notes"
        return Gate("calibration", "refused", reason, numbers)
    return Gate("calibration", "passed", f"calibration error {error:.4f} is at most {bound}", numbers)


def _promise(metrics: Mapping[str, Any], counts: pd.DataFrame | None, bounds: Bounds) -> Gate:
    """Test whether the accepted mentions can still have the promised precision (one-sided, exact binomial)."""
    from scipy.stats import binom

    name = "acceptance promise"
    promised, taken, precision = (
        share(metrics.get(f"evaluation.acceptance.{key}")) for key in ("promised", "mentions", "precision")
    )
    mentions = predicted(counts)
    if promised is None or taken is None or mentions is None:
        return _missing(name, "metrics/evaluation.json and metrics/documents.csv")
    accepted = round(taken * mentions)
    numbers = {"promised": promised, "precision": precision, "accepted": accepted}
    if not accepted:
        return Gate(name, "passed", "nothing is accepted without a person, so nothing breaks the promise", numbers)
    if precision is None:
        return _missing(name, "metrics/evaluation.json")
    chance = float(binom.cdf(round(precision * accepted), accepted, promised))
    numbers["chance"] = chance
    said = f"precision {precision:.4f} of {accepted} accepted mentions, {promised} promised"
    if chance < bounds.significance:
        return Gate(name, "refused", f"{said}: train with a smaller train.acceptance.risk", numbers)
    return Gate(name, "passed", said, numbers)


def _functionality(metrics: Mapping[str, Any], bounds: Bounds) -> Gate:
    name = "minimum functionality"
    table = behaviour_table(metrics)
    rates = {key: share(row.get("rate")) for key, row in table.items() if row.get("kind") == name}
    known = {key: rate for key, rate in rates.items() if rate is not None}
    if not rates or len(known) < len(rates):
        return _missing(name, "metrics/behaviour.json")
    low = {key: rate for key, rate in known.items() if rate < bounds.minimum_functionality}
    if low:
        listed = ", ".join(f"{key} {rate:.2f}" for key, rate in low.items())
        reason = f"below {bounds.minimum_functionality}: {listed}; read reports/errors.html, annotate such notes"
        return Gate(name, "refused", reason, dict(rates))
    return Gate(
        name, "passed", f"each of {len(rates)} capabilities at {bounds.minimum_functionality} or more", dict(rates)
    )


_COMPARING = ("test documents", "champion as recorded", "strict F1", "behaviour", "throughput")


def not_computed(gates: Sequence[Gate]) -> Iterator[Gate]:
    """Say of the gates that compare two models that they were not asked, since others refuse already.

    Parameters
    ----------
    gates : sequence of Gate
        What was asked.
    """
    refusing = ", ".join(gate.name for gate in gates if gate.status == "refused")
    reason = f"no model was fetched or run, since {refusing} refuses: mend that first"
    yield from (Gate(name, "not asked", reason) for name in _COMPARING)


def comparing_gates(
    challenger: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    recorded: pd.DataFrame | None,
    rescored: Rescored | None,
    bounds: Bounds,
) -> Iterator[Gate]:
    """Judge a challenger against the champion.

    Parameters
    ----------
    challenger, champion : mapping
        Flat metrics of their commits; the champion's None where there is no champion.
    recorded : DataFrame or None
        The champion's counts as its commit has them.
    rescored : Rescored or None
        Both on the champion's test documents; None where there is no champion.
    bounds : Bounds
    """
    if champion is None or rescored is None:
        yield from (Gate(name, "no champion yet", "there is no champion to compare with") for name in _COMPARING)
        return
    yield _documents(rescored, bounds)
    if rescored.documents:
        yield _as_recorded(recorded, rescored, bounds)
        yield from _scores(rescored, bounds)
        yield _throughput(rescored, bounds)
    yield _behaviour(challenger, champion, bounds)


def _documents(rescored: Rescored, bounds: Bounds) -> Gate:
    numbers = {"documents": rescored.documents, "left_out": rescored.left_out, "bound": bounds.minimum_documents}
    said = (
        f"{rescored.documents} test documents of the champion, {rescored.left_out} left out as the challenger saw them"
    )
    if rescored.documents < bounds.minimum_documents:
        reason = f"{said}; at least {bounds.minimum_documents} are needed: keep prepare.salt, dev and test as they were"
        return Gate("test documents", "refused", reason, numbers)
    return Gate("test documents", "passed", said, numbers)


def _as_recorded(recorded: pd.DataFrame | None, rescored: Rescored, bounds: Bounds) -> Gate:
    """Make sure that the champion is no weaker here than where it was evaluated: the bar must not be lowered."""
    name = "champion as recorded"
    if recorded is None:
        return _missing(name, "metrics/documents.csv of the champion's commit")
    difference = _difference(recorded, rescored.champion, None, bounds)
    numbers = vars(difference)
    if verdict(difference, "higher") == "worse":
        reason = f"rescored, the champion loses {-difference.difference:.4f} of F1: make the environment of its commit"
        return Gate(name, "refused", reason, numbers)
    return Gate(name, "passed", f"rescored, its F1 differs by {difference.difference:+.4f}", numbers)


def _scores(rescored: Rescored, bounds: Bounds) -> Iterator[Gate]:
    labels = sorted(set(rescored.champion["label"]))
    for label in (None, *labels):
        name = f"strict F1, {label or 'all labels'}"
        difference = _difference(rescored.champion, rescored.challenger, label, bounds)
        said = verdict(difference, "higher")
        reason = f"{difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}], {said}"
        yield Gate(name, "refused" if said == "worse" else "passed", reason, vars(difference))


def _throughput(rescored: Rescored, bounds: Bounds) -> Gate:
    numbers = {"ratio": rescored.speed, "bound": bounds.throughput, "seconds": [*rescored.seconds]}
    reason = f"{rescored.speed:.2f} of the champion's, at least {bounds.throughput} is asked"
    if not rescored.speed >= bounds.throughput:
        return Gate("throughput", "refused", f"{reason}: profile it, or make the model smaller", numbers)
    return Gate("throughput", "passed", reason, numbers)


def _behaviour(challenger: Mapping[str, Any], champion: Mapping[str, Any], bounds: Bounds) -> Gate:
    """Compare pass rates by Fisher's exact test, one-sided, corrected for their number (Holm 1979)."""
    from scipy.stats import fisher_exact

    new, old = ({key: outcome(row) for key, row in behaviour_table(side).items()} for side in (challenger, champion))
    malformed = sorted(key for key, was in old.items() if was is None or new.get(key, was) is None)
    if not old or malformed:
        what = f"{', '.join(malformed)} of metrics/behaviour.json" if old else "metrics/behaviour.json of the champion"
        return _missing("behaviour", what)
    gone = sorted(key for key, was in old.items() if was and any(was) and not any(new.get(key) or ()))
    if gone:
        reason = f"no longer tested: {', '.join(gone)}; keep the tests, and the labels that they are about"
        return Gate("behaviour", "refused", reason)
    pairs = {key: (now, was) for key, was in old.items() if was and any(was) and (now := new[key])}
    chances = {key: float(fisher_exact([*pair], alternative="less").pvalue) for key, pair in pairs.items()}
    ranked = sorted(chances, key=lambda key: chances[key])
    worse = []
    for place, key in enumerate(ranked):
        if chances[key] >= bounds.significance / (len(ranked) - place):
            break
        after, before = (side[0] / sum(side) for side in pairs[key])
        worse.append(f"{key} {before:.2f} -> {after:.2f}")
    if worse:
        reason = f"worse beyond noise: {', '.join(worse)}; compare metrics/behaviour.json"
        return Gate("behaviour", "refused", reason, chances)
    return Gate("behaviour", "passed", f"none of {len(chances)} capabilities is worse beyond noise", chances)


def _difference(old: pd.DataFrame, new: pd.DataFrame, label: str | None, bounds: Bounds) -> Difference:
    return paired_difference(old, new, label=label, resamples=bounds.resamples, seed=bounds.seed)


def _missing(name: str, what: str) -> Gate:
    return Gate(name, "refused", f"cannot be computed without {what}: run `dvc repro` and commit metrics/")
