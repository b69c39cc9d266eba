"""Which commit, data, parameters and gate made a version: ``python -m delivery.lineage VERSION [--json]``.

It ends with the commands that make the same bytes again.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.errors import DeliveryError
from delivery.registry.registry import commit_of, ledger, version_of
from delivery.registry.server import connect, server_session
from delivery.revision.revision import resolve
from stages.common.command import run_command

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PARAMS = ("prepare.", "validate.", "featurize.", "train.")
_HASHES = ("annotations", "prepared", "features", "models")


def lineage(number: int, client: MlflowClient, root: Path = Path()) -> dict[str, Any]:
    """Return where a version comes from.

    Returns
    -------
    dict
        ``version, aliases, commit, md5, params, validation, verdicts, commands``; `params` is None where git
        does not have the commit here.

    Raises
    ------
    DeliveryError
        When the registry has no such version, or it was not registered by `delivery.register`.
    """
    version = version_of(client, number)
    sha = commit_of(version)
    try:
        params = {key: value for key, value in resolve(sha, root).params().items() if key.startswith(_PARAMS)}
    except DeliveryError:
        params = None
    return {
        "version": int(version.version),
        "aliases": list(version.aliases),
        "commit": sha,
        "run": version.run_id,
        "md5": {name: version.tags.get(f"{name}.md5") for name in _HASHES},
        "params": params,
        "validation": version.tags.get("validation"),
        "verdicts": [asdict(entry) for entry in ledger(client) if entry.version == int(version.version)],
        "commands": commands(sha),
    }


def commands(sha: str) -> list[str]:
    """Return the commands that, in a clone of the repository, train the same model and compare its bytes.

    The stages before and the training itself are run, whatever caches have; `dvc.lock` then says the MD5 of what
    came out, and git whether it is that of the commit.
    """
    folder = f"../behealthy-{sha[:12]}"
    return [
        f"git worktree add --detach {folder} {sha}",
        f"cd {folder}",
        "make data",
        ". .venv/bin/activate",
        "dvc repro --force --no-run-cache train",
        "git diff --exit-code dvc.lock",
    ]


def _text(origin: dict[str, Any]) -> str:
    lines = [
        f"version {origin['version']} ({', '.join(origin['aliases']) or 'no alias'})",
        f"commit  {origin['commit']}",
    ]
    lines += [f"md5     {name}: {value}" for name, value in origin["md5"].items()]
    lines.append(f"gate    validation {origin['validation']}")
    lines += [
        f"ledger  {entry['number']}: {entry['event']} {entry['at']}, champion before: {entry['previous'] or 'none'}"
        + (f"; refused by {'; '.join(entry['reasons'])}" if entry["reasons"] else "")
        for entry in origin["verdicts"]
    ]
    if origin["params"] is None:
        lines.append("params  the commit is not in this clone: git fetch --all")
    lines += [f"params  {key} = {value}" for key, value in (origin["params"] or {}).items()]
    return "\n".join(
        [
            *lines,
            "",
            "To make it again (the last command ends with 0 when the bytes are the same):",
            *(f"  {command}" for command in origin["commands"]),
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command: 0 shown, 2 no such version, or no server."""
    parser = argparse.ArgumentParser(prog="python -m delivery.lineage", description=(__doc__ or "").split(":")[0])
    parser.add_argument("version", type=int, help="version of the registered model")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)

    def work() -> None:
        origin = lineage(options.version, connect())
        print(json.dumps(origin, indent=2) if options.json else _text(origin))

    return run_command("lineage", work, within=server_session())


if __name__ == "__main__":
    sys.exit(main())
