"""The real Label Studio, from notes pre-annotated by the tagger to a batch that went through the graph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from annotation.label_studio.server import PROGRAM, ROOT, command, environment, has_account
from annotation.writers import write
from stages.common.documents import Document, Mention
from stages.prepare.formats import read, read_by_annotator
from stages.train.extractor import load_extractor
from tests.e2e.tools import Client, free_port, running, wait_for
from tests.repository import LIGHT, Repository, add_batch, clone, write_notes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason="Label Studio is not installed: make label-studio-env"),
]

WHO = {"email": "ann@example.org", "password": "not-a-real-secret"}
HARD = "Réview 🎉👩‍⚕️ of e\u0301czema:\r\n\r\n- Gout; colchicine 500mg 💊 b.d.\r\nDenies asthma."
HARD_MENTIONS = [("e\u0301czema", "Disease"), ("Gout", "Disease"), ("colchicine", "Treatment"), ("asthma", "Disease")]
NOTES = 12


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Start it on an empty folder and sign up, as the guide tells the first person."""
    folder = tmp_path_factory.mktemp("label-studio")
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}")
    log = folder / "server.log"
    with running(command(port), environment(folder / "data"), log, folder):
        wait_for(client, "/user/signup/", 900, log)  # the first start migrates: a minute on an idle machine
        form = urlencode(WHO | {"how_find_us": "other"}).encode()
        client("POST", "/user/signup/", raw=form, kind="application/x-www-form-urlencoded")
        assert has_account(folder / "data")
        yield client


@pytest.fixture(scope="module")
def repository(source: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone with the seed data and a model that took little time to train."""
    repository = clone(source, tmp_path_factory.mktemp("graph") / "repository")
    repository.fetch_seed()
    repository.set_params(*LIGHT, "train.acceptance.models=[]", "evaluate.kpi.measured_notes=5")
    repository.dvc("repro", timeout=900)
    return repository


def notes(folder: Path) -> list[Document]:
    """Return annotated notes as a person would annotate them, one of them full of traps."""
    write_notes(folder / "notes.jsonl", NOTES)
    hard = tuple(Mention(at := HARD.index(words), at + len(words), label) for words, label in HARD_MENTIONS)
    return [*read(folder / "notes.jsonl", "jsonl"), Document("hard", HARD, hard)]


def pre_annotate(documents: list[Document], models: Path, path: Path) -> list[Document]:
    """Write what the tagger finds as predictions; return it as documents."""
    extractor = load_extractor(models)
    found = [extractor.extract(document.text).mentions for document in documents]
    predicted = [
        Document(document.id, document.text, tuple(Mention(*mention[:3]) for mention in mentions))
        for document, mentions in zip(documents, found, strict=True)
    ]
    confidences = [[mention.confidence for mention in mentions] for mentions in found]
    write(predicted, path, "label-studio", predictions=True, confidences=confidences)
    return predicted


def result_of(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": s, "end": e, "text": document.text[s:e], "labels": [label]},
        }
        for s, e, label in document.mentions
    ]


def export(api: Client, project: int, path: Path) -> Path:
    path.write_text(json.dumps(api("GET", f"/api/projects/{project}/export?exportType=JSON")), encoding="utf-8")
    return path


def test_from_the_tagger_through_label_studio_to_a_batch(api: Client, repository: Repository, tmp_path: Path) -> None:
    truth = notes(tmp_path)
    predicted = pre_annotate(truth, repository.root / "models", tmp_path / "tasks.json")
    config = (ROOT / "annotation/label_studio/config.xml").read_text(encoding="utf-8")
    project = api("POST", "/api/projects", {"title": "Notes", "label_config": config})["id"]
    api("POST", f"/api/projects/{project}/import", json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8")))
    tasks = api("GET", f"/api/tasks?project={project}&page_size=100&fields=all")["tasks"]
    by_id = {task["data"]["document"]: task for task in tasks}
    assert {id: task["data"]["text"] for id, task in by_id.items()} == {d.id: d.text for d in truth}
    shown = {id: [item["value"] for item in task["predictions"][0]["result"]] for id, task in by_id.items()}
    assert {id: [v["text"] for v in values] for id, values in shown.items()} == {
        d.id: [d.text[s:e] for s, e, _ in d.mentions] for d in predicted
    }

    for number, document in enumerate(truth):
        path = f"/api/tasks/{by_id[document.id]['id']}/annotations"
        api("POST", path, {"result": result_of(document), "lead_time": 60.0 + number})
    skipped = {"result": [], "was_cancelled": True, "lead_time": 1.0}
    api("POST", f"/api/tasks/{by_id['hard']['id']}/annotations", skipped)

    exported = export(api, project, tmp_path / "export.json")
    found = {document.id: document for document in read(exported, "label-studio")}
    for number, document in enumerate(truth):
        assert found[document.id].text == document.text
        assert found[document.id].mentions == document.mentions
        assert found[document.id].seconds == 60.0 + number

    add_batch(repository, exported, "from-label-studio", format="label-studio")
    repository.dvc("repro", timeout=900)
    assert repository.json("metrics/validation.json")["passed"]
    assert repository.json("metrics/kpi.json")["minutes"]["entry"] == {
        "value": 1.1,
        "source": "measured",
        "notes": len(truth),
    }


def test_two_annotators_are_kept_apart_until_one_is_the_truth(api: Client, tmp_path: Path) -> None:
    config = (ROOT / "annotation/label_studio/config.xml").read_text(encoding="utf-8")
    project = api("POST", "/api/projects", {"title": "Twice", "label_config": config})["id"]
    first = Document("n1", "🎉 Gout on colchicine.", (Mention(2, 6, "Disease"),))
    second = Document("n1", first.text, (*first.mentions, Mention(10, 20, "Treatment")))
    task = json.loads(json.dumps({"data": {"document": "n1", "text": first.text}}))
    (number,) = api("POST", f"/api/projects/{project}/import?return_task_ids=true", [task])["task_ids"]
    other = api("POST", "/api/users", {"username": "bob", "email": "bob@example.org", "password": "not-a-real-secret"})
    for document, by in ((first, 1), (second, other["id"])):
        body = {"result": result_of(document), "completed_by": by}
        annotation = api("POST", f"/api/tasks/{number}/annotations", body)
    exported = export(api, project, tmp_path / "twice.json")
    with pytest.raises(Exception, match=r"document n1: is annotated 2 times\. Adjudicate first"):
        read(exported, "label-studio")
    by_annotator = read_by_annotator(exported, "label-studio")
    assert [d.mentions for documents in by_annotator.values() for d in documents] == [first.mentions, second.mentions]
    api("PATCH", f"/api/annotations/{annotation['id']}", {"ground_truth": True})
    assert read(export(api, project, tmp_path / "truth.json"), "label-studio")[0].mentions == second.mentions


def test_a_dispute_is_decided_in_the_tool(api: Client, tmp_path: Path) -> None:
    """Two people, a project for each; their disputes in a third, with the labels of `adjudication.xml`."""
    text = "🎉 Gout on colchicine."
    gout, colchicine = Mention(2, 6, "Disease"), Mention(10, 20, "Treatment")
    labels = str(ROOT / "data/mapping/labels.csv")
    exports = ("-m", "annotation.agreement", "anna.jsonl", "ben.jsonl", "--format", "jsonl", "--labels", labels)
    write([Document("n1", text, (gout, colchicine))], tmp_path / "anna.jsonl", "jsonl")
    write([Document("n1", text, (gout,))], tmp_path / "ben.jsonl", "jsonl")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    desk = Repository(tmp_path).settings(PYTHONPATH=str(ROOT))
    desk.python(*exports, "--adjudicate", "disputes.json", "--tool", "label-studio")

    config = (ROOT / "annotation/label_studio/adjudication.xml").read_text(encoding="utf-8")
    project = api("POST", "/api/projects", {"title": "Disputes", "label_config": config})["id"]
    api("POST", f"/api/projects/{project}/import", json.loads((tmp_path / "disputes.json").read_text(encoding="utf-8")))
    (task,) = api("GET", f"/api/tasks?project={project}&fields=all")["tasks"]
    shown = task["predictions"][0]["result"]
    assert [item["value"]["labels"] for item in shown] == [["Disease"], ["Treatment?"]]
    decided = [item | {"value": item["value"] | {"labels": [item["value"]["labels"][0].rstrip("?")]}} for item in shown]
    api("POST", f"/api/tasks/{task['id']}/annotations", {"result": decided})
    export(api, project, tmp_path / "decided.json")
    resolve = ("--resolve", "decided.json", "--resolve-format", "label-studio", "--to", "batch.jsonl")
    desk.python(*exports, *resolve)
    assert [document.mentions for document in read(tmp_path / "batch.jsonl", "jsonl")] == [(gout, colchicine)]
