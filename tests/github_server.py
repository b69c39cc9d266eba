"""A stand-in for GitHub's REST API on the loopback: it keeps comments, issues, pull requests and dispatches.

It knows what matters for a client: tokens and what they may do, pages, answers that are lost, rate limits.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OWNER = "clinic"
REPOSITORY = f"{OWNER}/behealthy"
TOKEN, READ_ONLY, EXPIRED = "ghs_a-job", "ghs_a-fork", "ghs_too-old"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
LARGEST_PAGE = 3
"""Fewer than GitHub's 100, so that tests meet a second page."""

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Fault:
    """What happens to the next request of a method instead of its answer.

    Parameters
    ----------
    method : str
    status : int
        Of the answer; 0 closes the connection without one.
    headers : dict
    done : bool
        Whether the request is carried out before its answer is lost.
    text : str, optional
        What is answered, where it is no JSON.
    seconds : float
        That the answer takes.
    """

    method: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False
    text: str | None = None
    seconds: float = 0.0


@dataclass
class FakeGitHub:
    """The state of the stand-in; tests read and change it."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    dispatches: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    numbers: int = 0

    def environment(self, token: str = TOKEN) -> dict[str, str]:
        """Return what a job has to reach it."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": token}

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def say(self, issue: int, body: str, user: dict[str, str] | None = None) -> dict[str, Any]:
        """Put a comment there, as anyone."""
        number = self.number()
        address = f"https://github.example/{REPOSITORY}/issues/{issue}#issuecomment-{number}"
        comment = {"id": number, "issue": issue, "body": body, "user": user or BOT, "html_url": address}
        self.comments.append(comment)
        return comment

    def open_pull(self, head: str, base: str = "main", title: str = "", body: str = "") -> dict[str, Any]:
        """Open a pull request from a branch of the repository."""
        number = self.number()
        pull = {
            "number": number,
            "state": "open",
            "title": title,
            "body": body,
            "head": {"ref": head, "label": f"{OWNER}:{head}", "repo": {"full_name": REPOSITORY}},
            "base": {"ref": base},
            "html_url": f"https://github.example/{REPOSITORY}/pull/{number}",
        }
        self.pulls.append(pull)
        return pull

    def open_issue(self, title: str, body: str, labels: list[str]) -> dict[str, Any]:
        number = self.number()
        issue = {
            "number": number,
            "state": "open",
            "title": title,
            "body": body,
            "labels": [{"name": label} for label in labels],
            "html_url": f"https://github.example/{REPOSITORY}/issues/{number}",
        }
        self.issues.append(issue)
        return issue

    # ---- the routes ----------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, str], content: dict[str, Any]) -> Answer:
        """Carry out a request."""
        if path == "/user":
            return 403, {"message": "Resource not accessible by integration"}, {}
        prefix = f"/repos/{REPOSITORY}/"
        for verb, pattern, work in self._routes():
            found = re.fullmatch(re.escape(prefix) + pattern, path)
            if found and verb == method:
                return work(content, query, *found.groups())
        return 404, {"message": "Not Found"}, {}

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("GET", r"issues/(\d+)/comments", self._list_comments),
            ("POST", r"issues/(\d+)/comments", self._add_comment),
            ("PATCH", r"issues/comments/(\d+)", self._change_comment),
            ("DELETE", r"issues/comments/(\d+)", self._delete_comment),
            ("GET", r"issues", self._list_issues),
            ("POST", r"issues", self._add_issue),
            ("PATCH", r"issues/(\d+)", self._change_issue),
            ("GET", r"pulls", self._list_pulls),
            ("POST", r"pulls", self._add_pull),
            ("PATCH", r"pulls/(\d+)", self._change_pull),
            ("POST", r"dispatches", self._dispatch_repository),
            ("POST", r"actions/workflows/([\w.-]+)/dispatches", self._dispatch),
        ]

    def _page(self, items: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        size = min(int(query.get("per_page", 30)), LARGEST_PAGE)
        page = int(query.get("page", 1))
        shown = items[(page - 1) * size : page * size]
        links = {}
        if page * size < len(items):
            more = "&".join(f"{key}={value}" for key, value in {**query, "page": page + 1}.items())
            links = {"Link": f'<{self.url}{query_path(query)}?{more}>; rel="next"'}
        return 200, shown, links

    def _list_comments(self, _: Any, query: dict[str, str], issue: str) -> Answer:
        return self._page([comment for comment in self.comments if comment["issue"] == int(issue)], query)

    def _add_comment(self, content: dict[str, Any], _: Any, issue: str) -> Answer:
        if len(content["body"]) > 65536:
            return 422, {"message": "Validation Failed", "errors": ["body is too long"]}, {}
        return 201, self.say(int(issue), content["body"]), {}

    def _change_comment(self, content: dict[str, Any], _: Any, number: str) -> Answer:
        return _changed(self.comments, "id", number, content)

    def _delete_comment(self, _: Any, __: Any, number: str) -> Answer:
        self.comments = [comment for comment in self.comments if comment["id"] != int(number)]
        return 204, None, {}

    def _list_issues(self, _: Any, query: dict[str, str]) -> Answer:
        found = [
            issue
            for issue in self.issues
            if issue["state"] == query.get("state", "open")
            and query.get("labels") in [label["name"] for label in issue["labels"]]
        ]
        return self._page(found, query)

    def _add_issue(self, content: dict[str, Any], _: Any) -> Answer:
        return 201, self.open_issue(content["title"], content["body"], content["labels"]), {}

    def _change_issue(self, content: dict[str, Any], _: Any, number: str) -> Answer:
        return _changed(self.issues, "number", number, content)

    def _list_pulls(self, _: Any, query: dict[str, str]) -> Answer:
        found = [
            pull
            for pull in self.pulls
            if query.get("state", "open") in ("all", pull["state"])
            and query.get("head", pull["head"]["label"]) == pull["head"]["label"]
        ]
        return self._page(found, query)

    def _add_pull(self, content: dict[str, Any], _: Any) -> Answer:
        if any(pull["head"]["ref"] == content["head"] and pull["state"] == "open" for pull in self.pulls):
            return 422, {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]}, {}
        return 201, self.open_pull(content["head"], content["base"], content["title"], content["body"]), {}

    def _change_pull(self, content: dict[str, Any], _: Any, number: str) -> Answer:
        return _changed(self.pulls, "number", number, content)

    def _dispatch(self, content: dict[str, Any], _: Any, workflow: str) -> Answer:
        self.dispatches.append({"workflow": workflow, **content})
        return 204, None, {}

    def _dispatch_repository(self, content: dict[str, Any], _: Any) -> Answer:
        self.dispatches.append(content)
        return 204, None, {}


def query_path(query: dict[str, str]) -> str:
    """Return the path that the handler put among the query, for the address of the next page."""
    return query.pop("__path__", "")


def _changed(items: list[dict[str, Any]], key: str, number: str, content: dict[str, Any]) -> Answer:
    for item in items:
        if item[key] == int(number):
            item.update(content)
            return 200, item, {}
    return 404, {"message": "Not Found"}, {}


@contextmanager
def github() -> Iterator[FakeGitHub]:
    """Serve one on a free port of the loopback."""
    state = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length) or b"{}")
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            state.requests.append(f"{self.command} {parts.path}")
            fault = next((fault for fault in state.faults if fault.method == self.command), None)
            if fault:
                state.faults.remove(fault)
                if fault.done:
                    state.answer(self.command, parts.path, query, content)
                time.sleep(fault.seconds)
                if fault.status:
                    self.reply(fault.status, {"message": "a fault"}, fault.headers, fault.text)
                else:
                    self.close_connection = True
                return
            refusal = _refusal(self.headers.get("Authorization", ""), self.command)
            query["__path__"] = parts.path
            self.reply(*(refusal or state.answer(self.command, parts.path, query, content)))

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815  # the names of http.server

        def reply(self, status: int, content: Any, headers: dict[str, str], text: str | None = None) -> None:
            body = b"" if content is None else (json.dumps(content) if text is None else text).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _refusal(authorization: str, method: str) -> Answer | None:
    _, _, token = authorization.partition(" ")  # GitHub takes "Bearer …" and "token …"
    if token not in (TOKEN, READ_ONLY):
        return 401, {"message": "Bad credentials"}, {}
    if token == READ_ONLY and method != "GET":
        return 403, {"message": "Resource not accessible by integration"}, {}
    return None
