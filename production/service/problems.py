"""What the service says of requests that go wrong: where and in which way, never what stands there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from production.service.gate import FAULT, REFUSED, RefusalError
from production.service.shapes import Analyze, Content, Metadata

_NAMES = frozenset({"body", "content", *Analyze.model_fields, *Content.model_fields, *Metadata.model_fields})


def say_problems(app: FastAPI) -> None:
    """Have an application answer its errors in these words."""
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    app.add_exception_handler(HTTPException, _say_status)
    app.add_exception_handler(RefusalError, _say_refusal)
    app.add_exception_handler(Exception, _say_fault)  # the gate logs where it was


async def _say_what_is_wrong(_: Request, error: Exception) -> Response:
    """Say where a request is at fault, by names of ours and places; what stands there is not said."""
    assert isinstance(error, RequestValidationError)
    faults = [f"{_place(fault['loc'])}: {fault['type']}" for fault in error.errors()[:5]]
    return JSONResponse({"error": f"the request is not as documented ({'; '.join(faults)})"}, 400)


def _place(parts: Sequence[str | int]) -> str:
    """Return a place as far as its names are ours: below a footer they are the client's."""
    own = itertools.takewhile(lambda part: isinstance(part, int) or part in _NAMES, parts)
    return ".".join(map(str, own))


async def _say_fault(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": FAULT}, 500)


async def _say_status(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {400: "the request is no JSON that can be read", 404: "there is nothing here", 405: "not with this method"}
    problem = said.get(error.status_code, "the request cannot be answered")
    return JSONResponse({"error": problem}, error.status_code, headers=error.headers)


async def _say_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    request.scope[REFUSED] = error.reason  # for the gate, which counts
    return JSONResponse({"error": error.problem}, error.status, headers=error.headers)
