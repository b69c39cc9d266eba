"""The attribute extractor: the same rows in training and production, learned from training text only."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.featurize import collecting
from stages.featurize.attributes import index, kernels
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.forms import flag_bits
from stages.featurize.attributes.parts import Sentences
from stages.featurize.attributes.tokens import SparseTokens
from stages.featurize.attributes.words import OFFSETS, analyse, normalised
from stages.featurize.clusters import Clusters
from stages.featurize.collecting import collect_attributes
from stages.prepare.segmentation import split_sentences, tokenize
from stages.train.taggers.chain import kernels as chain_kernels
from stages.train.taggers.chain.crf import CrfTagger, TagSet
from tests.callers import called

sentence_scores = called(chain_kernels.sentence_scores)

NOTES = [
    "Has tuberous sclerosis complex (TSC). TSC is stable on everolimus 10mg.\nReview in May.",
    "Gout flares (two since June), colchicine 500mcg b.d. given. No fever.",
    "COPD/asthma overlap: salbutamol PRN. Sjögren's not excluded [see letter].",
    "Stable.",
]
CLUSTERS: Clusters = {"gout": ("c64=1", "c256=7"), "asthma": ("c64=1", "c256=8"), "salbutamol": ("c64=2", "c256=9")}

tokens = st.one_of(
    st.sampled_from(["gout", "Gout", "TSC", "(", ")", "[", "]", ",", "tuberous", "sclerosis", "complex", "|", "500"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
contexts = st.lists(st.lists(tokens, max_size=8), max_size=5)


def sentences_of(text: str) -> list[list[str]]:
    return [[text[s:e] for s, e in tokenize(text, start, end)] for start, end in split_sentences(text)]


CONTEXTS = [sentences_of(note) for note in NOTES]


@pytest.fixture(scope="module")
def extractor() -> AttributeExtractor:
    return collect_attributes(CONTEXTS, CLUSTERS)


def arrays_of(table: SparseTokens) -> dict[str, NDArray[np.generic]]:
    """Return every array of the table, those of its surface included, by name."""
    surface = getattr(table, "surface", None)
    return {
        name: value
        for part in (table, surface)
        if part is not None
        for name, value in vars(part).items()
        if isinstance(value, np.ndarray)
    }


def assert_same(left: SparseTokens, right: SparseTokens) -> None:
    ours, theirs = arrays_of(left), arrays_of(right)
    assert ours.keys() == theirs.keys() >= {"starts", "rows", "sentence_starts"}
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def named(extractor: AttributeExtractor, sentences: Sentences) -> list[Counter[str]]:
    """Return the names of the attributes of each token."""
    names, table = extractor.row_names(), extractor.transform(sentences)
    return [
        Counter(names[row] for row in table.rows[first:end])
        for first, end in zip(table.starts[:-1], table.starts[1:], strict=True)
    ]


# --- learning, saving, loading ------------------------------------------------------------------


@pytest.mark.parametrize("sentences", [*CONTEXTS, [], [[]], [["gout"], [], ["asthma"]], sentences_of("Unseen words!")])
def test_a_loaded_extractor_gives_the_same_rows(
    extractor: AttributeExtractor, tmp_path: Path, sentences: Sentences
) -> None:
    extractor.save(tmp_path)
    loaded = AttributeExtractor.load(tmp_path)
    assert_same(loaded.transform(sentences), extractor.transform(sentences))
    assert loaded.row_names() == extractor.row_names()
    assert loaded.n_rows == extractor.n_rows


@given(st.lists(contexts, min_size=1, max_size=3), contexts)
@settings(max_examples=40, deadline=None)
def test_any_tokens_survive_saving(
    tmp_path_factory: pytest.TempPathFactory, train: list[Sentences], new: Sentences
) -> None:
    folder = tmp_path_factory.mktemp("extractor")
    learned = collect_attributes(train, CLUSTERS)
    learned.save(folder)
    loaded = AttributeExtractor.load(folder)
    for sentences in [*train, new]:
        assert_same(loaded.transform(sentences), learned.transform(sentences))


def test_saving_twice_gives_the_same_bytes(extractor: AttributeExtractor, tmp_path: Path) -> None:
    extractor.save(tmp_path / "one")
    extractor.transform(sentences_of("Words that come later change nothing."))
    collect_attributes(CONTEXTS, CLUSTERS).save(tmp_path / "two")
    AttributeExtractor.load(tmp_path / "one").save(tmp_path / "three")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert path.read_bytes() == (tmp_path / "three" / path.name).read_bytes()


def test_no_file_is_a_pickle(extractor: AttributeExtractor, tmp_path: Path) -> None:
    extractor.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".parquet", ".json"}


# --- what is learned, and what is not -------------------------------------------------------------


@given(contexts)
@settings(max_examples=40, deadline=None)
def test_rows_are_those_of_the_table_and_shapes_fit(extractor: AttributeExtractor, sentences: Sentences) -> None:
    table = extractor.transform(sentences)
    lengths = [len(sentence) for sentence in sentences]
    assert len(table) == sum(lengths)
    assert table.sentences == len(sentences)
    assert np.diff(table.sentence_starts).tolist() == lengths
    assert table.starts[0] == 0
    assert (np.diff(table.starts) >= 1).all(), "every token has at least its bias"
    assert table.starts[-1] == len(table.rows)
    assert ((table.rows >= 0) & (table.rows < extractor.n_rows)).all()


def test_every_row_occurs_in_the_training_text(extractor: AttributeExtractor) -> None:
    """Learning numbers what a form would contribute to neighbours, too; those may never occur."""
    counts = extractor.counts(CONTEXTS)
    names = extractor.row_names()
    assert len(counts) == extractor.n_rows
    never = [name for name, count in zip(names, counts, strict=True) if count == 0]
    assert all(name[0] in "+-" or name in ("alone_in_brackets",) for name in never)


def test_unknown_attributes_have_no_row(extractor: AttributeExtractor) -> None:
    (attributes,) = named(extractor, [["Xylophone"]])
    assert not any(name.startswith(("w=", "W=", "st=")) for name in attributes)
    assert {"bias", "first", "last", "f=capitalised", "cl=unknown"} <= set(attributes)


def test_nothing_is_learned_from_text_that_is_transformed(extractor: AttributeExtractor) -> None:
    before = extractor.n_rows, extractor.row_names(), list(extractor.words.lookup.texts)
    extractor.transform(sentences_of("Rheumatoid arthritis (RA) on methotrexate. RA again."))
    assert (extractor.n_rows, extractor.row_names(), list(extractor.words.lookup.texts)) == before
    assert not any("methotrexate" in name for name in extractor.row_names())


def test_the_same_text_gives_the_same_rows_whatever_came_before(extractor: AttributeExtractor) -> None:
    first = extractor.transform(CONTEXTS[1])
    for note in ("Something else (SE). SE", "gout gout gout", NOTES[0]):
        extractor.transform(sentences_of(note))
    assert_same(extractor.transform(CONTEXTS[1]), first)
    assert_same(collect_attributes(CONTEXTS, CLUSTERS).transform(CONTEXTS[1]), first)


def test_the_order_of_contexts_changes_numbers_and_not_names() -> None:
    forwards = collect_attributes(CONTEXTS, CLUSTERS)
    backwards = collect_attributes(CONTEXTS[::-1], CLUSTERS)
    assert sorted(forwards.row_names()) == sorted(backwards.row_names())
    for sentences in CONTEXTS:
        assert named(forwards, sentences) == named(backwards, sentences)


def test_an_empty_training_text_gives_an_extractor_that_works() -> None:
    empty = collect_attributes([], {})
    (attributes,) = named(empty, [["gout"]])
    assert attributes == Counter(["bias", "first", "last"])


# --- sentences and contexts -----------------------------------------------------------------------


@given(contexts)
@settings(max_examples=60, deadline=None)
def test_without_abbreviations_a_context_is_its_sentences(extractor: AttributeExtractor, sentences: Sentences) -> None:
    # With a capital in each sentence; without any, a sentence alone and one among others may be recased differently.
    plain = [["Known", *(token for token in sentence if token != "(")] for sentence in sentences]
    whole = extractor.transform(plain)
    place = 0
    for sentence in plain:
        alone = extractor.transform([sentence])
        rows = whole.rows[whole.starts[place] : whole.starts[place + len(sentence)]]
        np.testing.assert_array_equal(rows, alone.rows)
        place += len(sentence)


def test_sentences_of_the_training_text_see_nothing_of_each_other() -> None:
    """Here every attribute that reached over a sentence end would have been learned."""
    plain = [[[token for token in sentence if token != "("] for sentence in context] for context in CONTEXTS]
    extractor = collect_attributes(plain, CLUSTERS)
    for sentences in plain:
        together = named(extractor, sentences)
        assert together == [attributes for sentence in sentences for attributes in named(extractor, [sentence])]


def test_abbreviations_carry_over_within_a_context_only(extractor: AttributeExtractor) -> None:
    together = named(extractor, [*CONTEXTS[0][:1], ["TSC", "again"]])
    apart = named(extractor, [["TSC", "again"]])
    assert "SFl=complex" in together[-2]
    assert "SFl=complex" not in apart[0]


def test_positions_and_brackets(extractor: AttributeExtractor) -> None:
    a, opening, b, closing, c, last = named(extractor, [["gout", "(", "TSC", ")", "[", "gout"]])
    assert "first" in a
    assert "first" not in opening
    assert "last" in last
    assert {"in_brackets", "alone_in_brackets"} <= set(b)
    assert "in_brackets" in opening
    assert not {"in_brackets", "alone_in_brackets"} & set(closing)
    assert "alone_in_brackets" not in c


def test_pairs_do_not_reach_into_other_sentences(extractor: AttributeExtractor) -> None:
    (gout, flares) = named(extractor, [["Gout", "flares"]])
    assert "stem[0,+1]=gout|flare" in gout
    assert "stem[-1,0]=gout|flare" in flares
    for attributes in named(extractor, [["Gout"], ["flares"]]):
        assert not any("[" in name and "=" in name and "|" in name for name in attributes)


def test_neighbours_at_every_distance(extractor: AttributeExtractor) -> None:
    sentence = ["Review", "in", "May", "gout", "flares", "No", "fever"]
    attributes = named(extractor, [sentence])[3]
    for offset, word in ((-3, "review"), (-2, "in"), (-1, "may"), (1, "flares"), (2, "no")):
        expected = f"{offset:+d}st={word}" if abs(offset) == 3 else f"{offset:+d}w={word}"
        assert attributes[expected] == 1, expected


# --- pruning, counting, caching -------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_pruning_keeps_exactly_the_kept_attributes(extractor: AttributeExtractor, seed: int, share: float) -> None:
    keep = np.random.default_rng(seed).random(extractor.n_rows) < share
    kept = {name for name, kept in zip(extractor.row_names(), keep, strict=True) if kept}
    pruned = extractor.pruned(keep)
    assert pruned.n_rows == keep.sum()
    assert pruned.row_names() == [name for name, kept in zip(extractor.row_names(), keep, strict=True) if kept]
    for sentences in CONTEXTS:
        for before, after in zip(named(extractor, sentences), named(pruned, sentences), strict=True):
            assert after == Counter({name: count for name, count in before.items() if name in kept})


def test_a_pruned_extractor_survives_saving(extractor: AttributeExtractor, tmp_path: Path) -> None:
    pruned = extractor.pruned(extractor.counts(CONTEXTS) >= 2)
    pruned.save(tmp_path)
    loaded = AttributeExtractor.load(tmp_path)
    assert 0 < pruned.n_rows < extractor.n_rows
    for sentences in CONTEXTS:
        assert_same(loaded.transform(sentences), pruned.transform(sentences))


def test_counts_are_those_of_the_names(extractor: AttributeExtractor) -> None:
    expected: Counter[str] = Counter()
    for sentences in CONTEXTS:
        for attributes in named(extractor, sentences):
            expected += attributes
    counts = dict(zip(extractor.row_names(), extractor.counts(CONTEXTS).tolist(), strict=True))
    assert {name: count for name, count in counts.items() if count} == dict(expected)


@pytest.mark.parametrize("size", [0, 1, 5])
def test_a_full_cache_changes_no_row(extractor: AttributeExtractor, size: int) -> None:
    small = AttributeExtractor(
        index=extractor.index,
        pairs=extractor.pairs,
        symbols=extractor.symbols,
        words=extractor.words,
        casing=extractor.casing,
        cache_size=size,
    )
    for sentences in [*CONTEXTS, *CONTEXTS]:
        assert_same(small.transform(sentences), extractor.transform(sentences))


def test_the_table_of_forms_grows(extractor: AttributeExtractor) -> None:
    """More forms than there is room for at first: twice over, in one note."""
    forms = [f"form{number}" if number % 2 else f"f{number}itis" for number in range(3000)]
    for first in (forms, forms[::-1]):
        fresh = extractor.pruned(np.ones(extractor.n_rows, dtype=np.bool_))
        everything = fresh.transform([first])
        for place in (0, 1, 1023, 1024, 2999):
            attributes = everything.rows[everything.starts[place] : everything.starts[place + 1]]
            around = slice(max(0, place - 3), place + 4)
            alone = extractor.transform([first[around]])
            at = place - max(0, place - 3)
            expected = alone.rows[alone.starts[at] : alone.starts[at + 1]]
            if 3 <= place < 2996:
                np.testing.assert_array_equal(attributes, expected)


def names_in(extractor: AttributeExtractor, form: str) -> list[list[int]]:
    """Return the rows of a form at each offset, looked up name by name."""
    known = {name: row for row, name in enumerate(extractor.row_names())}
    return [[known[name] for name in names if name in known] for names in analyse(form, CLUSTERS).attributes]


@given(st.lists(tokens, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_form_table_knows_what_the_names_say(extractor: AttributeExtractor, forms: list[str]) -> None:
    table = extractor.pruned(np.ones(extractor.n_rows, dtype=np.bool_))._forms
    half = len(forms) // 2
    numbers = [*table.number([forms[:half]], half), *table.number([forms[half:], []], len(forms) - half)]
    starts, rows, symbols, flags = table.arrays()
    assert len(table) == len(set(forms))
    for form, number in zip(forms, numbers, strict=True):
        bounds = starts[7 * number : 7 * number + 8].tolist()
        assert [rows[a:b].tolist() for a, b in pairwise(bounds)] == names_in(extractor, form)
        known = analyse(form, CLUSTERS)
        parts = zip(extractor.symbols, (known.stem, known.cluster, known.compressed), strict=True)
        assert symbols[number].tolist() == [1 + int(symbol.find([part])[0]) for symbol, part in parts]
        unknown = normalised(form) not in extractor.words
        assert flags[number] == flag_bits(form) | (kernels.UNKNOWN if unknown else 0)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5), st.sets(st.integers(0, 99), max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_is_hashed_is_what_is_named(forms: list[str], groups: set[int]) -> None:
    """The two readers of the templates agree on any text."""
    clusters = tuple(f"c64={group}" for group in sorted(groups))
    seen = [analyse(form, {normalised(form): clusters}) for form in forms]
    named = [names for form in seen for names in form.attributes]
    rows = {name: row for row, name in enumerate(dict.fromkeys(name for names in named for name in names))}
    known = index.AttributeIndex.of(rows)
    attributes, counts = known.find(seen)
    bounds = np.cumsum([0, *counts.ravel()])
    for number, names in enumerate(named):
        form, column = divmod(number, len(OFFSETS))
        place = 4 * form + abs(OFFSETS[column])
        found = attributes[bounds[place] : bounds[place + 1]]
        assert known.rows[found, column].tolist() == [rows[name] for name in names]


@pytest.mark.parametrize("names", [("w=gout", "w=asthma"), ("w=gout", "-1w=asthma")])
def test_attributes_of_one_hash_are_refused(names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {name: row for row, name in enumerate(names)}
    assert index.AttributeIndex.of(rows).rows.max() == 1
    monkeypatch.setattr(index, "hashes_of", lambda strings: np.zeros(len(strings), dtype=np.uint64))
    with pytest.raises(ValueError, match="the same hash"):
        index.AttributeIndex.of(rows)


def test_a_form_that_cannot_be_analysed_leaves_no_trace(extractor: AttributeExtractor) -> None:
    fresh = extractor.pruned(np.ones(extractor.n_rows, dtype=np.bool_))
    with pytest.raises(AttributeError):
        fresh.transform([["gout", "never", None, "seen"]])  # type: ignore[list-item]
    for sentences in [[["never", "seen"]], *CONTEXTS]:
        assert_same(fresh.transform(sentences), extractor.transform(sentences))


def test_threads_may_share_an_extractor(extractor: AttributeExtractor) -> None:
    shared = extractor.pruned(np.ones(extractor.n_rows, dtype=np.bool_))
    notes = [[[f"word{number}itis", "gout", f"{number}mg"] * 5] * 4 for number in range(300)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shared.transform, notes * 2))
    for note, table in zip(notes * 2, found, strict=True):
        assert_same(table, extractor.transform(note))


loud = st.lists(
    st.lists(st.sampled_from(["ASTHMA", "asthma", "COPD", "GOUTY", "TSC", "(", ")"]), max_size=6), max_size=5
)


@given(loud)
@settings(max_examples=100, deadline=None)
def test_every_note_is_read_as_recased(extractor: AttributeExtractor, sentences: Sentences) -> None:
    """Notes that by their flags need no look at their capitals are those that stay as they are."""
    assert_same(extractor.transform(sentences), extractor.transform(extractor.casing.recased(sentences)))


def test_many_contexts_give_the_pairs_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = collect_attributes(CONTEXTS * 3, CLUSTERS)
    monkeypatch.setattr(collecting, "_KEYS", 4)
    parts = collect_attributes(CONTEXTS * 3, CLUSTERS)
    for one, other in zip(whole.pairs, parts.pairs, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert whole.row_names() == parts.row_names()


# --- names ----------------------------------------------------------------------------------------


def test_names_are_readable_and_unique(extractor: AttributeExtractor) -> None:
    names = extractor.row_names()
    assert len(names) == len(set(names)) == extractor.n_rows
    assert all(name and name.isprintable() for name in names)
    expected = {"bias", "w=gout", "+1w=gout", "stem[-1,0]=tuberous|sclerosis", "cluster[-1,0]=c256=7|cl=unknown"}
    assert expected <= set(names)
    assert "stem[-1,0,+1]=tuberous|sclerosis|complex" in names


@given(st.text(max_size=80))
@settings(max_examples=40, deadline=None)
def test_names_are_unique_for_any_text(text: str) -> None:
    names = collect_attributes([sentences_of(text)], {}).row_names()
    assert len(names) == len(set(names))
    assert all(names)


def test_unknown_share(extractor: AttributeExtractor) -> None:
    assert extractor.transform([["gout", "GOUT", "Xylophone", "250mcg"]]).unknown_share == 0.5
    assert extractor.transform([["999"]]).unknown_share == 0.0 or "000" not in extractor.words
    assert extractor.transform([]).unknown_share == 0.0
    assert extractor.transform([[]]).unknown_share == 0.0


def scores_of(tagger: CrfTagger, table: SparseTokens) -> NDArray[np.float32]:
    """Sum the weights of every token as the decoder does."""
    starts, rows, forms, form_scores, bounds = tagger.inputs(table)
    out = np.empty((len(table), tagger.weights.shape[1]), dtype=np.float32)
    for first, end in pairwise(bounds.tolist()):
        sentence_scores(starts, rows, forms, form_scores, first, end, tagger.weights, out[first:end])
    return out


@settings(deadline=None)
@given(st.lists(contexts, min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_word_forms_summed_once_score_like_their_attributes(
    extractor: AttributeExtractor, notes: list[Sentences], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    tag_set = TagSet(("Disease",))
    weights = generator.normal(size=(extractor.n_rows, len(tag_set.tags))).astype(np.float32)
    tagger = CrfTagger(tag_set, weights, np.zeros((len(tag_set.tags),) * 2, dtype=np.float32))
    summing = extractor.summing(weights)
    for note in notes:
        plain, summed = extractor.transform(note), summing.transform(note)
        np.testing.assert_allclose(scores_of(tagger, summed), scores_of(tagger, plain), atol=1e-4)
        some = np.flatnonzero(generator.random(plain.sentences) < 0.5)
        assert len(summed.rows) <= len(plain.rows)
        np.testing.assert_allclose(scores_of(tagger, summed.take(some)), scores_of(tagger, plain.take(some)), atol=1e-4)


def test_sums_outlive_the_growth_of_their_table(extractor: AttributeExtractor) -> None:
    """What was read before stays right when thousands of forms have come since."""
    tag_set = TagSet(("Disease",))
    weights = np.random.default_rng(1).normal(size=(extractor.n_rows, len(tag_set.tags))).astype(np.float32)
    tagger = CrfTagger(tag_set, weights, np.zeros((len(tag_set.tags),) * 2, dtype=np.float32))
    summing = extractor.summing(weights)
    early = summing.transform(CONTEXTS[0])
    before = scores_of(tagger, early)
    summing.transform([[f"w{i}" for i in range(5000)]])
    np.testing.assert_array_equal(scores_of(tagger, early), before)
    np.testing.assert_array_equal(scores_of(tagger, summing.transform(CONTEXTS[0])), before)
