"""From what goes wrong to a status and two sentences: never a path of ours, never a traceback."""

from __future__ import annotations

import math
import sys

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cli.service.describing import Overloaded
from storage.azure_address import redact
from storage.errors import (
    BlobUnreadable,
    BlobVanished,
    DedupError,
    ImageInputError,
    IndexLocked,
    SourceNotFound,
)

_STATUS: tuple[tuple[type[DedupError], int], ...] = (
    (ImageInputError, 422),
    (BlobUnreadable, 422),
    (SourceNotFound, 404),
    (BlobVanished, 404),
)
_RETRY_SECONDS = 5.0


class Refused(Exception):
    """Answered with a status and nothing that was asked for.

    Args:
        why: a word for the metrics; "" counts nothing.
        retry_after: seconds; 0 says nothing of it.
    """

    def __init__(
        self, status: int, error: str, remedy: str, why: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.remedy = status, error, remedy
        self.why, self.retry_after = why, retry_after


def problem(status: int, error: str, remedy: str = "", retry_after: float = 0.0) -> JSONResponse:
    """The response that says so."""
    headers = {"Retry-After": str(math.ceil(retry_after))} if retry_after else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error, "remedy": remedy}, status, headers)


def busy() -> Refused:
    """Too much is asked at once."""
    return Refused(
        503, "The service is busy.", "Ask again in a moment.", "busy", retry_after=_RETRY_SECONDS
    )


def install(app: FastAPI) -> None:
    """Teach an app to answer every error in this way."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return problem(error.status, error.error, error.remedy, error.retry_after)

    @app.exception_handler(Overloaded)
    def overloaded(request: Request, error: Overloaded) -> JSONResponse:
        return refused(request, busy())

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated.
        wrong = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
        return problem(422, f"Not possible: {', '.join(wrong)}.", "See /openapi.json.")

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), "See /openapi.json.")

    @app.exception_handler(DedupError)
    def failed(request: Request, error: DedupError) -> JSONResponse:
        for kind, status in _STATUS:
            if isinstance(error, kind):
                return problem(status, redact(error.message), redact(error.remedy))
        # Messages about the index, models and credentials name what is the operator's alone.
        print(f"dedup: {redact(str(error))}", file=sys.stderr)
        if isinstance(error, IndexLocked):
            said = "Another process is writing to the index."
        else:
            said = "The index or a source does not answer now."
        return problem(503, said, "Try again later.", _RETRY_SECONDS)

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "A bug in dedup.", "Its operator finds it in the log.")
