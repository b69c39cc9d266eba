"""Agreement of annotators, their disputes, and how these become one annotation."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.agreement.__main__ import main
from annotation.agreement.adjudication import DISPUTED, disagreements, resolve, tasks_of
from annotation.agreement.disputes import is_open, settled, stretches_of
from annotation.agreement.panel import Panel, panel_of, read_panel
from annotation.agreement.scores import ALL, agreement, kappa_of, token_labels
from annotation.writers import write
from stages.common.command import COULD_NOT, DONE, REFUSED
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError
from stages.common.scoring import strict_counts
from stages.prepare.formats import jsonl
from stages.prepare.segmentation import split_sentences, tokenize
from tests.labels import LABELS

TEXT = "Known gout and asthma. Start inhaled salbutamol today, stop aspirin."
GOUT, ASTHMA = Mention(6, 10, "Disease"), Mention(15, 21, "Disease")
INHALED, SALBUTAMOL = Mention(29, 47, "Treatment"), Mention(37, 47, "Treatment")
ASPIRIN = Mention(60, 67, "Treatment")
MAPPING = {"Disease": "Disease", "Treatment": "Treatment", "Drug": "Treatment"}


def document(*mentions: Mention, id: str = "n1", text: str = TEXT) -> Document:
    return Document(id, text, tuple(sorted(mentions)))


def panel(**documents: Document) -> Panel:
    return panel_of({"n1": documents})


@st.composite
def annotations(draw: st.DrawFn, text: str = TEXT) -> tuple[Mention, ...]:
    """Mentions that do not overlap, on any characters."""
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=10)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return tuple(Mention(start, end, draw(st.sampled_from(LABELS))) for start, end in pairs)


@st.composite
def panels(draw: st.DrawFn, least: int = 2, most: int = 4) -> Panel:
    names = ["anna", "ben", "cleo", "dan"][: draw(st.integers(least, most))]
    ids = [f"n{number}" for number in range(draw(st.integers(1, 4)))]
    return panel_of({id: {name: Document(id, TEXT, draw(annotations())) for name in names} for id in ids})


def renamed(given: Panel, names: Mapping[str, str]) -> Panel:
    return panel_of(
        {id: {names[name]: found for name, found in versions.items()} for id, versions in given.documents.items()}
    )


def means(given: Panel) -> dict[tuple[str, str], tuple[float | None, ...]]:
    scores = agreement(given, resamples=20, seed=1)
    return {(label, name): tuple(found["mean"]) for label, row in scores.items() for name, found in row.items()}


# --- figures ----------------------------------------------------------------------------------


@given(panels())
@settings(max_examples=50)
def test_the_names_and_the_order_of_the_annotators_do_not_matter(given: Panel) -> None:
    names = dict(zip(given.annotators, reversed(given.annotators), strict=True))
    ours, theirs = means(given), means(renamed(given, names))
    assert ours.keys() == theirs.keys()
    for key, figure in ours.items():
        assert theirs[key] == pytest.approx(figure)


@given(annotations(), st.integers(2, 4))
@settings(max_examples=30)
def test_identical_annotations_agree_fully(mentions: tuple[Mention, ...], annotators: int) -> None:
    given = panel_of({"n1": {f"a{number}": document(*mentions) for number in range(annotators)}})
    for (_, measure), figure in means(given).items():
        assert figure in ((1.0, 1.0, 1.0), (None, None, None)), measure
    if mentions:
        assert means(given)[ALL, "strict"][0] == 1
    assert tasks_of(given, majority=False) == []


@given(panels())
@settings(max_examples=50)
def test_figures_stay_in_their_range_and_lenient_is_no_less_than_strict(given: Panel) -> None:
    found = means(given)
    for (_, measure), (value, low, high) in found.items():
        if value is not None:
            assert low is not None and high is not None
            assert (-1 if measure == "kappa" else 0) <= low <= high <= 1
    strict, lenient = found[ALL, "strict"][0], found[ALL, "lenient"][0]
    assert (strict is None) == (lenient is None)
    assert strict is None or lenient is None or strict <= lenient


@given(annotations(), annotations())
def test_kappa_is_that_of_scikit_learn(ours: tuple[Mention, ...], theirs: tuple[Mention, ...]) -> None:
    tokens = [token for start, end in split_sentences(TEXT) for token in tokenize(TEXT, start, end)]
    one, other = (token_labels(document(*mentions), tokens, LABELS) for mentions in (ours, theirs))
    confusion = np.zeros((3, 3), dtype=np.int64)
    np.add.at(confusion, (one, other), 1)
    with np.errstate(invalid="ignore"):
        expected = cohen_kappa_score(one, other, labels=[0, 1, 2])
    assert kappa_of(confusion) == pytest.approx(expected, nan_ok=True)
    value = means(panel(anna=document(*ours), ben=document(*theirs)))[ALL, "kappa"][0]
    assert (np.nan if value is None else value) == pytest.approx(expected, nan_ok=True)


def test_figures_of_a_known_case() -> None:
    given = panel(anna=document(GOUT, ASTHMA, INHALED), ben=document(GOUT, SALBUTAMOL, ASPIRIN))
    found = means(given)
    assert found[ALL, "strict"][0] == pytest.approx(2 * 1 / 6)
    assert found[ALL, "lenient"][0] == pytest.approx(2 * 2 / 6)
    assert found["Disease", "strict"][0] == pytest.approx(2 / 3)
    assert found["Treatment", "strict"][0] == 0


def test_pairs_that_share_no_document_do_not_count() -> None:
    documents = {
        "n1": {"anna": document(GOUT), "ben": document(GOUT)},
        "n2": {"ben": document(GOUT, id="n2"), "cleo": document(ASTHMA, id="n2")},
        "n3": {"dan": document(GOUT, id="n3")},
    }
    scores = agreement(panel_of(documents), resamples=50, seed=1)
    pairs = scores[ALL]["strict"]["pairs"]
    assert {name: figure.value for name, figure in pairs.items()} == {"anna, ben": 1, "ben, cleo": 0}
    assert scores[ALL]["strict"]["mean"].value == 0.5


def test_more_documents_narrow_the_interval() -> None:
    def width(count: int) -> float:
        versions = {
            f"n{n}": {"a": document(GOUT, id=f"n{n}"), "b": document(GOUT if n % 3 else ASTHMA, id=f"n{n}")}
            for n in range(count)
        }
        figure = agreement(panel_of(versions), resamples=200, seed=1)[ALL]["strict"]["mean"]
        return figure.high - figure.low

    assert 0 < width(300) < width(30) / 2


# --- disputes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ([GOUT], [], "missing"),
        ([GOUT], [GOUT._replace(label="Treatment")], "label"),
        ([INHALED], [SALBUTAMOL], "boundary"),
        ([INHALED], [SALBUTAMOL._replace(label="Disease")], "label and boundary"),
        ([Mention(6, 21, "Disease")], [GOUT, ASTHMA], "boundary"),
    ],
)
def test_disputes_have_a_kind(ours: Sequence[Mention], theirs: Sequence[Mention], kind: str) -> None:
    (stretch,) = stretches_of({"anna": document(*ours), "ben": document(*theirs)})
    assert stretch.disputed
    assert stretch.kind == kind


@given(panels())
def test_every_mention_is_in_one_stretch(given: Panel) -> None:
    for versions in given.documents.values():
        stretches = stretches_of(versions)
        assert all(a.end <= b.start for a, b in pairwise(stretches))
        for name, found in versions.items():
            inside = [m for s in stretches for version, names in s.versions.items() if name in names for m in version]
            assert inside == list(found.mentions)
        assert all(stretch.annotators == len(versions) for stretch in stretches)


@given(panels(least=2, most=2))
@settings(max_examples=50)
def test_undisputed_stretches_are_the_strict_agreement(given: Panel) -> None:
    for versions in given.documents.values():
        one, other = versions.values()
        agreed = [m for s in stretches_of(versions) if not s.disputed for m in settled(s)]
        assert set(agreed) <= set(one.mentions) & set(other.mentions)
        if not any(s.disputed for s in stretches_of(versions)):
            assert len(agreed) == strict_counts(one.mentions, other.mentions).tp


def test_the_majority_decides_from_three_annotators_on() -> None:
    def decided(**documents: Document) -> list[bool]:
        return [not is_open(stretch, majority=True) for stretch in stretches_of(documents)]

    nothing = document()
    assert decided(a=document(GOUT), b=nothing) == [False]
    assert decided(a=document(GOUT), b=document(GOUT), c=nothing) == [True]
    assert decided(a=document(GOUT), b=document(GOUT), c=nothing, d=nothing) == [False]
    (stretch,) = stretches_of({"a": document(GOUT), "b": nothing, "c": nothing})
    assert settled(stretch) == ()
    assert is_open(stretch, majority=False)


# --- adjudication -----------------------------------------------------------------------------


def test_a_task_keeps_what_is_agreed_and_marks_what_is_not() -> None:
    given = panel(
        anna=document(GOUT, ASTHMA, INHALED), ben=document(GOUT, SALBUTAMOL), cleo=document(GOUT, SALBUTAMOL, ASPIRIN)
    )
    (task,) = tasks_of(given, majority=False)
    marked = {"Disease": "Disease" + DISPUTED, "Treatment": "Treatment" + DISPUTED}
    disputed = [mention._replace(label=marked[mention.label]) for mention in (ASTHMA, SALBUTAMOL, ASPIRIN)]
    assert list(task.document.mentions) == [GOUT, *disputed]
    assert task.confidences == [1, 0.3333, 0.6667, 0.3333]
    assert tasks_of(given, majority=True) == []
    assert resolve(given, [], MAPPING, majority=True) == [document(GOUT, SALBUTAMOL)]


@given(panels(), st.booleans())
@settings(max_examples=100)
def test_deciding_as_proposed_settles_everything(given: Panel, majority: bool) -> None:
    tasks = tasks_of(given, majority=majority)
    decided = [
        replace(
            task.document,
            mentions=tuple(m._replace(label=m.label.removesuffix(DISPUTED)) for m in task.document.mentions),
        )
        for task in tasks
    ]
    resolved = resolve(given, decided, MAPPING, majority=majority)
    assert [found.id for found in resolved] == list(given.documents)
    for found in resolved:
        ends = [(mention.start, mention.end) for mention in found.mentions]
        assert all(a[1] <= b[0] for a, b in pairwise(ends))
        assert {mention.label for mention in found.mentions} <= set(LABELS)
        marked = {m for version in given.documents[found.id].values() for m in version.mentions}
        assert set(found.mentions) <= marked


def test_an_open_dispute_is_refused_by_document_and_offset() -> None:
    given = panel(anna=document(GOUT, ASTHMA), ben=document(GOUT))
    with pytest.raises(AnnotationError, match="document n1, offset 15: is disputed, and was not adjudicated"):
        resolve(given, [], MAPPING, majority=False)
    (task,) = tasks_of(given, majority=False)
    with pytest.raises(AnnotationError, match="document n1, offset 15: a disputed mention is not decided yet"):
        resolve(given, [task.document], MAPPING, majority=False)


def test_an_adjudicated_document_of_another_text_or_name_is_refused() -> None:
    given = panel(anna=document(GOUT, ASTHMA), ben=document(GOUT))
    with pytest.raises(AnnotationError, match="document n1, offset 67: was adjudicated with another text"):
        resolve(given, [document(text=TEXT[:-1])], MAPPING, majority=False)
    with pytest.raises(AnnotationError, match="document n9: was adjudicated, and is in none of the exports"):
        resolve(given, [document(id="n9")], MAPPING, majority=False)


def test_documents_of_one_annotator_are_taken_as_they_are() -> None:
    documents = {
        "n1": {"anna": document(GOUT), "ben": document(GOUT)},
        "n2": {"anna": document(ASTHMA, id="n2")},
    }
    assert resolve(panel_of(documents), [], MAPPING, majority=False) == [document(GOUT), document(ASTHMA, id="n2")]


def test_disagreements_show_every_view() -> None:
    given = panel(anna=document(GOUT, INHALED), ben=document(GOUT, SALBUTAMOL), cleo=document(GOUT))
    disputes = [s for s in stretches_of(given.documents["n1"]) if s.disputed]
    (row,) = disagreements(given, disputes).to_dict("records")
    assert (row["document"], row["start"], row["end"], row["kind"]) == ("n1", 29, 47, "missing")
    assert row["before"] + row["text"] + row["after"] == TEXT
    assert row["anna"] == "Treatment: inhaled salbutamol"
    assert row["ben"] == "Treatment: salbutamol"
    assert row["cleo"] == "(nothing)"


# --- exports ----------------------------------------------------------------------------------


@pytest.fixture
def exports(tmp_path: Path) -> list[Path]:
    """Three annotators of one note; they disagree on all but gout."""
    folder = tmp_path / "exports"
    for name, mentions in (
        ("anna", (GOUT, INHALED)),
        ("ben", (GOUT, SALBUTAMOL)),
        ("cleo", (GOUT, SALBUTAMOL._replace(label="Drug"), ASPIRIN)),
    ):
        write([document(*mentions)], folder / f"{name}.jsonl", "jsonl")
    return sorted(folder.iterdir())


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("source_label,label\n" + "".join(f"{a},{b}\n" for a, b in MAPPING.items()))
    return path


def run(exports: Sequence[Path], labels: Path, *more: str) -> int:
    return main([*map(str, exports), "--format", "jsonl", "--labels", str(labels), *more])


def test_an_export_is_named_after_its_annotator_and_its_labels_are_mapped(exports: list[Path]) -> None:
    found = read_panel(exports, "jsonl", MAPPING)
    assert found.annotators == ("anna", "ben", "cleo")
    assert found.documents["n1"]["cleo"].mentions == (GOUT, SALBUTAMOL, ASPIRIN)


def test_other_texts_are_refused_by_document_and_offset(exports: list[Path]) -> None:
    write([document(GOUT, text=TEXT.replace("today", "Today"))], exports[1], "jsonl")
    with pytest.raises(AnnotationError, match="document n1, offset 48: anna and ben had different texts"):
        read_panel(exports, "jsonl", MAPPING)


def test_two_exports_of_one_name_are_refused(exports: list[Path], tmp_path: Path) -> None:
    twin = tmp_path / "anna.jsonl"
    twin.write_bytes(exports[1].read_bytes())
    with pytest.raises(AnnotationError, match="is annotated a second time by anna"):
        read_panel([*exports, twin], "jsonl", MAPPING)


def test_exports_that_share_nothing_are_refused(exports: list[Path]) -> None:
    write([document(GOUT, id="n2")], exports[1], "jsonl")
    with pytest.raises(AnnotationError, match="no document was annotated by two of anna, ben"):
        read_panel(exports[:2], "jsonl", MAPPING)


def test_files_of_sentences_are_compared_block_by_block(tmp_path: Path) -> None:
    for name, tag in (("anna", "B-Disease"), ("ben", "O")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ward.tsv").write_text(f"Known\tO\ngout\t{tag}\n.\tO\n\n" * 6)
    found = read_panel([tmp_path / "anna", tmp_path / "ben"], "iob", MAPPING, sentences_per_document=2)
    assert len(found.documents) == 3
    assert [len(versions["anna"].mentions) for versions in found.documents.values()] == [2, 2, 2]


# --- the command ------------------------------------------------------------------------------


def test_the_screen_and_the_figures_say_no_word_of_a_note(
    exports: list[Path], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(exports, labels, "--json", str(tmp_path / "a.json")) == DONE
    captured = capsys.readouterr()
    shown = f"{captured.out}{captured.err}{(tmp_path / 'a.json').read_text()}"
    assert "n1  29-47  boundary  anna: Treatment 29-47 / ben, cleo: Treatment 37-47" in shown
    for word in ("gout", "asthma", "inhaled", "salbutamol", "aspirin", "Start"):
        assert word not in shown
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["to_adjudicate"] == {"boundary": 1, "missing": 1}
    assert figures["agreement"][ALL]["strict"]["pairs"]["anna, ben"]["value"] == 0.5


def test_disagreements_are_for_their_owner_only(exports: list[Path], labels: Path, tmp_path: Path) -> None:
    path, tasks = tmp_path / "disputes.csv", tmp_path / "tasks.jsonl"
    assert run(exports, labels, "--disagreements", str(path), "--adjudicate", str(tasks)) == DONE
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, tasks)] == [0o600, 0o600]
    assert pd.read_csv(path)["text"].tolist() == ["inhaled salbutamol", "aspirin"]


def test_agreement_below_the_least_is_told_by_the_exit_code(exports: list[Path], labels: Path) -> None:
    assert run(exports, labels, "--least", "0.5") == DONE
    assert run(exports, labels, "--least", "0.9") == REFUSED


def test_agreement_that_cannot_be_computed_is_below_any_least(labels: Path, tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        write([document()], tmp_path / f"{name}.jsonl", "jsonl")
    both = [tmp_path / "anna.jsonl", tmp_path / "ben.jsonl"]
    assert run(both, labels) == DONE
    assert run(both, labels, "--least", "0") == REFUSED


def test_adjudicated_tasks_become_one_export(exports: list[Path], labels: Path, tmp_path: Path) -> None:
    tasks, to = tmp_path / "tasks.jsonl", tmp_path / "batch.jsonl"
    assert run(exports, labels, "--adjudicate", str(tasks)) == DONE
    assert run(exports, labels, "--resolve", str(tasks), "--to", str(to)) == REFUSED
    assert not to.exists()
    tasks.write_text(tasks.read_text().replace(DISPUTED + '"', '"'))
    assert run(exports, labels, "--resolve", str(tasks), "--to", str(to)) == DONE
    assert jsonl.read(to) == [document(GOUT, SALBUTAMOL, ASPIRIN)]


def test_the_majority_alone_writes_the_result(exports: list[Path], labels: Path, tmp_path: Path) -> None:
    to = tmp_path / "batch.jsonl"
    assert run(exports, labels, "--to", str(to)) == REFUSED
    assert run(exports, labels, "--majority", "--to", str(to)) == DONE
    assert jsonl.read(to) == [document(GOUT, SALBUTAMOL)]


def test_tasks_that_exist_are_not_overwritten(exports: list[Path], labels: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("someone's work")
    assert run(exports, labels, "--adjudicate", str(tasks)) == COULD_NOT
    assert tasks.read_text() == "someone's work"


@pytest.mark.parametrize("more", [("--resolve", "x.jsonl"), ("--least", "2")])
def test_wrong_usage(exports: list[Path], labels: Path, more: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(exports, labels, *more)
    assert caught.value.code == 2
