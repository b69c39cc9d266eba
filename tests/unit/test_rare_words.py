"""What a model folder tells of the notes: no word of few documents, and no piece that only such words have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from production.explain.explanation import explain
from stages.common.tags import TokenSpan
from stages.evaluate.importance import top_attributes
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.lookup import RARE
from stages.featurize.attributes.terminology import NOTHING, Terminology
from stages.featurize.attributes.words import stem_of
from stages.featurize.collecting import collect_attributes
from stages.featurize.learning import learn_attributes
from stages.params import load_params
from stages.prepare.segmentation import split_sentences, tokenize
from stages.train.extractor import Extractor
from stages.train.taggers.tagger import FAMILIES, family

ROOT = Path(__file__).parents[2]
WORDS = ("gout", "asthma", "eczema", "aspirin", "salbutamol", "emollient")
FRAMES = ("Known {} on {}.", "Started for {} with {}.", "Review of {}, continue {}.")
RARE_WORDS = ("Vanterpool", "Quillmorgan", "7305518864", "Xochiquetzal", "Umbreville", "Thornquistson")
"""Names and a number that stand in one note or in two, one of them often enough to be clustered."""

RARE_NOTES = (
    "Mrs Vanterpool (Vanterpool Quillmorgan, VQ) has gout. VQ is Vanterpool. VQ takes aspirin.",
    "VANTERPOOL: eczema. Hospital number 7305518864, Dr Xochiquetzal.",
    "Seen by Dr Xochiquetzal and Dr Umbreville's team: asthma. Umbrevilles' letter, Umbreville again.",
    "Thornquistson syndrome excluded. Xochiquetzal unavailable.",  # the third note with this one
)


def notes() -> list[str]:
    plain = [FRAMES[n % 3].format(WORDS[n % 3], WORDS[3 + n // 2 % 3]) for n in range(40)]
    return [*plain[:20], *RARE_NOTES, *plain[20:]]


def sentences_of(text: str) -> list[list[str]]:
    return [[text[s:e] for s, e in tokenize(text, start, end)] for start, end in split_sentences(text)]


@pytest.fixture(scope="module")
def attributes() -> AttributeExtractor:
    params = load_params(ROOT / "params.yaml").featurize
    assert params.named_documents == 3
    small = {"clusters": [2], "topic_clusters": [2], "epochs": 1, "terminology": None}
    return learn_attributes([sentences_of(text) for text in notes()], params.model_copy(update=small))


def marked(sentence: list[str]) -> list[TokenSpan]:
    return [(i, i + 1, "Disease" if WORDS.index(w) < 3 else "Treatment") for i, w in enumerate(sentence) if w in WORDS]


@pytest.fixture(scope="module", params=["stacked", "crf", "token-logistic"])
def extractor(request: pytest.FixtureRequest, attributes: AttributeExtractor) -> Extractor:
    params = load_params(ROOT / "params.yaml").train
    crf = params.crf.model_copy(update={"runs": 1, "iterations": 2})
    span = params.span.model_copy(update={"folds": 2, "trees": 5})
    params = params.model_copy(update={"crf": crf, "span": span})
    contexts = [sentences_of(text) for text in notes()]
    sentences = [sentence for context in contexts for sentence in context]
    documents = [str(n) for n, context in enumerate(contexts) for _ in context]
    tagger = family(request.param).fit(
        attributes.transform(sentences),
        [marked(sentence) for sentence in sentences],
        documents=documents,
        n_rows=attributes.n_rows,
        params=params,
    )
    return Extractor(attributes, tagger)


def content(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield all that can be read in each file: the strings of a table, or its bytes, one or four a character."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":  # compressed: its bytes tell nothing
            table = pq.read_table(path)
            for column in table.columns:
                values = column.combine_chunks().flatten() if pa.types.is_list(column.type) else column
                if pa.types.is_string(values.type):
                    yield path.name, "\n".join(value for value in values.to_pylist() if value).lower()
            yield path.name, f"{table.schema} {pq.read_metadata(path).metadata}".lower()
        elif path.suffix == ".json":
            yield path.name, re.sub("[0-9a-f]{64}", "", path.read_text(encoding="utf-8")).lower()
        else:
            assert path.suffix == ".npy"
            assert np.load(path).dtype.kind in "fiu", "numbers only"
            for step in (1, 4):
                yield path.name, " ".join(path.read_bytes()[i::step].decode("latin-1").lower() for i in range(step))


def pieces_of_rare_words() -> set[str]:
    """Return the pieces of four letters and more of the rare words that no other word has."""
    others = " ".join(word.lower() for text in notes() for word in re.findall(r"\w+", text) if not is_rare(word))
    rare = [word.lower() for word in RARE_WORDS if word != "Xochiquetzal"]
    found = {word[i:j] for word in rare for i in range(len(word)) for j in range(i + 4, len(word) + 1)}
    return {piece for piece in found if piece not in others}


def is_rare(word: str) -> bool:
    return word != "Xochiquetzal" and any(word.lower().startswith(name.lower()) for name in RARE_WORDS)


def test_no_file_of_a_model_tells_a_rare_word(extractor: Extractor, tmp_path: Path) -> None:
    extractor.save(tmp_path / "models")
    extractor.attributes.save(tmp_path / "features")
    pieces = pieces_of_rare_words()
    assert {"vanterpool", "terp", "quillmorgan", "brevil", "7305518864", "quistson"} <= pieces
    read = list(content(tmp_path))
    assert {"names.parquet", "symbols.parquet", "words.parquet", "casing.parquet"} <= {name for name, _ in read}
    for name, text in read:
        told = sorted(piece for piece in pieces if piece in text)
        assert not told, (name, told[:5])


def test_frequent_words_and_those_of_a_terminology_keep_their_names(attributes: AttributeExtractor) -> None:
    names = attributes.row_names()
    assert {"w=gout", "-1w=known", "W=Xochiquetzal", "n=^go", "st=asthma"} <= set(names)
    assert attributes.words.members().keys() >= {"gout", "asthma"}
    texts = [sentences_of(text) for text in notes()]
    terms = Terminology.of([("Thornquistson Syndrome", "disease"), ("7305518864", "chemical")])
    known = collect_attributes(texts, {}, terms, named_documents=3).row_names()
    assert {"w=thornquistson", "w=syndrome"} <= set(known)
    assert not any("7305518864" in name or "0000000000" in name for name in known), "a number is no term"


def test_a_word_is_named_from_the_document_on_that_the_parameter_says() -> None:
    texts = [[["Umbreville", "again"]], [["umbreville"], ["umbreville"]], [["UMBREVILLE", "gout"]]]
    told = ["w=umbreville" in collect_attributes(texts, {}, NOTHING, named_documents=k).row_names() for k in (3, 4)]
    assert told == [True, False]


def test_what_is_hidden_is_found_all_the_same(attributes: AttributeExtractor) -> None:
    """Hashes change no row: the same text has the same attributes as where every name is kept."""
    texts = [sentences_of(text) for text in notes()]
    named = collect_attributes(texts, attributes.words.clusters_of(all_words(texts)))
    for text in [*texts, sentences_of("Unheard-of Vanterpools, VANTERPOOL SHOUTING LOUDLY AGAIN, vq.")]:
        assert named.transform(text).rows.tolist() == attributes.transform(text).rows.tolist()
    names = attributes.row_names()
    assert any(name == f"-1{RARE}" for name in names) and any(f"={RARE}|" in name for name in names)


def all_words(texts: list[list[list[str]]]) -> list[str]:
    words = {word.lower() for text in texts for sentence in text for word in sentence}
    return sorted(words | {stem_of(word) for word in words})


def test_an_explanation_names_the_words_of_its_own_text_only(extractor: Extractor, tmp_path: Path) -> None:
    extractor.save(tmp_path)
    loaded = Extractor.load(tmp_path)
    texts = sentences_of(RARE_NOTES[0])
    whole = loaded.attributes.row_names([texts])
    used = {whole[row] for row in loaded.attributes.transform(texts).rows.tolist()}
    assert not any(RARE in name for name in used)
    assert {name for name in used if "vanterpool" in name}
    other = loaded.attributes.row_names([sentences_of("Known gout on aspirin.")])
    assert not any("vanterp" in name.lower() for name in other)
    shares: list[Any] = [share for span in explain(loaded, RARE_NOTES[0]) for share in (span.chain or span).shares]  # type: ignore[union-attr]
    assert shares and not any(RARE in share.name for share in shares)
    table = top_attributes(loaded, top=10_000)
    assert len(table)
    assert not table["attribute"].str.contains("(rare", regex=False).any()
    assert not any(piece in name.lower() for piece in pieces_of_rare_words() for name in table["attribute"])


def test_the_order_of_the_tables_does_not_sort_hidden_words(attributes: AttributeExtractor, tmp_path: Path) -> None:
    """Between two neighbours of the alphabet a hidden word would be half told."""
    attributes.save(tmp_path)
    for name in ("words", "casing"):
        keys = pq.read_table(tmp_path / f"{name}.parquet")["key"].to_numpy()
        assert (np.diff(keys.astype(object)) > 0).all()


def test_every_family_is_looked_at() -> None:
    """TokenAutoml keeps its weights as TokenLogistic does: one test for both."""
    assert set(FAMILIES) == {"stacked", "crf", "token-logistic", "token-automl"}
