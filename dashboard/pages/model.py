"""Model: who is champion and challenger, why, where they come from, and the commands that change it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.parts import command_to_copy, missing, plain, section, table
from dashboard.registry import Registered, registered
from dashboard.rolled import rolled_up
from dashboard.wording import from_where
from delivery.errors import DeliveryError
from delivery.registry.registry import Entry
from delivery.rollback import earlier
from production.database.champion import AtWork, found_at_work
from production.database.engine import DatabaseError, database_session, reading
from production.database.revision import open_database
from stages.common.wording import counted

REGISTER, PROMOTE, ROLLBACK = (f"python -m delivery.{name}" for name in ("register", "promote", "rollback"))
_EVENTS = {"promoted": "▲ promoted", "refused": "■ refused", "rolled back": "▼ rolled back"}
SHADOW = "python -m production.infer --shadow challenger"
_BY = {"labels": "Mentions that they found, by label", "slices": "The same, by kind of note"}
_VERDICTS = {"passed": "✓ passed", "refused": "✗ refused"}


def page() -> None:
    """Show the page."""
    st.title("Model")
    found: Registered | None = None
    with section("Champion and challenger"):
        found = registered()
        _pair(found)
    if found is not None and found.versions:
        _registered(found)
    with section("Shadow agreement"):
        _shadow(found)
    with section("Commands"):
        _commands(found)


def _pair(found: Registered | None) -> None:
    if (working := _at_work()) and (where := from_where(working.version)):
        st.markdown(f"Notes are looked at with version {plain(working.version)}{where}.")
    if found is None or not found.versions:
        missing("Nothing is registered yet.", REGISTER)
        return
    parts = (("champion", found.champion, PROMOTE), ("challenger", found.challenger, REGISTER))
    if rows := [_of_version(name, one) for name, one, _ in parts if one]:
        table(rows, "The versions that have a part")
    for name, one, command in parts:
        if one is None:
            missing(f"There is no {name}.", command)


def _at_work() -> AtWork | None:
    """Return what looks at notes here; None also where there is no database to ask, which other sections say."""
    try:
        engine = open_database()
    except DatabaseError:
        return None
    try:
        with database_session(), reading(engine) as connection:
            return found_at_work(connection)
    except DatabaseError:
        return None
    finally:
        engine.dispose()


def _of_version(name: str, one: dict[str, Any]) -> dict[str, Any]:
    last = one["verdicts"][-1] if one["verdicts"] else None
    return {
        "part": name,
        "version": str(one["version"]),
        "last verdict": f"{_EVENTS[last['event']]}, {_moment(last['at'])}" if last else "not judged yet",
        "commit": one["commit"][:12],
        "validation of its data": one["validation"],
    }


def _moment(at: str) -> str:
    return at[:16].replace("T", " ") + " UTC"


def _registered(found: Registered) -> None:
    with section("Stages"):
        table(_stages(found), "From development to the archive: which alias stands for which stage")
    with section("What the gates say"):
        _gates(found)
    with section("Ledger"):
        _ledger(found.ledger)
    with section("Lineage"):
        for one in filter(None, (found.champion, found.challenger)):
            _lineage(one)


def _stages(found: Registered) -> list[dict[str, Any]]:
    champion, challenger = ({one["version"]} if one else set() for one in (found.champion, found.challenger))
    were = {line.version for line in found.ledger if line.event == "promoted"}
    return [
        _stage("development", "none, and never champion", set(found.versions) - were - champion - challenger),
        _stage("staging", "challenger", challenger - champion),
        _stage("production", "champion", champion),
        _stage("archive", "none any more: champion once, as the ledger says", were - champion - challenger),
    ]


def _stage(name: str, alias: str, versions: set[int]) -> dict[str, Any]:
    return {"stage": name, "alias": alias, "versions": ", ".join(map(str, sorted(versions)))}


def _gates(found: Registered) -> None:
    judged = [one for one in (found.challenger, found.champion) if one and one["verdicts"]]
    if not judged:
        missing("No version was judged yet.", PROMOTE)
    for one in judged:
        said = (one["evidence"] or {}).get("gates")
        if not said:
            st.write(f"Version {one['version']}: the ledger has the verdict, the server no longer its numbers.")
            continue
        rows = [
            {"gate": gate["name"], "verdict": _VERDICTS.get(gate["status"], gate["status"]), "why": gate["reason"]}
            for gate in said
        ]
        table(rows, f"Version {one['version']}, when it was judged last")


def _ledger(lines: list[Entry]) -> None:
    if not lines:
        missing("The ledger is empty: nothing was promoted, refused or rolled back.", PROMOTE)
        return
    rows = [
        {
            "line": str(line.number),
            "when": _moment(line.at),
            "what": _EVENTS[line.event],
            "version": str(line.version),
            "champion before": str(line.previous or ""),
            "refused by": ", ".join(line.reasons),
        }
        for line in reversed(lines)
    ]
    table(rows, "What was promoted, refused and rolled back; the newest first")


def _lineage(one: dict[str, Any]) -> None:
    with st.expander(f"Version {one['version']}: commit, data, how to make it again"):
        hashes = [{"what": name, "hash": value} for name, value in one["md5"].items()]
        table([{"what": "commit", "hash": one["commit"]}, *hashes], f"What version {one['version']} was made from")
        if one["params"] is None:
            missing("Its commit is not in this clone, so its parameters are not known here.", "git fetch --all")
        else:
            rows = [{"parameter": name, "value": str(value)} for name, value in one["params"].items()]
            table(rows, f"Parameters of version {one['version']}")
        st.write("These commands make the same bytes again; the last one ends with 0 when they are the same:")
        command_to_copy("\n".join(one["commands"]))


def _shadow(registered_here: Registered | None) -> None:
    shown = rolled_up("shadow")
    if shown is None:
        return
    found = shown.content["compared"]
    if found is None:
        _no_shadow(registered_here)
        return
    st.write(
        f"Version {found['challenger']} beside version {found['champion']}: {counted(found['notes'], 'note')},"
        f" {found['differ']:,} of them differ."
    )
    for by in ("labels", "slices"):
        if found[by]:
            table([_agreed(name, one) for name, one in found[by].items()], _BY[by])
    if found["differing"]:
        with st.expander("Notes on which they differ, which are worth a look"):
            rows = [{"source": source, "note": note} for source, note in found["differing"]]
            table(rows, f"{counted(len(rows), 'note')} of {found['differ']:,}")


def _no_shadow(found: Registered | None) -> None:
    nothing = "No challenger has looked at any note beside the champion."
    if found and found.champion and found.challenger:
        missing(nothing, SHADOW)
    else:
        st.info(f"{nothing} Both have to be registered first.")


def _agreed(name: str, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "": name,
        "both": one["both"],
        "champion alone": one["champion_only"],
        "challenger alone": one["challenger_only"],
        "F1": None if one["f1"] is None else f"{one['f1']:.3f}",
    }


def _commands(found: Registered | None) -> None:
    st.write("Have the gates judge the challenger, and make it champion if none refuses:")
    command_to_copy(PROMOTE)
    st.write(f"{_back_to(found)}:")
    command_to_copy(ROLLBACK)


def _back_to(found: Registered | None) -> str:
    """Say what a rollback would do."""
    if found is None or found.champion is None:
        return "Go back to the champion before, once there is one"
    try:
        target = earlier(found.ledger, int(found.champion["version"]), None)
    except DeliveryError:
        return "Go back to an earlier champion; the present one replaced none"
    return f"Go back at once, from version {found.champion['version']} to version {target}; no gate is asked"
