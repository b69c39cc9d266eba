"""Which experiments and commits there are, from a real git repository with DVC's refs."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.errors import DeliveryError
from delivery.revision.experiments import commits, committed_at, common_folder, experiments, find, has_results, subject
from delivery.track import revisions_to_track
from tests.repository import Repository


def commit(repository: Repository, path: str, content: str, message: str) -> str:
    file = repository.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return repository.commit(message)


def experiment(repository: Repository, name: str, f1: float) -> str:
    """What `dvc exp run` leaves: a commit on no branch, under a ref named after its baseline."""
    baseline = repository.git("rev-parse", "HEAD").strip()
    repository.git("checkout", "--quiet", "--detach")
    sha = commit(repository, "metrics/evaluation.json", f'{{"f1": {f1}}}', f"dvc: {name}")
    repository.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", sha)
    repository.git("checkout", "--quiet", "main")
    return sha


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@example.org")
    commit(made, "README.md", "nothing yet", "No results yet")
    commit(made, "metrics/evaluation.json", '{"f1": 0.5}', "First results")
    commit(made, "README.md", "a word", "Words only")
    return made


def test_experiments_are_found_with_their_baseline_and_what_dvc_keeps_for_itself_is_not(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD").strip()
    sha = experiment(repository, "shy-lynx", 0.6)
    for ref in ("refs/exps/stash", "refs/exps/celery/stash", "refs/exps/exec/EXEC_HEAD", "refs/exps/celery/failed"):
        repository.git("update-ref", ref, head)
    (found,) = experiments(repository.root)
    assert (found.revision.sha, found.revision.name, found.baseline) == (sha, "shy-lynx", head)


def test_only_commits_that_changed_results_count(repository: Repository) -> None:
    assert [subject(one) for one in commits(repository.root)] == ["First results"]


def test_other_branches_are_left_alone_unless_asked_for(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "topic")
    commit(repository, "dvc.lock", "stages: {}", "On another branch")
    repository.git("checkout", "--quiet", "main")
    assert len(commits(repository.root)) == 1
    assert [subject(one) for one in commits(repository.root, branches=True)] == ["First results", "On another branch"]


def test_each_revision_is_chosen_once_and_those_without_results_never(repository: Repository) -> None:
    sha = experiment(repository, "shy-lynx", 0.6)
    repository.git("rm", "--quiet", "metrics/evaluation.json")
    repository.commit("Results taken out")
    repository.git("branch", "chosen", sha)  # dvc exp branch
    names = [one.name for one in revisions_to_track([], repository.root, branches=True)]
    assert len(names) == 2
    assert names[-1] == "shy-lynx"


def test_an_experiment_is_found_by_its_name_and_a_commit_by_any(repository: Repository) -> None:
    sha = experiment(repository, "shy-lynx", 0.6)
    assert find("shy-lynx", repository.root).sha == find(sha[:8], repository.root).sha == sha
    assert has_results(find("HEAD", repository.root))
    assert not has_results(find("HEAD~2", repository.root))


def test_a_name_that_two_baselines_use_has_to_be_told_apart(repository: Repository) -> None:
    shas = [experiment(repository, "shy-lynx", 0.6)]
    commit(repository, "README.md", "another word", "Another baseline")
    shas.append(experiment(repository, "shy-lynx", 0.7))
    with pytest.raises(DeliveryError, match="2 experiments are called shy-lynx") as error:
        find("shy-lynx", repository.root)
    assert all(sha[:10] in str(error.value) for sha in shas)


def test_all_worktrees_of_a_clone_share_one_folder(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", str(tmp_path / "other"), "--detach")
    assert common_folder(tmp_path / "other") == common_folder(repository.root) == repository.root / ".git"


def test_a_folder_without_git_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="not a git repository"):
        commits(tmp_path)


def test_the_time_of_a_commit_is_in_milliseconds(repository: Repository) -> None:
    seconds = int(repository.git("show", "--no-patch", "--format=%ct", "HEAD"))
    assert committed_at(find("HEAD", repository.root)) == 1000 * seconds
