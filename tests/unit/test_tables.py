"""Tables of `prepare`: offsets are the text's, and nothing that was annotated is lost or bent."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.documents import Document, Mention
from stages.common.tables import DOCUMENTS, MENTIONS, TOKENS
from stages.common.tags import is_valid_iob2, spans_of
from stages.prepare.segmentation import split_sentences, tokenize
from stages.prepare.tables import PlacedDocument, Tables, blocks_of, build_tables
from tests.steps import assert_linear

MAPPING = {"D": "Disease", "T": "Treatment"}
PIECES = ["gout", "asthma", " ", "  ", "\n", "\n\n", ". ", "500mg", "co-amoxiclav", "COPD/", "ß", "🙂", "- ", "(", "é"]


def placed(document: Document, split: str = "train") -> PlacedDocument:
    return PlacedDocument(document, "batch", f"batch/{document.id}", "group", split, MAPPING, f"public-{document.id}")


def tables_of(text: str, *mentions: tuple[int, int, str], **more: object) -> Tables:
    document = Document("n1", text, tuple(Mention(*mention) for mention in mentions), **more)  # type: ignore[arg-type]
    return build_tables([placed(document)])


def tags_of(tables: Tables) -> list[tuple[str, str]]:
    return list(zip(tables.tokens["text"], tables.tokens["tag"], strict=True))


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a document with mentions anywhere: in tokens, over sentence ends, on white space; none overlap."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=25)))
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=12, unique=True).map(sorted))
    mentions = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        mentions.append(Mention(start, end, draw(st.sampled_from("DT"))))
    return Document("n1", text, tuple(mentions))


@given(documents())
def test_offsets_are_those_of_the_text(document: Document) -> None:
    tables = build_tables([placed(document)])
    for table in (tables.tokens, tables.mentions):
        for start, end, text in table[["start", "end", "text"]].to_numpy().tolist():
            assert document.text[start:end] == text
    assert list(tables.documents["text"]) == [document.text]


@given(documents())
def test_every_mention_is_kept_with_its_meaning(document: Document) -> None:
    tables = build_tables([placed(document)])
    rows = tables.mentions[["start", "end", "source_label", "label"]].itertuples(index=False, name=None)
    assert list(rows) == [(*mention, MAPPING[mention.label]) for mention in document.mentions]
    unaligned = tables.report["inside_token"] + tables.report["across_sentences"]
    assert unaligned == (~tables.mentions["aligned"].astype(bool)).sum()
    assert tables.report["mentions"] == len(document.mentions)


@given(documents())
def test_tags_are_always_valid(document: Document) -> None:
    tables = build_tables([placed(document)])
    for _, sentence in tables.tokens.groupby("sentence"):
        assert is_valid_iob2(list(sentence["tag"]))
        assert list(sentence["token"]) == list(range(len(sentence)))


@given(documents())
def test_aligned_mentions_are_exactly_what_the_tags_say(document: Document) -> None:
    """Unaligned mentions never bend an aligned one; at most they add tags of their own."""
    tables = build_tables([placed(document)])
    tagged = set()
    for _, sentence in tables.tokens.groupby("sentence"):
        rows = list(sentence[["start", "end", "tag"]].itertuples(index=False, name=None))
        for first, last, label in spans_of([tag for _, _, tag in rows]):
            tagged.add((rows[first][0], rows[last - 1][1], label))
    aligned = tables.mentions[tables.mentions["aligned"].astype(bool)]
    assert set(aligned[["start", "end", "label"]].itertuples(index=False, name=None)) <= tagged
    assert len(tagged) <= len(document.mentions)


def test_a_plain_note() -> None:
    tables = tables_of("Gout on co-amoxiclav.", (0, 4, "D"), (8, 20, "T"))
    assert tags_of(tables) == [
        ("Gout", "B-Disease"),
        ("on", "O"),
        ("co", "B-Treatment"),
        ("-", "I-Treatment"),
        ("amoxiclav", "I-Treatment"),
        (".", "O"),
    ]
    assert tables.report == {
        "documents": 1,
        "sentences": 1,
        "tokens": 6,
        "mentions": 2,
        "inside_token": 0,
        "across_sentences": 0,
    }
    assert list(tables.documents) == DOCUMENTS.names
    assert list(tables.tokens) == TOKENS.names
    assert list(tables.mentions) == MENTIONS.names


def test_neighbouring_mentions_stay_two() -> None:
    tables = tables_of("gout asthma", (0, 4, "D"), (5, 11, "D"))
    assert [tag for _, tag in tags_of(tables)] == ["B-Disease", "B-Disease"]


@pytest.mark.parametrize(
    ("text", "mention", "kind", "tags"),
    [
        ("osteoarthritis now", (5, 14, "D"), "inside_token", ["B-Disease", "O"]),
        ("gout  now", (0, 5, "D"), "inside_token", ["B-Disease", "O"]),
        ("One had gout.\n\nAsthma too.", (8, 21, "D"), "across_sentences", None),
        ("gout  now", (4, 6, "D"), "across_sentences", ["O", "O"]),
    ],
    ids=["half a word", "trailing space", "two sentences", "only space"],
)
def test_a_mention_that_tags_cannot_express_is_counted_and_kept(
    text: str, mention: tuple[int, int, str], kind: str, tags: list[str] | None
) -> None:
    tables = tables_of(text, mention)
    assert tables.report[kind] == 1
    assert tables.report["inside_token"] + tables.report["across_sentences"] == 1
    assert list(tables.mentions["aligned"]) == [False]
    found = [tag for _, tag in tags_of(tables)]
    assert found == tags if tags else set(found) == {"O"}


def test_two_mentions_in_one_token_are_one_tag() -> None:
    tables = tables_of("osteoarthritis", (0, 5, "D"), (5, 14, "T"))
    assert [tag for _, tag in tags_of(tables)] == ["B-Disease"]
    assert tables.report["inside_token"] == 2


def test_measured_seconds_are_kept() -> None:
    assert tables_of("Gout.", seconds=61.5).documents["seconds"].tolist() == [61.5]
    assert tables_of("Gout.").documents["seconds"].tolist() == [None]


def test_metadata_is_kept_and_absent_metadata_is_null() -> None:
    tables = tables_of("Gout.", metadata={"sex": "female"})
    assert tables.documents.loc[0, "sex"] == "female"
    assert tables.documents.loc[0, "month"] is None


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_document_has_no_tokens(text: str) -> None:
    tables = tables_of(text)
    assert (len(tables.documents), len(tables.tokens), tables.report["sentences"]) == (1, 0, 0)


def test_nothing_gives_empty_tables() -> None:
    tables = build_tables([])
    assert [len(frame) for frame in (tables.documents, tables.tokens, tables.mentions)] == [0, 0, 0]
    assert list(tables.tokens) == TOKENS.names


def test_fixed_sentences_are_taken_as_they_are() -> None:
    tables = tables_of("Dr . Who had gout", sentences=((0, 4), (5, 17)))
    assert tables.tokens.groupby("sentence")["text"].agg(" ".join).tolist() == ["Dr .", "Who had gout"]


# --- blocks -------------------------------------------------------------------------------------


@st.composite
def streams(draw: st.DrawFn) -> Document:
    """Draw a file of sentences; mentions are words of them."""
    text, sentences, mentions = "", [], []
    for lengths in draw(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=12)):
        start = len(text)
        for length in lengths:
            if draw(st.booleans()):
                mentions.append(Mention(len(text), len(text) + length, draw(st.sampled_from("DT"))))
            text += "x" * length + " "
        sentences.append((start, len(text) - 1))
        text = text[:-1] + "\n"
    return Document("file", text[:-1], tuple(mentions), tuple(sentences), stream=True)


@given(streams(), st.integers(1, 5))
def test_blocks_partition_sentences_and_mentions(stream: Document, size: int) -> None:
    blocks = blocks_of(stream, size)
    assert [block.id for block in blocks] == [f"file#{number:05d}" for number in range(len(blocks))]
    sentences, mentions = [], []
    for block in blocks:
        assert not block.stream
        assert block.sentences is not None
        assert 1 <= len(block.sentences) <= size
        sentences += [block.text[start:end] for start, end in block.sentences]
        mentions += [(block.text[mention.start : mention.end], mention.label) for mention in block.mentions]
        assert all(0 <= mention.start < mention.end <= len(block.text) for mention in block.mentions)
    assert stream.sentences is not None
    assert sentences == [stream.text[start:end] for start, end in stream.sentences]
    assert mentions == [(stream.text[mention.start : mention.end], mention.label) for mention in stream.mentions]
    assert len(blocks) == -(-len(stream.sentences) // size)


@given(streams(), st.integers(1, 5))
def test_blocks_have_the_same_tokens_and_tags_as_their_file(stream: Document, size: int) -> None:
    whole = build_tables([placed(stream)]).tokens
    parts = build_tables([placed(block) for block in blocks_of(stream, size)]).tokens
    pd.testing.assert_frame_equal(whole[["text", "tag"]], parts[["text", "tag"]])


def test_metadata_travels_with_every_block() -> None:
    stream = Document("f", "a\nb", (), ((0, 1), (2, 3)), {"sex": "male"}, stream=True)
    assert [block.metadata for block in blocks_of(stream, 1)] == [{"sex": "male"}] * 2


def aligned_by_scanning(document: Document) -> list[bool]:
    """Look at every token for every mention, as slow as it is plain."""
    sentences = [tokenize(document.text, start, end) for start, end in split_sentences(document.text)]
    aligned = []
    for start, end, _ in document.mentions:
        touched = [
            (n, token)
            for n, sentence in enumerate(sentences)
            for token in sentence
            if token.start < end and start < token.end
        ]
        whole = bool(touched) and touched[0][0] == touched[-1][0]
        aligned.append(whole and (touched[0][1].start, touched[-1][1].end) == (start, end))
    return aligned


@given(documents())
def test_mentions_are_placed_as_by_looking_at_every_token(document: Document) -> None:
    assert build_tables([placed(document)]).mentions["aligned"].tolist() == aligned_by_scanning(document)


@pytest.mark.parametrize("end", [" ", ". Then ", "\n"])
def test_a_note_of_many_mentions_takes_time_in_proportion(end: str) -> None:
    def work(size: int) -> Callable[[], object]:
        text = f"gout{end}" * size
        step = len(f"gout{end}")
        mentions = tuple(Mention(place * step, place * step + 4, "D") for place in range(size))
        return lambda: build_tables([placed(Document("n1", text, mentions))])

    assert_linear(work, 200)
