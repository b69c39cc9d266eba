"""What stands before the model: who may ask, how much, how many at a time, for how long."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from delivery.registry.model_process import environment
from delivery.revision.git import commit, git
from delivery.revision.hashes import folder_md5
from production.inference import load_model
from production.inference.host import Found, FoundMention, HostError, ModelHost, NoteFailedError
from production.listening import token_for
from production.serve import main, parse
from production.service.gate import Gate
from production.service.measures import Measures
from production.service.models import opened_model
from production.service.params import ServiceParams, load_params
from production.service.shapes import Analyze, Content, Metadata, entities_of, processed
from stages.common.documents import METADATA
from stages.common.errors import BeHealthyError
from stages.common.seal import sealing
from tests.hosts import FOUND
from tests.production import model
from tests.repository import ROOT

PARAMS = ServiceParams(
    note_bytes=100, request_bytes=1000, request_notes=3, note_seconds=1.0, request_seconds=0.6, waiting=2
)


# ---- the gate ---------------------------------------------------------------------------------------


class Answered:
    """Collects what an application sends."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""
        self.headers: dict[str, str] = {}

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def gate(app: Any = echo, *, ready: bool = True, token: str | None = None) -> tuple[Gate, Measures]:
    measures = Measures()
    return Gate(app, PARAMS, work=("/work",), ready=lambda: ready, token=token, measures=measures), measures


async def ask(
    asked: Gate, pieces: Sequence[bytes] = (b"{}",), *, path: str = "/work", pause: float = 0, **headers: str
) -> Answered:
    left = list(pieces)

    async def receive() -> Any:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": bool(left)}

    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    answered = Answered()
    await asked({"type": "http", "path": path, "method": "POST", "headers": encoded}, receive, answered)
    return answered


def test_a_body_arrives_whole() -> None:
    assert asyncio.run(ask(gate()[0], [b"one ", b"two"])).body == b"one two"


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413)])
def test_a_body_is_measured_while_it_streams_in(size: int, status: int) -> None:
    pieces = [b"x" * 100] * (size // 100) + [b"x" * (size % 100)]
    assert asyncio.run(ask(gate()[0], pieces, content_length="7")).status == status


@pytest.mark.parametrize("length", ["1001", "9" * 5000])
def test_a_length_that_is_too_large_is_believed(length: str) -> None:
    assert asyncio.run(ask(gate()[0], content_length=length)).status == 413


def test_one_more_than_may_wait_is_turned_away_at_once() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await echo(scope, receive, send)

    async def three() -> tuple[list[Answered], float]:
        asked, measures = gate(slow)
        first = [asyncio.create_task(ask(asked)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert b"behealthy_queue_depth 2.0" in measures.text()
        started = time.monotonic()
        third = await ask(asked)
        seconds = time.monotonic() - started
        answers = [*await asyncio.gather(*first), third, await ask(asked)]
        assert b'behealthy_rejected_total{reason="overload"} 1.0' in measures.text()
        assert b"behealthy_queue_depth 0.0" in measures.text()
        return answers, seconds

    answers, seconds = asyncio.run(three())
    assert [answer.status for answer in answers] == [200, 200, 503, 200]
    assert int(answers[2].headers["retry-after"]) >= 1
    assert seconds < 0.1


def test_bodies_that_are_held_are_bounded_too() -> None:
    asked, _ = gate()
    asked._held = 4 * PARAMS.request_bytes
    assert asyncio.run(ask(asked)).status == 503
    assert asked._held == 4 * PARAMS.request_bytes


def test_what_takes_too_long_is_504() -> None:
    async def endless(*_: Any) -> None:
        await asyncio.sleep(60)

    started = time.monotonic()
    assert asyncio.run(ask(gate(endless)[0])).status == 504
    assert time.monotonic() - started < 4


def test_what_arrives_too_slowly_is_408() -> None:
    assert asyncio.run(ask(gate()[0], [b"x"] * 100, pause=0.1)).status == 408


def test_nothing_is_read_before_the_model_is_there() -> None:
    answered = asyncio.run(ask(gate(ready=False)[0]))
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    ("path", "authorization", "status"),
    [
        ("/work", "Bearer right", 200), ("/work", "Bearer wrong", 401), ("/work", "right", 401), ("/work", "", 401),
        ("/metrics", "", 401), ("/openapi.json", "", 401), ("/health", "", 200), ("/ready", "", 200),
    ],
)  # fmt: skip
def test_a_token_is_asked_for(path: str, authorization: str, status: int) -> None:
    asked, _ = gate(token="right")
    assert asyncio.run(ask(asked, path=path, authorization=authorization)).status == status


def test_a_fault_says_where_and_never_what(capfd: pytest.CaptureFixture[str]) -> None:
    async def faulty(*_: Any) -> None:
        raise ValueError("Gout in 1961")

    answered = asyncio.run(ask(gate(faulty)[0]))
    captured = capfd.readouterr()
    assert answered.status == 500
    assert "ValueError in test_service.py" in captured.err
    assert "Gout" not in captured.err + captured.out + answered.body.decode()


# ---- shapes, command --------------------------------------------------------------------------------


def test_presidios_filters() -> None:
    found = Found((*FOUND.mentions, FoundMention(5, 9, "Treatment", 0.4, False, "negated")), (), False, 1, 2, 0.0)

    def types(**asked: Any) -> list[str]:
        return [one["entity_type"] for one in entities_of(found, Analyze(text="gout pill", **asked))]

    assert types() == types(entities=[]) == ["Disease", "Treatment"]
    assert types(entities=["Treatment"]) == ["Treatment"]
    assert types(score_threshold=0.5) == ["Disease"]


def test_metadata_is_what_the_serving_log_has_columns_for() -> None:
    assert tuple(Metadata.model_fields) == METADATA
    assert Metadata(sex="female", month="", ward="7").known() == {"sex": "female"}
    for wrong in ({"sex": 1}, {"sex": "x" * 101}, {"sex": "\ud83d"}):
        with pytest.raises(ValidationError) as caught:
            Analyze(text="gout", metadata=wrong)
        assert "xxx" not in str(caught.value)


def test_a_note_that_failed_says_so_in_cogstacks_shape() -> None:
    answer = processed(Content(text="gout"), NoteFailedError("the note takes longer than 1 s"))
    assert (answer["success"], answer["annotations"]) == (False, [])
    assert "footer" not in answer
    assert processed(Content(text="gout", footer=None), FOUND)["footer"] is None
    assert json.dumps(answer)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_beyond_the_loopback_there_is_a_token_or_nothing(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BEHEALTHY_TOKEN", raising=False)
    assert main(["--host", host]) == 2
    assert "BEHEALTHY_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("BEHEALTHY_TOKEN", "x" * 16)
    assert token_for(host) == "x" * 16


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_the_loopback_needs_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEHEALTHY_TOKEN", raising=False)
    assert token_for(host) is None


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with a blank in it", "ümlaut-" * 4, "line\n" * 9])
def test_what_can_be_guessed_or_not_be_sent_is_no_token(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEHEALTHY_TOKEN", token)
    with pytest.raises(BeHealthyError, match="no token"):
        token_for("127.0.0.1")


def test_what_can_not_be_served_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, said in (
        (str(tmp_path), "no complete model"),
        ("models:/another@champion", "no address of a model"),
        ("models:/behealthy-extractor", "no address of a model"),
    ):
        with pytest.raises(BeHealthyError, match=said), opened_model(address):
            pass
    for arguments in (["--workers", "0"], ["--port", "70000"]):
        with pytest.raises(SystemExit):
            parse(arguments)


def test_the_parameters_are_what_the_guide_says() -> None:
    params = load_params(ROOT / "params.yaml")
    assert (params.note_bytes, params.request_bytes, params.request_notes) == (1_000_000, 10_000_000, 10_000)
    assert params.note_seconds < params.request_seconds
    assert os.cpu_count() == parse([]).workers


# ---- the model --------------------------------------------------------------------------------------


def seal(folder: Path) -> Path:
    """Make a model folder that is whole, and cannot be loaded."""
    with sealing(folder):
        folder.mkdir()
        (folder / "model.json").write_text("{}")
    return folder


def test_a_folder_that_is_not_as_it_was_saved_is_not_served(tmp_path: Path) -> None:
    models = seal(tmp_path / "models")
    with opened_model(str(models)) as opened:
        assert (opened.model.version[:6], opened.find) == ("local-", None)
    (models / "model.json").write_text("{ }")
    with pytest.raises(BeHealthyError, match="3 bytes, where 2 were saved"), opened_model(str(models)):
        pass


def test_a_version_that_is_being_fetched_does_not_stand_in_the_way_of_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    class Fetching:
        def __init__(self, _alias: str, folder: Path, _command: str) -> None:
            folders.append(folder)

        def find(self) -> load_model.Model:
            return model("1")

    def not_empty(*_: object, **__: object) -> None:  # what is removed is written to
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr("production.service.models.Registry", Fetching)
    with monkeypatch.context() as patched, opened_model("models:/behealthy-extractor@champion"):
        patched.setattr(os, "rmdir", not_empty)
    assert folders[0].is_dir(), "it could not be removed, and that was not told as a fault"
    folders[0].rmdir()


def test_why_a_model_does_not_load_decides_what_is_to_be_done(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="Take the whole folder anew") as damaged:
        ModelHost(ROOT, seal(tmp_path / "models")).start()
    assert "model.json" in str(damaged.value)
    assert "environment" not in str(damaged.value)
    (tmp_path / "stages").mkdir()
    with pytest.raises(HostError, match="make env") as foreign:
        ModelHost(tmp_path, tmp_path / "models").start()
    assert "anew" not in str(foreign.value)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A repository whose commit has the model that lies in it, by its `dvc.lock`; and that commit."""
    root = tmp_path / "repository"
    root.mkdir()
    (root / ".gitignore").write_text("/models\n")
    digest = folder_md5(seal(root / "models"))
    (root / "dvc.lock").write_text(f"stages:\n  train:\n    outs:\n    - path: models\n      md5: {digest}\n")
    monkeypatch.setattr(load_model, "ROOT", root)
    git("init", "--quiet", root=root)
    commit("The model", [".gitignore", "dvc.lock"], root)
    return root, git("rev-parse", "HEAD", root=root).strip()


def test_the_commit_of_a_folder_is_said_where_git_vouches_for_it(repository: tuple[Path, str]) -> None:
    root, made = repository
    assert load_model.folder_model(root / "models").commit == made
    (root / "code.py").touch()  # anything may be another one by now
    assert load_model.folder_model(root / "models").commit is None
    (root / "code.py").unlink()
    assert load_model.folder_model(seal(root.parent / "another")).commit == made  # the same bytes elsewhere
    with sealing(root / "models"):
        (root / "models" / "model.json").write_text("{ }")
    assert load_model.folder_model(root / "models").commit is None


def test_where_there_is_no_git_no_commit_is_said(repository: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert load_model.folder_model(repository[0] / "models").commit is None


def test_a_process_of_the_model_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEHEALTHY_TOKEN", "BEHEALTHY_LOG_KEY", "BEHEALTHY_DATABASE_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("BEHEALTHY_KERNELS", "/kernels")
    found = environment()
    assert "secret" not in found.values()
    assert (found["BEHEALTHY_KERNELS"], found["NUMBA_NUM_THREADS"]) == ("/kernels", "1")
