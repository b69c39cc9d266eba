"""Compiled kernels are shared by their content, and nothing that someone else could have written is ever loaded."""

from __future__ import annotations

import importlib
import os
import pickle
import stat
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target

from stages.common import compiled, kernel_keys
from stages.common.compiled import KernelCache, forget_unused, kernels_folder, read_checked, write_checked
from stages.common.kernel_keys import digest_of, digest_of_machine, digest_of_signature

ROOT = Path(__file__).parents[2]
KERNEL_MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "stages").rglob("*kernels.py"))

CALLEE = """
import numpy as np
from stages.common.compiled import kernel
STEP = np.uint64(3)
LIMITS = (1, 2)
TABLE = np.arange(4)
class Pair: pass

@kernel
def twice(x):
    return 2 * x

@kernel(inline="always")
def step(x):
    return x + STEP
"""
CALLER = """
import numpy as np
from stages.common.compiled import kernel
from toy_callee import LIMITS, TABLE, step, twice

@kernel
def total(values, by=1):
    out = 0.0
    for i in range(len(values)):
        out += twice(values[i]) + step(np.uint64(i)) + TABLE[i % 4] + LIMITS[0]
    return out * by
"""
KEY, CONTENT = b"k" * 32, b"compiled"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of compiled kernels for one test."""
    place = tmp_path / "kernels"
    monkeypatch.setenv(compiled.KERNELS, str(place))
    yield place
    for name in ("toy_callee", "toy_caller"):
        sys.modules.pop(name, None)


def toy(place: Path, monkeypatch: pytest.MonkeyPatch, old: str = "", new: str = "") -> ModuleType:
    """Import the two modules from a place of their own, one text in them replaced by another."""
    place.mkdir(parents=True)
    assert old in CALLEE + CALLER
    (place / "toy_callee.py").write_text(CALLEE.replace(old, new) if old else CALLEE)
    (place / "toy_caller.py").write_text(CALLER.replace(old, new) if old else CALLER)
    for name in ("toy_callee", "toy_caller"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(place))
        return importlib.import_module("toy_caller")


def loaded(module: ModuleType) -> tuple[float, int]:
    """Call the kernel; return its result and how often it was loaded."""
    result = module.total(np.arange(5.0))
    return result, sum(module.total.stats.cache_hits.values())


def test_another_clone_loads_what_the_first_has_compiled(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, hits = loaded(toy(tmp_path / "first", monkeypatch))
    assert hits == 0
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"total", "twice"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert loaded(toy(tmp_path / "elsewhere/second", monkeypatch)) == (first, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x", "3 * x"),  # of a kernel that is called
        ("x + STEP", "x - STEP"),  # of one that is inlined
        ("uint64(3)", "uint64(4)"),  # constants behind them and here
        ("uint64(3)", "int64(3)"),
        ("(1, 2)", "(1, 3)"),
        ("arange(4)", "arange(4)[::-1]"),
        ("arange(4)", "arange(4.0)"),
        ("out * by", "out + by"),
        ("by=1", "by=2"),
        ("out = 0.0", "out = 0"),
        ("@kernel\ndef twice", "@kernel(nogil=True)\ndef twice"),
        ("@kernel\ndef twice", "@kernel(inner=True)\ndef twice"),
    ],
)
def test_every_change_of_what_is_compiled_changes_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    before = digest_of(toy(tmp_path / "before", monkeypatch).total)
    assert digest_of(toy(tmp_path / "after", monkeypatch, old, new).total) != before


def test_an_inner_kernel_is_called_by_kernels_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("compiled", "loaded"):
        module = toy(tmp_path / place, monkeypatch, "@kernel\ndef twice", "@kernel(inner=True)\ndef twice")
        assert loaded(module) == (56.0, int(place == "loaded"))
        for argument in (2, 2.0):
            with pytest.raises(TypeError, match="only kernels call twice"):
                module.twice(argument)


def test_what_is_not_compiled_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of(toy(tmp_path / "before", monkeypatch).total)
    after = toy(tmp_path / "after", monkeypatch, "class Pair: pass", "\n\n# A comment.\nUNUSED = 1")
    assert digest_of(after.total) == before


def test_a_kernel_that_uses_what_cannot_be_followed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = toy(tmp_path / "toy", monkeypatch, "TABLE = np.arange(4)", "TABLE = [1, 2, 3, 4]")
    with pytest.raises(TypeError, match="changes would go unnoticed"):
        digest_of(module.total)


def test_the_order_of_named_fields_is_part_of_the_key() -> None:
    one, other = namedtuple("Text", "starts ends"), namedtuple("Text", "ends starts")
    keys = {digest_of_signature((types.NamedUniTuple(types.int64, 2, fields),)) for fields in (one, other)}
    nested = {
        digest_of_signature((types.Tuple((types.NamedUniTuple(types.int64, 2, fields),)),)) for fields in (one, other)
    }
    assert len(keys) == len(nested) == 2
    assert digest_of_signature((types.int64,)) != digest_of_signature((types.int32,))


@pytest.mark.parametrize("what", ["numba", "llvmlite", "numpy", "setting", "processor"])
def test_versions_settings_and_processor_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    class Codegen:
        def magic_tuple(self) -> tuple[str, str, str]:
            return "x86_64-linux-gnu", "another", "+avx2"

    codegen = cpu_target.target_context.codegen()
    before = digest_of_machine(codegen)
    if what == "setting":
        monkeypatch.setattr(kernel_keys.config, "BOUNDSCHECK", 1)
    elif what != "processor":
        monkeypatch.setattr(getattr(kernel_keys, {"numpy": "np"}.get(what, what)), "__version__", "0")
    assert digest_of_machine(Codegen() if what == "processor" else codegen) != before


def test_what_a_kernel_takes_from_the_function_around_it_is_part_of_the_key() -> None:
    def adding(step: int) -> Dispatcher:
        return compiled.kernel(lambda x: x + step)

    assert digest_of(adding(1)) == digest_of(adding(1)) != digest_of(adding(2))


def test_every_kernel_can_be_followed() -> None:
    for path in KERNEL_MODULES:
        module = importlib.import_module(".".join(path.with_suffix("").parts))
        kernels = [value for value in vars(module).values() if isinstance(value, Dispatcher)]
        assert kernels
        for kernel in kernels:
            assert len(digest_of(kernel)) == 32
            assert isinstance(kernel._cache, KernelCache)


def test_kernels_are_compiled_in_one_way_only() -> None:
    paths = [path for path in (ROOT / "stages").rglob("*.py") if "njit" in path.read_text(encoding="utf-8")]
    assert {path.name for path in paths} == {"compiled.py"}


# ---- what is loaded -------------------------------------------------------------------------------


def kept(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    path = folder / "it.kernel"
    write_checked(path, KEY, CONTENT)
    return path


def test_a_whole_file_of_ones_own_is_read(folder: Path) -> None:
    assert read_checked(kept(folder), KEY) == CONTENT


def test_a_damaged_file_is_not_read(folder: Path) -> None:
    path = kept(folder)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"", whole + b"!", whole[:-1] + b"X", b"X" + whole[1:]):
        path.write_bytes(content)
        assert read_checked(path, KEY) is None
    path.write_bytes(whole)
    assert read_checked(path, b"o" * 32) is None, "a file under another's name"
    assert read_checked(folder / "none.kernel", KEY) is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_read(folder: Path, mode: int) -> None:
    path = kept(folder)
    path.chmod(mode)
    assert read_checked(path, KEY) is None


def test_a_file_of_someone_else_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(folder)
    give_away(path, monkeypatch)
    assert read_checked(path, KEY) is None


def test_neither_a_link_nor_a_pipe_is_read(folder: Path) -> None:
    path = kept(folder)
    (folder / "link.kernel").symlink_to(path)
    os.mkfifo(folder / "pipe.kernel")
    assert read_checked(folder / "link.kernel", KEY) is None
    assert read_checked(folder / "pipe.kernel", KEY) is None


def test_a_damaged_file_is_compiled_anew_and_replaced(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = loaded(toy(tmp_path / "first", monkeypatch))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    assert loaded(toy(tmp_path / "second", monkeypatch)) == (result, 0)
    assert loaded(toy(tmp_path / "third", monkeypatch)) == (result, 1)


def test_a_whole_file_of_nonsense_is_compiled_anew(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = loaded(toy(tmp_path / "first", monkeypatch))
    for path in folder.iterdir():
        write_checked(path, bytes.fromhex(path.stem.partition("-")[2]), pickle.dumps(("no", "kernel")))
    assert loaded(toy(tmp_path / "second", monkeypatch)) == (result, 0)


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_checked(path, KEY, b"other")
    assert [*folder.iterdir()] == [path]
    assert read_checked(path, KEY) == CONTENT


def test_what_is_unused_for_long_is_forgotten(folder: Path) -> None:
    old, used = kept(folder), folder / "used.kernel"
    write_checked(used, KEY, CONTENT)
    for path in (old, used):
        os.utime(path, (0, 0))
    assert read_checked(used, KEY) == CONTENT
    assert forget_unused(folder) == 1
    assert [*folder.iterdir()] == [used]


def test_what_another_process_takes_away_meanwhile_disturbs_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    old = folder / "old.kernel"
    old.touch()
    os.utime(old, (0, 0))
    monkeypatch.setattr(Path, "glob", lambda *_: [folder / ".put-in-place.kernel", old])
    assert forget_unused(folder) == 1 and not old.exists()


# ---- the folder -----------------------------------------------------------------------------------


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a path someone else's, or this process someone else's where it may not."""
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)


def test_the_folder_is_closed_to_others(folder: Path) -> None:
    assert kernels_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_open_folder_of_ones_own_is_closed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert kernels_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("fault", ["foreign", "link", "movable", "no folder"])
def test_where_there_can_be_no_folder_each_process_compiles_with_one_warning(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    if fault == "foreign":
        folder.mkdir()
        give_away(folder, monkeypatch)
    elif fault == "link":
        (tmp_path / "other").mkdir()
        folder.symlink_to(tmp_path / "other")
    elif fault == "movable":
        tmp_path.chmod(0o777)
    else:
        folder.write_text("a file")
    compiled._checked_folder.cache_clear()
    assert kernels_folder() is None
    assert loaded(toy(tmp_path / "toy", monkeypatch))[1] == 0
    assert len(caplog.messages) == 1
    assert f"set {compiled.KERNELS} to a folder of yours" in caplog.messages[0]


@pytest.mark.parametrize(("mode", "trouble"), [(0o755, None), (0o775, "others can write"), (0o757, "others can write")])
def test_a_folder_of_root_serves_where_nobody_else_can_write(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int, trouble: str | None
) -> None:
    folder.mkdir()
    about = os.stat_result((stat.S_IFDIR | mode, *[0] * 9))
    monkeypatch.setattr(Path, "lstat", lambda _: about)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = compiled._close(folder)
    assert said is None if trouble is None else said is not None and trouble in said


def test_a_folder_behind_a_link_is_as_safe_as_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open/caches").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open/caches")
    monkeypatch.setenv(compiled.KERNELS, str(tmp_path / "link/kernels"))
    assert kernels_folder() is None
    (tmp_path / "open").chmod(0o755)
    compiled._checked_folder.cache_clear()
    assert kernels_folder() == tmp_path / "link/kernels"


def test_a_full_disk_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiled, "write_checked", full)
    assert loaded(toy(tmp_path / "toy", monkeypatch))[0] == 56.0
    assert ["No space left on device" in message for message in caplog.messages] == [True]


def test_it_lies_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compiled.KERNELS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert kernels_folder() == tmp_path / "caches/behealthy/kernels"
