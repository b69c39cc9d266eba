"""MLflow's own route for notes, with the hosts in the place of a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from fastapi import Request
from fastapi.responses import Response

from production.inference.host import Found, NoteFailedError
from production.service.gate import RefusalError, refuse_many
from production.service.params import ServiceParams
from production.service.served import Served

FORMS: dict[str, Any] = {
    "inputs": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    "instances": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    "dataframe_records": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    "dataframe_split": {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "prefixItems": [{"const": "text"}], "minItems": 1},
            "data": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "prefixItems": [{"type": "string"}], "minItems": 1},
            },
        },
        "required": ["columns", "data"],
    },
}
"""How a request may say its notes; exactly one of them."""


_refused: ContextVar[list[RefusalError]] = ContextVar("refused")
"""Why the request in work is refused, where the model was asked: MLflow's server would make a 500 of it."""


class _Pooled:
    """What MLflow's server takes for a model; it is called in threads of that server."""

    def __init__(self, served: Served, seconds: float) -> None:
        from delivery.registry.model import signature

        inputs = signature().inputs
        self.metadata = SimpleNamespace(get_input_schema=lambda: inputs)
        self._served, self._seconds = served, seconds

    def predict(self, data: Any, params: Any = None) -> Any:
        """Find the mentions of each note."""
        import pandas as pd

        from delivery.registry.served import COLUMNS, notes_of, row_of

        notes = notes_of(data)
        asked = asyncio.run_coroutine_threadsafe(self._served.extract(notes.tolist()), self._served.loop)
        try:
            found = asked.result(self._seconds)
        except TimeoutError:
            asked.cancel()
            raise
        except RefusalError as refusal:
            _refused.get().append(refusal)
            raise
        rows = [row_of(_found(answer)) for answer in found.notes]
        return pd.DataFrame(rows, index=notes.index, columns=COLUMNS)


def _found(answer: Found | NoteFailedError) -> Any:  # with the fields of an extraction
    if isinstance(answer, NoteFailedError):
        raise answer
    return answer


def mlflow_route(served: Served, params: ServiceParams) -> Callable[..., Any]:
    """Return what MLflow's server answers ``/invocations`` with, its input checked as a served model does.

    Parameters
    ----------
    served : Served
    params : ServiceParams
        How many notes there may be, and how long anybody waits for an answer.
    """
    from mlflow.pyfunc import PyFuncModel, scoring_server

    from delivery.registry.model import LIMITS
    from delivery.registry.served import guard

    guard(scoring_server, LIMITS, partial(refuse_many, params=params))
    app = scoring_server.init(cast(PyFuncModel, _Pooled(served, params.request_seconds)))
    answer = next(route.endpoint for route in app.routes if getattr(route, "path", "") == "/invocations")

    async def invocations(request: Request) -> Response:
        refused: list[RefusalError] = []
        _refused.set(refused)
        answered: Response = await answer(request)
        if refused:
            raise refused[0]
        return answered

    return invocations
