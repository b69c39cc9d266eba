"""Compile every kernel ahead, into the folder that all clones, copies and processes of a user share.

    python -m production.compile

`make env` does so, on two cores; an image does so when it is built, with BEHEALTHY_KERNELS naming a folder in it.
What is compiled already is loaded; what nothing has loaded for 60 days is removed.

Attributes are learned from a few invented notes, and beside that, by another process, taggers from tokens that are made
up. Then one model of both is saved, loaded and asked, as in production, which compiles the rest.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.command import parse_no_arguments, run_command
from stages.common.errors import BeHealthyError

if TYPE_CHECKING:
    from stages.featurize.attributes.extractor import AttributeExtractor

_WORKER = "from production.compile.invented import learn_taggers; learn_taggers()"


class CompileError(BeHealthyError):
    """The kernels could not be compiled."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when all kernels are compiled, 2 when they could not be."""
    parse_no_arguments("production.compile", __doc__, arguments)
    return run_command("compile", compile_all)


def compile_all() -> None:
    """Compile what is not compiled yet.

    Raises
    ------
    CompileError
        When a part cannot be learned, or there is no folder to keep it in.
    """
    from stages.common.compiled import SUFFIX, forget_unused, kernels_folder

    if (folder := kernels_folder()) is None:
        raise CompileError("there is no folder for compiled kernels; the line above says why")
    mark, start = folder / f"all-{_digest_of_all()}", time.monotonic()
    if _all_are_kept(mark):
        print(f"kernels: all are compiled, in {folder}")
        return

    def compiled() -> int:
        return len([*folder.glob(f"*{SUFFIX}")])

    before = compiled()
    print(f"kernels: compiling, a minute at most, into {folder}", flush=True)
    attributes = _learn_parts(lambda: _show(compiled() - before))
    from production.compile.invented import learn_and_ask

    with contextlib.redirect_stderr(io.StringIO()):
        learn_and_ask(attributes)
    forget_unused(folder)
    mark.write_text("\n".join(path.name for path in sorted(folder.glob(f"*{SUFFIX}"))), encoding="utf-8")
    print(f"kernels: {compiled() - before} compiled in {time.monotonic() - start:.0f} s")


def _all_are_kept(mark: Path) -> bool:
    """Tell whether all was compiled once and nothing of it has been removed since: the mark names the files."""
    names = mark.read_text(encoding="utf-8").split() if mark.is_file() else []
    return bool(names) and all((mark.parent / name).is_file() for name in names)


def _learn_parts(show: Callable[[], None]) -> AttributeExtractor:
    """Learn both parts at once and return one; what the other process says is only shown when it fails."""
    with tempfile.TemporaryFile() as said:
        worker = subprocess.Popen([sys.executable, "-c", _WORKER], stdout=said, stderr=said)  # noqa: S603  (our own)
        try:
            from production.compile.invented import learn_attributes_only

            with contextlib.redirect_stderr(io.StringIO()):
                attributes = learn_attributes_only()
            while worker.poll() is None:
                show()
                time.sleep(0.2)
        finally:
            worker.kill()
        if worker.returncode:
            said.seek(0)
            why = said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise CompileError(f"a small model could not be learned ({' '.join(why)}): does `git status` name changes?")
        return attributes


def _digest_of_all() -> str:
    """Return a digest of all kernels, and of what compiles them for this processor."""
    from numba.core.dispatcher import Dispatcher
    from numba.core.registry import cpu_target

    from stages.common.kernel_keys import digest_of, digest_of_machine

    names = sorted(".".join(path.with_suffix("").parts) for path in Path("stages").rglob("*kernels.py"))
    modules = [importlib.import_module(name) for name in names]
    kernels = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    machine = digest_of_machine(cpu_target.target_context.codegen())
    return sha256(b"".join([machine, *map(digest_of, kernels)])).hexdigest()


def _show(compiled: int) -> None:
    """Show how far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"kernels: {compiled} compiled", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
