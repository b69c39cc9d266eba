"""`params.yaml`: it loads, and whatever is wrong with it is an error that names the key."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from production.inference.params import load_params as load_inference
from production.record.params import load_params as load_record
from production.review.params import load_params as load_review
from production.service.params import load_params as load_service
from production.watch.params import load_params as load_watch
from stages.common.errors import ParameterError
from stages.common.params import SECTIONS
from stages.params import Params, load_params

REAL = Path(__file__).parents[2] / "params.yaml"
CONTENT: dict[str, Any] = yaml.safe_load(REAL.read_text(encoding="utf-8"))


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the paths of all values that are not sections."""
    if not isinstance(node, dict):
        yield path
        return
    for key, value in node.items():
        yield from leaves(value, (*path, key))


def sections(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        yield path
        for key, value in node.items():
            yield from sections(value, (*path, key))


def dotted(path: tuple[str, ...]) -> str:
    return ".".join(path)


LEAVES = list(leaves(CONTENT))
KEYS = [path for path in [*LEAVES, *sections(CONTENT)] if path]


def at(path: tuple[str, ...]) -> Any:
    node: Any = CONTENT
    for key in path:
        node = node[key]
    return node


def refusal(tmp_path: Path, path: tuple[str, ...], value: Any, *, remove: bool = False) -> str:
    """Return the error of `params.yaml` with another value at `path`."""
    content = copy.deepcopy(CONTENT)
    node = content
    for key in path[:-1]:
        node = node[key]
    if remove:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        BESIDE.get(path[0], load_params)(file)
    return str(caught.value)


def test_the_real_file_loads() -> None:
    params = load_params(REAL)
    assert params.train.crf.runs == CONTENT["train"]["crf"]["runs"]
    assert params.validate_.sentence_tokens == CONTENT["validate"]["sentence_tokens"]


STAGES = ["prepare", "validate", "featurize", "train", "evaluate", "monitor"]
BESIDE = {
    "record": load_record,
    "inference": load_inference,
    "service": load_service,
    "review": load_review,
    "watch": load_watch,
}
"""Sections of rooms around the stages."""


def loader_of(stage: str) -> Callable[[Path], Any]:
    loader: Callable[[Path], Any] = import_module(f"stages.{stage}.params").load_params
    return loader


def test_the_sections_are_those_of_the_stages() -> None:
    assert (
        {field.alias or name for name, field in Params.model_fields.items()}
        == {"labels", *STAGES}
        == SECTIONS - BESIDE.keys()
    )


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_its_own_section(stage: str) -> None:
    section, whole = loader_of(stage)(REAL), load_params(REAL)
    if stage == "validate":
        assert (section.prepare, section.validate_) == (whole.prepare, whole.validate_)
    else:
        assert section == getattr(whole, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_not_disturbed_by_a_fault_in_the_section_of_another(tmp_path: Path, stage: str) -> None:
    own = {"labels", "prepare", "validate"} if stage == "validate" else {stage}
    content = {name: value if name in own else {"runz": 1} for name, value in CONTENT.items()}
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(content))
    assert loader_of(stage)(file) == loader_of(stage)(REAL)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_what_is_wrong_in_its_own_section(tmp_path: Path, stage: str) -> None:
    file = tmp_path / "params.yaml"
    for content, message in (
        ({**CONTENT, stage: {**CONTENT[stage], "runz": 1}}, rf"{stage}\.runz: Extra inputs"),
        ({**CONTENT, "trian": {}}, "trian: Extra inputs"),
        ({name: value for name, value in CONTENT.items() if name != stage}, f"{stage}: Field required"),
    ):
        file.write_text(yaml.safe_dump(content))
        with pytest.raises(ParameterError, match=message):
            loader_of(stage)(file)


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_missing_key_is_named(tmp_path: Path, path: tuple[str, ...]) -> None:
    assert f"{dotted(path)}: Field required" in refusal(tmp_path, path, None, remove=True)


@pytest.mark.parametrize("path", list(sections(CONTENT)), ids=lambda path: dotted(path) or "root")
def test_an_unknown_key_is_named(tmp_path: Path, path: tuple[str, ...]) -> None:
    assert f"{dotted((*path, 'runz'))}: Extra inputs" in refusal(tmp_path, (*path, "runz"), 1)


def wrong_types(value: Any) -> list[Any]:
    if isinstance(value, list):
        return ["text", 1, None, [{}], [None]]
    if isinstance(value, str):
        return [1, None, ["text"]]
    if isinstance(value, bool):
        return ["text", str(value), None, [value], 1]
    return ["text", str(value), None, [value], True]


NULLABLE = {("featurize", "terminology")}


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, value) for path in LEAVES for value in wrong_types(at(path)) if value is not None or path not in NULLABLE],
    ids=lambda part: dotted(part) if isinstance(part, tuple) else repr(part),
)
def test_an_ill_typed_value_is_named(tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    assert dotted(path) in refusal(tmp_path, path, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prepare.sentences_per_document", 0),
        ("prepare.sentences_per_document", 2.5),
        ("prepare.dev", -0.1),
        ("prepare.dev", 1.1),
        ("prepare.test", 1.5),
        ("prepare.near_duplicate", 0),
        ("prepare.near_duplicate", 1.01),
        ("prepare.copied", 0),
        ("prepare.copied", 1.01),
        ("validate.sentence_tokens", 0),
        ("validate.label_share", [0.1]),
        ("validate.label_share", [0.1, 0.2, 0.3]),
        ("validate.label_share", [-0.1, 0.5]),
        ("validate.mentions_per_label", -1),
        ("validate.aligned_share", 2),
        ("featurize.minimum_count", 0),
        ("featurize.clusters", [0]),
        ("featurize.clusters", [1.5]),
        ("featurize.topic_clusters", [-3]),
        ("featurize.epochs", 0),
        ("train.family", "transformer"),
        ("train.learning_curve", [0.0]),
        ("train.learning_curve", [1.0]),
        ("train.crf.runs", 0),
        ("train.crf.iterations", 0),
        ("train.crf.aggressiveness", 0),
        ("evaluate.resamples", 0),
        ("evaluate.promised_precision", 0),
        ("evaluate.promised_precision", 1.2),
        ("monitor.columns", []),
        ("monitor.minimum_notes", 0),
        ("monitor.runs", []),
        ("monitor.windows_per_year", 0),
        ("monitor.yearly_significance", 1),
        ("monitor.slices", ["month"]),
        ("monitor.significance", 0),
        ("monitor.significance", 1),
        ("monitor.seed", -1),
    ],
)
def test_a_value_out_of_bounds_is_named(tmp_path: Path, key: str, value: Any) -> None:
    assert key in refusal(tmp_path, tuple(key.split(".")), value)


@pytest.mark.parametrize(
    "key",
    [dotted(path) for path in LEAVES if isinstance(at(path), float)],
)
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_no_number_is_refused(tmp_path: Path, key: str, value: float) -> None:
    path = tuple(key.split("."))
    assert dotted(path[:2]) in refusal(tmp_path, path, value)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("prepare.test", 0.85, "nothing would be left to train on"),
        ("monitor.bands.watch", 6.0, "the bands must ascend"),
        ("monitor.bands.redevelop", 101.0, "the bands must ascend"),
        ("monitor.columns", ["note"], "note is no column of the serving log that can be watched"),
        ("monitor.columns", ["colour"], "colour is no column"),
        ("monitor.columns", ["tokens", "tokens"], "a column is watched twice"),
        ("monitor.runs", [1, 4, 2], "numbers of windows, ascending, from 1 on"),
    ],
)
def test_values_that_contradict_each_other_are_explained(tmp_path: Path, key: str, value: Any, reason: str) -> None:
    message = refusal(tmp_path, tuple(key.split(".")), value)
    assert reason in message
    assert key.partition(".")[0] in message


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    content["prepare"]["dev"] = "much"
    content["train"]["crf"]["runs"] = 0
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ParameterError, match=r"prepare\.dev.*train\.crf\.runs"):
        load_params(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file: "),
        ("[1, 2]", "the file: "),
        ("prepare: [", "is not valid YAML"),
        ("a: b: c", "is not valid YAML"),
        ("a: 2020-13-45", "is not valid YAML"),
        ("a: !!bool y", "is not valid YAML"),
        ("a: !!int ''", "is not valid YAML"),
        ("[" * 5000, "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(ParameterError) as caught:
        load_params(file)
    assert str(file) in str(caught.value)
    assert reason in str(caught.value)


def test_a_file_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(b"prepare: \xff")
    with pytest.raises(ParameterError, match="is not valid YAML"):
        load_params(file)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("train", "seed", 10**24), ("span", "trees", 2**31), ("span", "learning_rate", float("inf"))],
)
def test_a_number_that_no_library_takes_is_refused_by_its_key(
    tmp_path: Path, section: str, key: str, value: float
) -> None:
    content = copy.deepcopy(CONTENT)
    (content["train"] if section == "train" else content["train"][section])[key] = value
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ParameterError, match=rf"{section}\.{key}"):
        load_params(file)


@pytest.mark.parametrize("key", ["entry_minutes", "validation_minutes", "review_seconds"])
@pytest.mark.parametrize("value", [float("inf"), 1e300, -1.0])
def test_time_without_end_is_no_assumption(tmp_path: Path, key: str, value: float) -> None:
    assert key in refusal(tmp_path, ("evaluate", "kpi", key), value)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="run from the root"):
        load_params(tmp_path / "params.yaml")


def test_parameters_do_not_change_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_params(REAL).train.seed = 2  # type: ignore[misc]
