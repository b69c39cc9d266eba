"""The routes of the service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from production.inference.host import Found, NoteFailedError
from production.inference.load_model import Model
from production.service.gate import Gate, RefusalError, refuse_many
from production.service.invocations import FORMS, mlflow_route
from production.service.measures import Measures
from production.service.params import ServiceParams
from production.service.problems import say_problems
from production.service.served import Served
from production.service.shapes import (
    Analyze,
    BulkAnswer,
    BulkContent,
    Content,
    Entity,
    Problem,
    Process,
    ProcessAnswer,
    ProcessBulk,
    State,
    Version,
    entities_of,
    processed,
)
from stages.common.errors import BeHealthyError

WORK = ("/analyze", "/api/process", "/api/process_bulk", "/invocations")
"""Paths that take notes."""

API = "1"
"""Version of the paths and of what they take; `/version` says which model answers."""

_WHY: dict[int | str, str] = {
    400: "no JSON that can be read, no notes, or no labels of the model",
    401: "the token is missing or another one",
    408: "the request did not arrive in time",
    413: "a note or the request is too large, or there are too many notes",
    422: "the model takes too long for the note",
    500: "the process of the model ended while it read the note",
    503: "loading, or too many requests at a time: see Retry-After",
    504: "not done in time",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": why} for status, why in _WHY.items()
}


class _Strict(Request):
    """JSON as RFC 8259 has it: no NaN, no infinities."""

    async def json(self) -> Any:
        return json.loads(await self.body(), parse_constant=_refuse)


def _refuse(_: str) -> None:
    raise ValueError


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[..., Any]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Strict(request.scope, request.receive))

        return strictly


def build_application(
    served: Served,
    params: ServiceParams,
    measures: Measures,
    *,
    token: str | None = None,
    loaded: Callable[[], None] = lambda: None,
    failed: Callable[[BeHealthyError], None] = lambda _: None,
) -> Gate:
    """Return the whole service as an ASGI application.

    Parameters
    ----------
    served : Served
        Whose hosts are starting.
    params : ServiceParams
    measures : Measures
    token : str, optional
        That clients must send.
    loaded, failed : callable
        Told when the model is warm, and when it does not load.
    """
    lifespan = _lifespan(served, params, loaded, failed)
    app = FastAPI(title="BeHealthy", version=API, docs_url=None, redoc_url=None, lifespan=lifespan)
    say_problems(app)
    app.include_router(_notes(served, params))
    app.include_router(_about(served, measures))
    _add_mlflow(app, served, params)
    _name_labels(app, served)
    return Gate(app, params, work=WORK, ready=lambda: served.ready, token=token, measures=measures)


def _lifespan(
    served: Served, params: ServiceParams, loaded: Callable[[], None], failed: Callable[[BeHealthyError], None]
) -> Callable[[FastAPI], Any]:
    async def load() -> None:
        try:
            await served.start()
            loaded()
        except BeHealthyError as error:
            failed(error)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(params.waiting)  # in which MLflow's route waits
        asyncio.get_running_loop().set_default_executor(threads)
        loading = asyncio.create_task(load())  # requests that ask how it goes are answered meanwhile
        yield
        loading.cancel()
        served.stop()

    return lifespan


# ---- notes ----------------------------------------------------------------------------------------


def _notes(served: Served, params: ServiceParams) -> APIRouter:
    router = APIRouter(route_class=_Route, tags=["notes"], responses=_PROBLEMS)

    @router.post("/analyze", response_model=list[Entity])
    async def analyze(asked: Analyze) -> Response:
        """Find the mentions of a note: Presidio's shape, with assertion and acceptance."""
        _measure_notes([asked.text], params)
        _check_labels(asked.entities or (), served.labels)
        answers = await served.extract([asked.text], _known([asked]))
        return _json(entities_of(_found(answers.notes[0]), asked))

    @router.post("/api/process", response_model=ProcessAnswer)
    async def process(asked: Process) -> Response:
        """Find the mentions of a note: CogStack's shape."""
        _measure_notes([asked.content.text], params)
        answers = await served.extract([asked.content.text], _known([asked.content]))
        result = processed(asked.content, _found(answers.notes[0]))
        return _json({"medcat_info": _info(answers.model), "result": result})

    @router.post("/api/process_bulk", response_model=BulkAnswer)
    async def process_bulk(asked: ProcessBulk) -> Response:
        """Find the mentions of many notes: CogStack's shape; one that fails, or is no text, says so in its place."""
        content = [one or BulkContent() for one in asked.content]
        refuse_many(content, params)
        faults = [one.fault for one in content]
        _measure_notes([one.text if fault is None else "" for one, fault in zip(content, faults, strict=True)], params)
        given = [one for one, fault in zip(content, faults, strict=True) if fault is None]
        answers = await served.extract([one.text for one in given], _known(given))
        found = iter(answers.notes)
        results = [processed(one, fault or next(found)) for one, fault in zip(content, faults, strict=True)]
        return _json({"medcat_info": _info(answers.model), "result": results})

    return router


def _known(asked: Sequence[Analyze | Content | BulkContent]) -> list[dict[str, str]]:
    return [one.metadata.known() if one.metadata else {} for one in asked]


def _info(model: Model) -> dict[str, str]:
    """Say in CogStack's words who answers."""
    return {
        "service_app_name": "BeHealthy",
        "service_language": "en",
        "service_version": model.version,
        "service_model": model.commit or "",
    }


def _json(content: Any) -> Response:
    return Response(json.dumps(content, allow_nan=False), media_type="application/json")


def _measure_notes(notes: list[str], params: ServiceParams) -> None:
    for place, note in enumerate(notes):
        if len(note.encode()) > params.note_bytes:
            problem = f"note {place}, counted from 0, has more than {params.note_bytes} bytes: cut it where a part ends"
            raise RefusalError(413, "too_large", problem)


def _check_labels(wanted: Iterable[str], labels: Iterable[str]) -> None:
    if not set(labels).issuperset(wanted):
        raise RefusalError(400, "no_label", f"entities: this model has the labels {', '.join(labels)}")


def _found(answer: Found | NoteFailedError) -> Found:
    if isinstance(answer, Found):
        return answer
    if answer.too_slow:
        raise RefusalError(422, "note_failed", f"{answer}: cut it where a part ends")
    raise RefusalError(500, "note_failed", str(answer))


# ---- about the service ----------------------------------------------------------------------------


def _about(served: Served, measures: Measures) -> APIRouter:
    router = APIRouter(tags=["service"])
    closed: dict[int | str, dict[str, Any]] = {401: _PROBLEMS[401]}

    @router.head("/health", include_in_schema=False)
    @router.get("/health")
    async def health() -> State:
        """Say that the service is there."""
        return State(status="ok")

    @router.head("/ready", include_in_schema=False)
    @router.get(
        "/ready",
        response_model=State,
        responses={503: {"model": State, "description": "loading, or no process of it starts"}},
    )
    async def ready() -> Response:
        """Say whether the model is loaded and warm."""
        state, status = ("ready", 200) if served.ready else ("loading", 503)
        return JSONResponse({"status": state}, status)

    @router.head("/ping", include_in_schema=False)
    @router.get("/ping", response_class=Response, responses={503: _PROBLEMS[503]})
    async def ping() -> Response:
        """Say the same as MLflow's server does."""
        return Response("\n", 200 if served.ready else 503, media_type="application/json")

    @router.get("/version", responses=closed)
    async def version() -> Version:
        """Say which model answers."""
        model = served.model
        return Version(model_version=model.version, commit=model.commit, labels=list(served.labels))

    @router.get("/metrics", response_class=Response, responses=closed | {200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Count requests, notes, mentions and seconds, for Prometheus."""
        return Response(measures.text(), media_type="text/plain; version=0.0.4")

    return router


def _add_mlflow(app: FastAPI, served: Served, params: ServiceParams) -> None:
    forms = [{"type": "object", "properties": {name: form}, "required": [name]} for name, form in FORMS.items()]
    body = {"required": True, "content": {"application/json": {"schema": {"oneOf": forms}}}}
    answer = {"type": "object", "properties": {"predictions": {"type": "array"}}, "required": ["predictions"]}
    responses: dict[int | str, dict[str, Any]] = {status: {"description": why} for status, why in _WHY.items()}
    app.add_api_route(
        "/invocations",
        mlflow_route(served, params),
        methods=["POST"],
        tags=["notes"],
        summary="As MLflow serves a model: one row per note.",
        responses={200: {"content": {"application/json": {"schema": answer}}}, **responses},
        response_class=Response,
        openapi_extra={"requestBody": body},
    )


def _name_labels(app: FastAPI, served: Served) -> None:
    """Let the documentation say which labels can be asked for: those of the model that answers by then."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        documented = describe()
        if served.labels:
            entities = documented["components"]["schemas"]["Analyze"]["properties"]["entities"]
            entities["anyOf"][0]["items"]["enum"] = list(served.labels)
        return documented

    app.openapi = openapi  # type: ignore[method-assign]
