"""On a shared machine, what another user lays where DVC keeps its databases does not run."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.revision import site_cache
from tests.repository import Repository, clone, copy, lend_environment


@pytest.fixture(scope="module")
def fetched(source: Repository, workshop: Path) -> Repository:
    """A clone with its data, on a machine where DVC's own default is a folder that everyone can write."""
    repository = clone(source, workshop / "shared machine" / "clone")
    repository.fetch_seed()
    lend_environment(repository)
    return repository.settings(**{site_cache.VARIABLE: ""})


@pytest.fixture
def victim(fetched: Repository, tmp_path: Path) -> tuple[Repository, Callable[[], None], Path]:
    """That clone, what plants databases where DVC has worked by default, and the file that they would write."""
    shared, ran = tmp_path / "everyone", tmp_path / "ran"
    shared.mkdir()
    shared.chmod(0o777)
    system = tmp_path / "etc"
    system.mkdir()
    # It stands for /var/tmp/dvc, which the tests leave alone.
    (system / "config").write_text(f"[core]\n    site_cache_dir = {shared}\n", encoding="utf-8")
    repository = copy(fetched, tmp_path / "clone")
    repository = repository.settings(**fetched.environment, DVC_SYSTEM_CONFIG_DIR=str(system))
    repository.dvc("status", "--quiet", "data/annotations.dvc")
    return repository, lambda: plant(shared, ran), ran


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def plant(folder: Path, ran: Path) -> None:
    databases = list(folder.rglob("links/cache.db"))
    assert databases, "DVC keeps its databases elsewhere: this test proves nothing"
    for path in databases:
        with sqlite3.connect(path) as database:
            columns = "key, raw, store_time, access_time, access_count, size, mode, value"
            row = (sqlite3.Binary(pickle.dumps(Payload(ran))), 0, 0, 0, 0, 0, 1, "")
            database.execute("DELETE FROM Cache")
            database.execute(f"INSERT INTO Cache ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def test_by_default_it_would_run(victim: tuple) -> None:
    repository, plant_it, ran = victim
    plant_it()
    repository._result(("dvc", "checkout", "--allow-missing"), 60)
    assert ran.exists()


@pytest.mark.slow
def test_after_make_it_does_not_run(victim: tuple) -> None:
    repository, plant_it, ran = victim
    plant_it()
    repository.run("make", "data")
    for command in (
        ("checkout", "--allow-missing"),
        ("status",),
        ("repro", "prepare"),
        ("add", "--quiet", "data/annotations"),
    ):
        repository.dvc(*command)
    repository.python("-m", "delivery.reproduce", "--check")
    assert not ran.exists()
    assert "site_cache_dir" not in repository.git("status", "--porcelain")


@pytest.mark.parametrize(
    "command", ["merge HEAD", "report --base HEAD --git-only", "reproduce --check", "track --rev HEAD"]
)
def test_our_commands_do_not_need_make_for_it(victim: tuple, command: str) -> None:
    repository, plant_it, ran = victim
    plant_it()
    repository._result(("python", "-m", *f"delivery.{command}".split()), 120)
    assert (repository.root / site_cache.FOLDER).is_dir()
    assert not ran.exists()


@pytest.mark.slow
def test_a_queued_experiment_has_the_same_folder(victim: tuple) -> None:
    """Its workspace is a repository of its own, to which DVC copies `config.local`."""
    repository, *_ = victim
    repository.python("-m", "delivery.revision.site_cache")
    shared = Path(repository.environment["DVC_SYSTEM_CONFIG_DIR"]).parent / "everyone" / "repo"
    before = set(shared.iterdir())
    repository.dvc("exp", "run", "--temp", "--set-param", "prepare.salt=other", "prepare", timeout=300)
    assert set(shared.iterdir()) == before


# ---- the folder -----------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(site_cache.VARIABLE, "")
    (tmp_path / "clone/.dvc").mkdir(parents=True)
    return tmp_path / "clone"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_this_users_alone_whatever_the_umask(root: Path) -> None:
    before = os.umask(0)
    try:
        folder = site_cache.use(root)
    finally:
        os.umask(before)
    assert folder == root / site_cache.FOLDER
    assert mode(folder) == 0o700
    assert os.environ[site_cache.VARIABLE] == str(folder)


def test_an_open_folder_is_closed(root: Path) -> None:
    (root / site_cache.FOLDER).mkdir(parents=True)
    (root / site_cache.FOLDER).chmod(0o777)
    site_cache.use(root)
    assert mode(root / site_cache.FOLDER) == 0o700


def test_where_there_is_no_dvc_nothing_is_made(tmp_path: Path) -> None:
    assert site_cache.use(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_folder_of_someone_else_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / site_cache.FOLDER).mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(site_cache.SiteCacheError, match="others can write there: remove it"):
        site_cache.use(root)


def test_a_file_of_someone_else_in_a_folder_that_was_open_is_refused(root: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    folder = root / site_cache.FOLDER
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    (folder / "cache.db").touch()
    os.chown(folder / "cache.db", 4711, 4711)
    for _ in range(2):  # the first call closes the folder, which makes what lies there no better
        with pytest.raises(site_cache.SiteCacheError):
            site_cache.use(root)


def test_a_link_and_a_folder_that_can_be_exchanged_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / ".dvc/tmp").mkdir()
    (root / site_cache.FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(site_cache.SiteCacheError):
        site_cache.use(root)
    (root / site_cache.FOLDER).unlink()
    (root / ".dvc/tmp").chmod(0o777)
    with pytest.raises(site_cache.SiteCacheError):
        site_cache.use(root)


def test_a_moved_clone_gets_a_new_folder_and_a_chosen_one_is_kept(root: Path, tmp_path: Path) -> None:
    (root / ".dvc/config").write_text("['remote \"storage\"']\n    url = s3://bucket/dvc\n", encoding="utf-8")
    local = root / ".dvc/config.local"
    secret = "['remote \"storage\"']\n    secret_access_key = s\n"
    local.write_text(f"[core]\n    site_cache_dir = /formerly/.dvc/tmp/site-cache\n{secret}", encoding="utf-8")
    local.chmod(0o600)
    for wanted in (root / site_cache.FOLDER, tmp_path / "mine"):
        os.environ[site_cache.VARIABLE] = "" if wanted.is_relative_to(root) else str(wanted)
        site_cache.settle(root)
        os.environ[site_cache.VARIABLE] = ""
        assert site_cache.use(root) == wanted
        assert "secret_access_key = s" in local.read_text(encoding="utf-8")
        assert mode(local) == 0o600


def test_the_folder_of_another_clone_is_not_taken_over(root: Path, tmp_path: Path) -> None:
    """A process that works in one clone and then in another, or starts what does."""
    (tmp_path / "second/.dvc").mkdir(parents=True)
    site_cache.use(root)
    assert site_cache.use(tmp_path / "second") == tmp_path / "second" / site_cache.FOLDER
    assert os.environ[site_cache.VARIABLE] == str(tmp_path / "second" / site_cache.FOLDER)


def test_a_configuration_that_cannot_be_read_is_said(root: Path) -> None:
    (root / ".dvc/config.local").write_text("[core\n", encoding="utf-8")
    with pytest.raises(site_cache.SiteCacheError, match="cannot be read"):
        site_cache.use(root)
