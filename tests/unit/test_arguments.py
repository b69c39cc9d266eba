"""What commands of production take on their command lines: times, numbers, and what they say of what is neither."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ODD = ["yesterday", "2026-13-01", "0001-01-01T00:00+01:00", "9999-12-31T23:00-05:00", ""]


def parse(module: str, *arguments: str) -> object:
    return importlib.import_module(module).parse(arguments)


@pytest.mark.parametrize("given", ODD)
@pytest.mark.parametrize(
    ("module", "before"),
    [
        ("production.backfill", ()),
        ("production.export.__main__", ("--format", "csv")),
        ("production.log.__main__", ("export",)),
        ("stages.monitor.invocation", ("--log", "serving-log")),
    ],
)
def test_what_is_no_time_is_said_in_plain_words(
    module: str, before: tuple[str, ...], given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(module, *before, "--since", given)
    assert ended.value.code == 2
    assert "argument --since: this is no time: write 2026-11-01" in capsys.readouterr().err


def test_a_time_of_another_zone_is_the_same_moment_everywhere() -> None:
    """SQLite keeps no zones: a time that is not in UTC would be hours off there."""
    options = parse("production.backfill", "--since", "2026-11-01T01:00+01:00")
    assert options.since.isoformat() == "2026-11-01T00:00:00+00:00"  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ["0", "-3", "1.5", "٣", "9" * 5000])
@pytest.mark.parametrize(
    ("module", "before", "option"),
    [
        ("production.check", (), "--last"),
        ("production.shadow", (), "--show"),
        ("production.database.__main__", ("quarantine",), "--last"),
        ("production.export.__main__", ("--format", "csv"), "--notes-per-part"),
        ("production.infer", (), "--workers"),
        ("production.serve", (), "--workers"),
    ],
)
def test_numbers_begin_at_one(module: str, before: tuple[str, ...], option: str, given: str) -> None:
    assert parse(module, *before, option, "2")
    with pytest.raises(SystemExit) as ended:
        parse(module, *before, f"{option}={given}")
    assert ended.value.code == 2


@pytest.mark.parametrize("module", ["production.infer", "production.serve"])
def test_workers_are_no_more_than_the_machine_can_use(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert parse(module, "--workers", "12").workers == 12  # type: ignore[attr-defined]
    for given in ("13", "5000"):
        with pytest.raises(SystemExit) as ended:
            parse(module, "--workers", given)
        assert ended.value.code == 2
        assert "argument --workers: at most 12 can work here" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["production.export.__main__", "production.log.__main__"])
def test_help_has_the_examples_and_the_exit_codes(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(module, "--help")
    shown = capsys.readouterr().out
    assert "    python -m production." in shown
    assert "Exit codes: 0 done, also when there was nothing new; 2 something" in shown


COMMANDS_OF_CURRENT_RESULTS = pytest.mark.parametrize("module", ["production.infer", "production.backfill"])


@COMMANDS_OF_CURRENT_RESULTS
def test_the_model_of_current_results_is_the_champion_or_a_folder(module: str) -> None:
    for arguments, model in (
        ((), None),
        (("--model", "models:/behealthy-extractor@champion"), None),
        (("--model", "models"), Path("models")),
    ):
        assert parse(module, *arguments).model == model  # type: ignore[attr-defined]


@COMMANDS_OF_CURRENT_RESULTS
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("models:/behealthy-extractor/3", "current results are the champion's"),
        ("models:/behealthy-extractor@challenger", "--shadow challenger"),
        ("models:/another@champion", "no address of a model: write models:/behealthy-extractor@champion"),
        ("models:/behealthy-extractor", "no address of a model"),
    ],
)
def test_another_model_of_the_registry_has_no_current_results(
    module: str, given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(module, "--model", given)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
