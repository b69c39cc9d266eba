"""A command that only says how it is called, or that it is called wrongly, does so at once: it loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("annotation", "benchmarks", "dashboard", "delivery", "production", "stages")
HEAVY = (
    "dvc", "evidently", "great_expectations", "matplotlib", "mlflow", "numba", "pycaret", "scipy", "sklearn", "spacy",
    "torch", "transformers",
)  # fmt: skip

# Each command runs in a copy of one process, which has what is light enough for all.
DRIVER = """
import contextlib, io, json, os, runpy, sys
import pandas, pyarrow.parquet, pydantic, rich.console, yaml

modules, heavy = json.load(sys.stdin)
assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)
for module in modules:
    for argument in ("--help", "--no-such-option"):
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            sys.argv = [module, argument]
            said, code = io.StringIO(), "none"
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                try:
                    runpy.run_module(module, run_name="__main__", alter_sys=True)
                except SystemExit as end:
                    code = end.code
                except BaseException as error:
                    code = repr(error)
            loaded = sorted(set(heavy) & set(sys.modules))
            os.write(writing, json.dumps([code, "usage" in said.getvalue().lower(), loaded]).encode())
            os._exit(0)
        os.waitpid(child, 0)
        print(json.dumps([module, argument, *json.loads(os.read(reading, 65536))]))
        os.close(reading), os.close(writing)
"""


def commands() -> list[str]:
    """Return all modules that are run with arguments."""
    names = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if '__name__ == "__main__"' in text and ("argparse" in text or "parse_no_arguments" in text):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__main__" else parts))
    return names


@pytest.fixture(scope="module")
def ended() -> list[tuple[str, str, object, bool, list[str]]]:
    """How each command ended: its name, its argument, exit code, whether it told its usage, what heavy it loaded."""
    given = json.dumps([commands(), HEAVY])
    driver = [sys.executable, "-c", DRIVER]
    result = subprocess.run(driver, input=given, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [tuple(json.loads(line)) for line in result.stdout.splitlines()]


def test_nothing_heavy_is_loaded_for_help_or_a_usage_error(ended: list[tuple]) -> None:
    assert len(ended) == 2 * len(commands()) > 80
    assert not [(module, argument, loaded) for module, argument, _, _, loaded in ended if loaded]


def test_help_ends_with_0_and_a_usage_error_with_2(ended: list[tuple]) -> None:
    expected = {"--help": 0, "--no-such-option": 2}
    assert not [(module, argument, code) for module, argument, code, _, _ in ended if code != expected[argument]]
    assert not [(module, argument) for module, argument, _, told, _ in ended if not told]


@pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")
def test_the_first_note_waits_for_nothing_that_only_learning_needs() -> None:
    asking = (
        "import sys; from pathlib import Path; from stages.train.extractor import load_extractor\n"
        "load_extractor(Path('models')).extract_all(['No COPD. Start tiotropium 18 mcg.'])\n"
        "print(sorted({'pandas', 'pyarrow.dataset', 'scipy.optimize', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", asking], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
