"""Try it: what the model finds in a note and why, and what the record says treats what. Nothing of it is kept."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.marking import letters_of, marked
from dashboard.model_process import CHAMPION, HERE, Tried, asked, explain, refuse_unfit
from dashboard.parts import missing, section, table
from production.record.question import EXACT, Answer, answer
from production.record.table import PAST_CHANCE, places_of, read_record
from stages.common.wording import counted

EXAMPLE = "Known COPD, no asthma. Mother had breast cancer. Start tiotropium 18 mcg once daily, stop salbutamol."
RECORD = Path("record.parquet")
BUILD = f"python -m production.record build data/annotations/seed-notes data/incoming/notes.jsonl --to {RECORD}"
MODELS = {HERE: "in models/", CHAMPION: "champion of the registry"}
ROWS = 10
_NOTE, _TRIED, _WHY = "try-note", "try-found", "try-why"


def page() -> None:
    """Show the page."""
    st.title("Try it")
    st.caption("A note that you try is not stored, counted or logged. It is gone when you load the page again.")
    with section("A note"):
        _ask()
    tried: tuple[str, Tried] | None = st.session_state.get(_TRIED)
    if tried:
        with section("What the model finds"):
            _show(*tried)
        with section("Why"):
            _explain(*tried)
    with section("What treats what"):
        _search()


def _ask() -> None:
    st.button("Take an example", on_click=_take_example)
    with st.form("try", border=False):
        text = st.text_area("Text of the note", key=_NOTE, height=160)
        source = st.radio("Model", list(MODELS), format_func=MODELS.__getitem__, horizontal=True)
        sent = st.form_submit_button("Find mentions", type="primary")
    if sent:
        for key in (_TRIED, _WHY):
            st.session_state.pop(key, None)
        refuse_unfit(text)
        with st.spinner("Reading; the first note waits until the model is loaded."):
            st.session_state[_TRIED] = text, asked(source).try_out(text)


def _take_example() -> None:
    st.session_state[_NOTE] = EXAMPLE


def _show(text: str, tried: Tried) -> None:
    found = tried.found
    st.html(marked(text, found, tried.labels))
    st.caption(f"Version {tried.model.version}. {_verdict(tried)}")
    if rows := _rows(text, tried):
        table(rows, "Mentions, and what may have been missed")


def _verdict(tried: Tried) -> str:
    if tried.found.accepted:
        return "The note needs no person, at the precision that is promised."
    if not tried.found.mentions and not tried.found.suggestions:
        return "No disease and no treatment was found, and a person has to look at such a note."
    return "A person has to look at the note."


def _rows(text: str, tried: Tried) -> list[dict[str, Any]]:
    letters, rows = letters_of(tried.labels), []
    for kind, spans in (("mention", tried.found.mentions), ("suggestion", tried.found.suggestions)):
        for number, span in enumerate(spans, 1):
            letter = letters.get(span.label, span.label)
            rows.append(
                {
                    "mark": f"{letter}{number}" if kind == "mention" else f"{letter}?",
                    "text": " ".join(text[span.start : span.end].split()),
                    "label": span.label,
                    "of the patient": span.assertion,
                    "confidence": f"{span.confidence:.2f}",
                    "verdict": _judged(kind, accepted=span.accepted),
                }
            )
    return rows


def _judged(kind: str, *, accepted: bool) -> str:
    if kind == "suggestion":
        return "may have been missed"
    return "accepted" if accepted else "a person has to look"


def _explain(text: str, tried: Tried) -> None:
    if not tried.found.mentions:
        st.write("There is nothing to explain: no mention was found.")
        return
    if st.button("Explain the mentions"):
        with st.spinner("Asking the model for its reasons."):
            st.session_state[_WHY] = explain(text, tried.model.models)
    explained = st.session_state.get(_WHY)
    if explained:
        names = [f"{number}. {_surface(text, one)} ({one['label']})" for number, one in enumerate(explained, 1)]
        chosen = st.selectbox("Mention", range(len(names)), format_func=names.__getitem__)
        _reasons(explained[chosen])
    elif explained is not None:
        st.write("The code of this repository finds no mention in it.")


def _surface(text: str, one: dict[str, Any]) -> str:
    return " ".join(text[one["start"] : one["end"]].split())


def _reasons(one: dict[str, Any]) -> None:
    for part in one["parts"]:
        rows = [
            {"speaks": side, "attribute": share["name"], "log odds": f"{share['weight']:+.2f}"}
            for side in ("for", "against")
            for share in part[side]
        ]
        table(rows, f"By the {part['name']}: log odds {part['total']:+.2f}; what weighed most for and against")
    if not one["parts"]:
        st.write("This kind of model gives no reasons.")


def _search() -> None:
    if not RECORD.is_file():
        missing("There is no record of diseases and treatments yet.", BUILD)
        return
    question = st.text_input("Ask the record", placeholder="what treats rheumatoid arthritis?")
    if question.strip():
        _answer(answer(question, _record(str(RECORD), RECORD.stat().st_mtime_ns), None))


@st.cache_data(show_spinner=False, max_entries=1)
def _record(name: str, _changed: int) -> pd.DataFrame:
    return read_record(Path(name))


def _answer(reply: Answer) -> None:
    if not reply.how:
        closest = f" Closest: {', '.join(reply.closest)}." if reply.closest else ""
        st.text(f"The record does not know “{reply.term}”.{closest}")
        return
    how = "" if reply.how == EXACT else f" ({reply.how})"
    names = ", ".join(f"{one.display}, {one.label.lower()} in {counted(one.notes, 'note')}" for one in reply.names)
    st.text(f"{reply.term}{how}: {names}")
    rows = reply.past_chance()
    if len(rows):
        table([_pair(row) for row in rows.head(ROWS).to_dict("records")], "The strongest pairs first")
        st.caption("Standing together in notes is no proof that a treatment works.")
    if hidden := len(reply.rows) - len(rows):
        st.caption(f"{counted(hidden, 'pair')} not shown: may stand together by chance (strength below {PAST_CHANCE}).")
    if reply.flagged:
        st.caption(f"{counted(reply.flagged, 'pair')} not shown: only negated, or of relatives.")


def _pair(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {
        "disease": row["disease"],
        "treatment": row["treatment"],
        "notes": int(row["notes"]),
        "strength": f"{row['strength']:.1f}",
        "closeness": f"{row['closeness']:.2f}",
        "confidence": f"{row['confidence']:.2f}",
        "evidence (note:sentence)": ", ".join(places_of(row["evidence"])[:3]),
    }
