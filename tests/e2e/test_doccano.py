"""The real doccano: it imports what we write, and we read what it exports, offsets of emoji included."""

from __future__ import annotations

import io
import os
import subprocess
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotation.writers import write
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats import read, read_by_annotator
from tests.e2e.tools import Client, free_port, running, wait_for
from tests.repository import ROOT

VENV = ROOT / ".venv-doccano"
BACKEND = VENV / "lib/python3.11/site-packages/backend"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (VENV / "bin/doccano").exists(), reason="doccano is not installed: make doccano-env"),
]

SECRET = "not-a-real-secret"
TEXT = "Réview 🎉👩‍⚕️ of e\u0301czema:\r\n\r\n- Gout; colchicine 500mg 💊 b.d."
NOTES = [
    Document(
        "n1", TEXT, tuple(Mention(TEXT.index(w), TEXT.index(w) + len(w), "Disease") for w in ("e\u0301czema", "Gout"))
    ),
    Document("n2", "  Well.\r\n", metadata={"note_type": "clinic letter"}),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the application, and work off its queue, from a database of two users."""
    folder = tmp_path_factory.mktemp("doccano")
    environment = os.environ | {
        "DOCCANO_HOME": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "MEDIA_ROOT": str(folder / "media"),
        "STANDALONE": "True",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }
    for arguments in (["init"], *(["createuser", "--username", name, "--password", SECRET] for name in ("ann", "bob"))):
        subprocess.run(
            [VENV / "bin/doccano", *arguments], env=environment, check=True, capture_output=True, timeout=900
        )
    address = f"127.0.0.1:{free_port()}"
    server = [str(VENV / "bin/gunicorn"), "--chdir", str(BACKEND), "--bind", address, "--threads", "4", "config.wsgi"]
    worker = [str(VENV / "bin/celery"), f"--workdir={BACKEND}", "--app=config", "worker", "--pool=solo"]
    logs = folder / "server.log", folder / "worker.log"
    with running(server, environment, logs[0], folder), running(worker, environment, logs[1], folder):
        wait_for(Client(f"http://{address}"), "/", 300, logs[0])
        yield f"http://{address}"


def login(url: str, name: str) -> Client:
    client = Client(url)
    client("POST", "/v1/auth/login/", {"username": name, "password": SECRET})
    return client


def create(api: Client, **settings: bool) -> int:
    project = {
        "name": "Notes",
        "description": "Notes",
        "project_type": "SequenceLabeling",
        "resourcetype": "SequenceLabelingProject",
        "grapheme_mode": False,
        **settings,
    }
    return int(api("POST", "/v1/projects", project)["id"])


def finished(api: Client, task: dict[str, Any]) -> str:
    for _ in range(600):
        status = api("GET", f"/v1/tasks/status/{task['task_id']}")
        if status["ready"]:
            assert not status["error"], status
            return str(task["task_id"])
        time.sleep(0.5)
    raise AssertionError("doccano's worker did not finish")


def send(api: Client, project: int, path: Path) -> None:
    """Import a file the way the interface does: upload, then a task."""
    border = uuid.uuid4().hex
    head = f'--{border}\r\nContent-Disposition: form-data; name="filepond"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{border}--\r\n".encode()
    upload = api("POST", "/v1/fp/process/", raw=body, kind=f"multipart/form-data; boundary={border}")
    name = upload.decode() if isinstance(upload, bytes) else upload
    columns = {"column_data": "text", "column_label": "label"}
    request = {"format": "JSONL", "task": "SequenceLabeling", "uploadIds": [name], **columns}
    finished(api, api("POST", f"/v1/projects/{project}/upload", request))


def export(api: Client, project: int, folder: Path) -> Path:
    asked = api("POST", f"/v1/projects/{project}/download", {"format": "JSONL", "exportApproved": False})
    content = api("GET", f"/v1/projects/{project}/download?taskId={finished(api, asked)}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("use_relation", [False, True], ids=["label", "entities"])
def test_what_is_imported_is_exported_as_it_was(url: str, tmp_path: Path, use_relation: bool) -> None:
    api = login(url, "ann")
    project = create(api, collaborative_annotation=True, use_relation=use_relation)
    write(NOTES, tmp_path / "notes.jsonl", "doccano")
    send(api, project, tmp_path / "notes.jsonl")
    found = export(api, project, tmp_path / "export")
    assert [file.name for file in found.iterdir()] == ["all.jsonl"]
    assert (f'"{"entities" if use_relation else "label"}":[') in (found / "all.jsonl").read_text()
    assert read(found, "doccano") == NOTES


def test_two_annotators_are_two_files(url: str, tmp_path: Path) -> None:
    ann, bob = login(url, "ann"), login(url, "bob")
    project = create(ann, collaborative_annotation=False)
    write(NOTES, tmp_path / "notes.jsonl", "doccano")
    send(ann, project, tmp_path / "notes.jsonl")
    role = next(role["id"] for role in ann("GET", "/v1/roles") if role["name"] == "project_admin")
    user = next(user["id"] for user in ann("GET", "/v1/users") if user["username"] == "bob")
    ann("POST", f"/v1/projects/{project}/members", {"user": user, "role": role})
    label = ann("GET", f"/v1/projects/{project}/span-types")[0]["id"]
    example = next(e["id"] for e in bob("GET", f"/v1/projects/{project}/examples")["results"] if "Gout" in e["text"])
    # In UTF-16 units, as its interface sends it.
    start = len(TEXT[: TEXT.index("colchicine")].encode("utf-16-le")) // 2
    span = {"start_offset": start, "end_offset": start + 10, "label": label}
    bob("POST", f"/v1/projects/{project}/examples/{example}/spans", span)

    found = export(ann, project, tmp_path / "export")
    by_annotator = read_by_annotator(found, "doccano")
    assert list(by_annotator) == ["ann", "bob"]
    assert by_annotator["ann"] == NOTES
    assert [[TEXT[s:e] for s, e, _ in d.mentions] for d in by_annotator["bob"]] == [["colchicine"], []]
    with pytest.raises(AnnotationError, match="is annotated 2 times"):
        read(found, "doccano")
