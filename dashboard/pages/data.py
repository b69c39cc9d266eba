"""Data: what was annotated, what the gate said of it, how far people agree, and what comes in and waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.parts import command_to_copy, missing, section, table
from dashboard.rolled import rolled_up
from dashboard.wording import STEPS, STRATA, lasting
from delivery.revision.history import history_of
from stages.common.wording import counted
from stages.prepare.batches import load_batches

if TYPE_CHECKING:
    from stages.prepare.batches import Batch

BATCHES = Path("data/annotations")
GATE, KPI, AGREEMENT = Path("metrics/validation.json"), Path("metrics/kpi.json"), Path("reports/agreement.json")
STATES = 10
"""Of the gate, that are shown."""
_AGREE = f"python -m annotation.agreement EXPORT EXPORT --format FORMAT --json {AGREEMENT}"
_NEXT = "python -m annotation.queue data/incoming/notes.jsonl --count 20 --tool label-studio --to annotating/tasks.json"


def page() -> None:
    """Show the page."""
    st.title("Data")
    for title, show in (
        ("Batches", _batches),
        ("Minutes", _minutes),
        ("The gate", _gate),
        ("Agreement", _agreement),
        ("Intake and quarantine", _intake),
        ("Queue", _queue),
    ):
        with section(title):
            show()


def _batches() -> None:
    batches = load_batches(BATCHES) if BATCHES.is_dir() else []
    if not batches:
        missing("No annotated batch is here.", "make data")
        return
    table([_of_batch(batch) for batch in batches], "Annotated batches, in their order")


def _of_batch(batch: Batch) -> dict[str, Any]:
    about = batch.about
    return {
        "batch": batch.name,
        "notes": about.documents,
        "mentions": about.mentions,
        "annotates": ", ".join(about.labels) if about.labels else "all labels that it has",
        "split": about.split or "by content",
        "format": about.format,
    }


def _minutes() -> None:
    kpi = _read(KPI)
    if kpi is None:
        missing("The minutes are not known: nothing was evaluated yet.", "make repro")
        return
    rows = [
        {
            "step": STEPS.get(step, step),
            "time": lasting(said["value"]),
            "source": said["source"],
            "notes measured": said["notes"],
        }
        for step, said in kpi["minutes"].items()
    ]
    table(rows, "What the steps by hand take")
    if any(said["source"] == "assumed" for said in kpi["minutes"].values()):
        st.caption("Assumed minutes stand in params.yaml, under evaluate.kpi; batches that bring minutes replace them.")


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _gate() -> None:
    now = _read(GATE)
    if now is None:
        missing("The gate has not looked at any data yet.", "make repro")
        return
    said = "✓ The data passed the gate" if now["passed"] else "✗ The data did not pass the gate"
    st.write(f"{said}: {counted(now['errors'], 'error')}, {counted(now['warnings'], 'warning')}.")
    if now["documents"]:
        rows = [
            {"split": split, "notes": notes, **now["mentions"].get(split, {})}
            for split, notes in now["documents"].items()
        ]
        table(rows, "Notes and mentions by split")
    if found := now["checks"]:
        rows = [{"check": name, "severity": one["severity"], "count": one["count"]} for name, one in found.items()]
        table(rows, "What the gate found")
    if states := _states():
        table(states, "How the gate has changed with commits; the newest first")


@st.cache_data(ttl=300, show_spinner=False)
def _states() -> list[dict[str, Any]]:
    return [
        {
            "committed": state.at[:10],
            "commit": state.commit[:12],
            "gate": "✓ passed" if state.content["passed"] else "✗ not passed",
            "errors": state.content["errors"],
            "warnings": state.content["warnings"],
            "notes": sum(state.content["documents"].values()),
        }
        for state in history_of(str(GATE), STATES)
        if isinstance(state.content, Mapping)
    ]


def _agreement() -> None:
    found = _read(AGREEMENT)
    if found is None:
        missing("How far annotators of the same notes agree was not computed here.", _AGREE)
    else:
        _agreed("Annotators", found)
    if (shown := rolled_up("reviewers")) is None:
        return
    if shown.content["agreement"] is None:
        st.write("No note was read by two reviewers yet; review.double in params.yaml says how many are to be.")
    else:
        _agreed("Reviewers", shown.content["agreement"])


def _agreed(who: str, found: Mapping[str, Any]) -> None:
    rows = [
        {"label": label, **{name: _figure(figures["mean"]) for name, figures in measures.items()}}
        for label, measures in found["agreement"].items()
    ]
    table(rows, f"{who}, on {counted(found['shared_documents'], 'note')} that two or more read")
    st.caption(f"{counted(found['places_disputed'], 'place')} of {found['places_marked']:,} marked differently.")


def _figure(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return ""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _intake() -> None:
    if (shown := rolled_up("today")) is None:
        return
    held = shown.content["notes"]
    rows = [
        {"what": "notes", "number": held["notes"]},
        {"what": "texts of them, with earlier ones", "number": held["texts"]},
        {"what": "texts that wait for the model now", "number": shown.live.waiting},
        *({"what": f"results of {version}", "number": number} for version, number in held["results"].items()),
    ]
    table(rows, "What came in, and what was made of it")
    if not held["notes"]:
        missing("No note came in yet.", "python -m production.notes add data/incoming/notes.jsonl")
    _quarantine(held["quarantine"], held["mended"])


def _quarantine(held: Mapping[str, int], mended: Mapping[str, int]) -> None:
    steps = {**held, **mended}
    if not steps:
        st.write("Nothing is in quarantine.")
        return
    rows = [{"step": step, "in quarantine": held.get(step, 0), "mended since": mended.get(step, 0)} for step in steps]
    table(rows, "Quarantine, by the step that set a note aside")
    st.write("Which they are, and why:")
    command_to_copy("python -m production.database quarantine")


def _queue() -> None:
    if (shown := rolled_up("quality")) is not None:
        status = shown.content["reviews"]["status"]
        if status["counts"]:
            table(status["counts"], "Notes for reviewers, by stream and by what was found in them")
            st.caption(f"{STRATA} The open audits are expected to take {status['waiting']:,.0f} minutes.")
        else:
            missing("No note is planned for review.", "python -m production.review plan")
    st.write("Which notes are worth annotating next:")
    command_to_copy(_NEXT)
