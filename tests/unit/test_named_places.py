"""Every file, module, command, target, option and parameter that pages, docstrings and comments name is there."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.revision.git import git
from tests.repository import ROOT

ROOMS = "stages|delivery|annotation|production|dashboard|benchmarks|tests"
FOLDERS = rf"{ROOMS}|docs|data|metrics|plots|models|predictions|reports|great_expectations|\.github|\.ci"
PATH = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*\w(?![\w/*<]|-[<*])")
MODULE = re.compile(rf"(?<![\w/.-])(?:{ROOMS})(?:\.[A-Za-z_]\w*)+(?![/\w])")
COMMAND = re.compile(rf"python -m ((?:{ROOMS})[\w.]*)((?:[^`\n]|\\\n)*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")

WRITTEN = (
    "reports/",
    "models/",
    "predictions/",
    "plots/",
    "data/prepared/",
    "data/features/",
    "data/annotations/",
    "data/incoming/",
    "data/serving/",
    "data/production/",
)
"""What the graph or a workflow writes: not in git, or not in this clone."""

ELSEWHERE = {
    "evaluate.promised_precision": "a parameter of a commit in an example",
    "train.crf.rnus": "misspelt, to show the message",
    "metrics/all.csv": "an artifact of a run",
    "metrics/NAME.json": "stands for any",
    ".github/CODEOWNERS": "for who runs the repository to write",
    "great_expectations/plugins": "what the decision did without",
    "stages.x": "stands for any",
    "stages.train.x": "stands for any",
    "stages.values": "a key of dvc.lock",
    "tests.yml": "a workflow",
}


@cache
def tracked() -> frozenset[str]:
    return frozenset(git("ls-files", root=ROOT).split("\n")) - {""}


@cache
def folders() -> frozenset[str]:
    return frozenset(folder.as_posix() for name in tracked() for folder in Path(name).parents)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pages() -> list[str]:
    return sorted(name for name in tracked() if name.endswith(".md") and not name.startswith("tests/golden/"))


def sources() -> list[str]:
    return sorted(name for name in tracked() if name.endswith(".py") and not name.startswith("tests/"))


def configuration() -> list[str]:
    return sorted(
        name
        for name in tracked()
        if name == "Makefile" or (name.endswith((".yml", ".yaml", ".toml")) and not name.startswith("tests/"))
    )


def prose_of(source: str) -> str:
    """Return the docstrings and comments of a Python file."""
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join([*strings, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


def is_there(path: str) -> bool:
    return path in tracked() or path in folders() or f"{path}/".startswith(WRITTEN)


def is_importable(dotted: str) -> bool:
    """Tell whether the longest part that is a module or folder defines the name after it, if there is one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        base = "/".join(parts[:length])
        module = next((name for name in (f"{base}.py", f"{base}/__init__.py") if name in tracked()), None)
        if module or base in folders():
            rest = parts[length:]
            return not rest or bool(module and re.search(rf"\b{rest[0]}\b", text_of(module)))
    return False


def missing_in(text: str) -> Iterator[str]:
    yield from (path for path in PATH.findall(text) if not is_there(path))
    yield from (name for name in MODULE.findall(text) if not is_importable(name))


@pytest.mark.parametrize("name", [*pages(), *sources(), *configuration()])
def test_every_path_and_module_that_is_named_is_there(name: str) -> None:
    text = text_of(name)
    missing = set(missing_in(prose_of(text) if name.endswith(".py") else text))
    missing |= {module for module, _ in COMMAND.findall(text) if not is_importable(module.rstrip("."))}
    assert not missing - ELSEWHERE.keys()


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", pages())
def test_every_link_leads_somewhere(name: str) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        place = (ROOT / name).parent / path if path else ROOT / name
        if not place.exists() or (anchor and anchor not in anchors_of(place)):
            dead.append(target)
    assert not dead


def code_of(page: str) -> Iterator[str]:
    text = text_of(page)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from (line for block in blocks for line in block.replace("\\\n", "").splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", pages())
def test_every_target_of_make_is_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), re.MULTILINE))
    commands = [match for line in code_of(name) if (match := re.match(r"(?:\$ )?make ((?:[a-z0-9-]+ ?)+)", line))]
    assert not {target for match in commands for target in match[1].split()} - targets


@cache
def options_of(module: str) -> frozenset[str]:
    """Return the options in the source of a command and of the modules that lend it some."""
    base = module.replace(".", "/")
    files = [f"{base}.py"] if f"{base}.py" in tracked() else [n for n in tracked() if n.startswith(f"{base}/")]
    lent = [name for name in tracked() if name.endswith("/options.py")]
    return frozenset(
        option for name in [*files, *lent] if name.endswith(".py") for option in OPTION.findall(text_of(name))
    ) | {"--help"}


@pytest.mark.parametrize("name", pages())
def test_every_option_is_one_of_its_command(name: str) -> None:
    unknown = {
        f"{module} {option}"
        for line in code_of(name)
        for module, rest in COMMAND.findall(line.split("   #")[0])
        for option in OPTION.findall(re.split(r"[|;]|&&", rest)[0])
        if option not in options_of(module)
    }
    assert not unknown


def keys_of(params: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(params, dict):
        for key, value in params.items():
            yield f"{prefix}{key}"
            yield from keys_of(value, f"{prefix}{key}.")


@pytest.mark.parametrize("name", [name for name in pages() if not name.startswith(("docs/decisions/", "great_"))])
def test_every_parameter_is_there(name: str) -> None:
    """Decisions tell of parameters that there were, Great Expectations names its checks as parameters are named."""
    params = yaml.safe_load(text_of("params.yaml"))
    known = {*keys_of(params), *params["train"]}
    named = {
        match[1]
        for code in code_of(name)
        for match in re.finditer(rf"(?<![\w./-])((?:{'|'.join(params)})(?:\.[a-z_]+)+)(?![\w/]|\.\w)", code)
    }
    files = {parameter for parameter in named if parameter.endswith((".tsv", ".parquet"))}
    assert not named - known - files - ELSEWHERE.keys()
