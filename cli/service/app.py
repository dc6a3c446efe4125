"""The routes of `dedup serve`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from cli.service import errors
from cli.service.errors import Refused
from cli.service.keys import Scope
from cli.service.metrics import CONTENT_TYPE_LATEST
from cli.service.schemas import (
    Added,
    Answer,
    Check,
    Groups,
    Health,
    ImageFacts,
    Lists,
    Problem,
)
from cli.service.service import Service
from cli.service.uploads import BodyReader
from resolve.lists import LIST_FILES
from resolve.page.groups_file import Order
from verify.verdict import Relation

_CHUNK = 1 << 18
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes of the image, in any format that `dedup index` reads.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem} for code in codes}


_ANY = _problems(401, 422, 429, 500, 503)
_SENT = _ANY | _problems(400, 408, 413)
_NAMED = _ANY | _problems(404)
_WRITTEN = _SENT | _problems(403, 404, 409)

Top = Annotated[int, Query(ge=1, le=100, description="How many neighbours.")]
Verify = Annotated[bool, Query(description="Compare the neighbours on pixels.")]
Uri = Annotated[str, Query(min_length=1, max_length=4096, description="As the lists write it.")]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of a content, hex.")]


def make_app(service: Service) -> FastAPI:
    """The API of a service, which is closed when the app ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="dedup",
        version=_own_version(),
        summary="Which pictures of a collection are copies of which, and of this one.",
        # Their pages fetch scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    errors.install(app)
    body = BodyReader(service.max_upload, service.upload_seconds)

    def permitted(scope: Scope) -> Callable[..., None]:
        def check(
            header: Annotated[
                str | None, Depends(APIKeyHeader(name="X-API-Key", auto_error=False))
            ],
            bearer: Annotated[
                HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
            ],
        ) -> None:
            service.permit(header or (bearer.credentials if bearer else ""), scope)

        return check

    reads = [Depends(permitted(Scope.READ))]
    writes = [Depends(permitted(Scope.WRITE))]

    @app.middleware("http")
    async def observe(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started = time.perf_counter()
        status = 500
        try:
            response = await call_next(request)
            status = response.status_code
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            return response
        finally:
            route = getattr(request.scope.get("route"), "path", "other")
            service.metrics.requests.labels(request.method[:8], route, str(status)).inc()
            service.metrics.seconds.labels(route).observe(time.perf_counter() - started)

    @app.get("/health", tags=["operation"])
    async def health() -> Health:
        """Whether the process lives. Needs no key."""
        return Health(status="ok")

    @app.get("/ready", tags=["operation"], responses=_problems(503))
    def ready() -> Health:
        """Whether it can answer from an index that is up to date. Needs no key."""
        service.require_ready()
        return Health(status="ready")

    @app.get(
        "/metrics",
        tags=["operation"],
        dependencies=reads,
        response_class=Response,
        responses=_ANY | {200: {"content": {"text/plain": {}}}},
    )
    def metrics() -> Response:
        """For Prometheus; it sends a key with `authorization`."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.post(
        "/v1/query", tags=["query"], dependencies=reads, responses=_SENT, openapi_extra=_UPLOAD
    )
    async def query_upload(request: Request, top: Top = 10, verify: Verify = True) -> Answer:
        """What in the index is a copy of this image?"""
        content = await body.read(request)
        return await run_in_threadpool(service.query, "upload", content, top, verify)

    @app.get("/v1/query", tags=["query"], dependencies=reads, responses=_NAMED)
    def query_uri(uri: Uri, top: Top = 10, verify: Verify = True) -> Answer:
        """What in the index is a copy of the image with this name, in a source of the service?"""
        return service.query(uri, service.sources.read(uri), top, verify)

    @app.post(
        "/v1/check", tags=["query"], dependencies=reads, responses=_SENT, openapi_extra=_UPLOAD
    )
    async def check_upload(request: Request) -> Check:
        """Have we this already? The same bytes are told without a look at the picture."""
        content = await body.read(request)
        return await run_in_threadpool(service.check, content)

    @app.post(
        "/v1/images",
        tags=["images"],
        dependencies=writes,
        responses=_WRITTEN | {200: {"model": Added}},
        openapi_extra=_UPLOAD,
        status_code=201,
    )
    async def add_upload(
        request: Request,
        response: Response,
        only_new: Annotated[
            bool, Query(description="Refuse (409) what is a copy of an image in the index.")
        ] = False,
    ) -> Added:
        """Keep this image in the upload folder and index it. 200 when these bytes are known."""
        content = await body.read(request)
        added = await run_in_threadpool(service.add_content, content, only_new)
        response.status_code = 201 if added.is_new else 200
        return added

    @app.put("/v1/images", tags=["images"], dependencies=writes, responses=_WRITTEN)
    def add_uri(uri: Uri) -> Added:
        """Index the image with this name as it is now, in a source of the service."""
        return service.add_uri(uri)

    @app.get("/v1/images/{digest}", tags=["images"], dependencies=reads, responses=_NAMED)
    def image(digest: Digest) -> ImageFacts:
        """What the index knows of an image."""
        return service.image(digest)

    @app.get(
        "/v1/images/{digest}/preview",
        tags=["images"],
        dependencies=reads,
        response_class=Response,
        responses=_NAMED | {200: {"content": {"image/jpeg": {}}}},
    )
    def preview(digest: Digest) -> Response:
        """A small upright JPEG."""
        return Response(service.preview(digest), media_type="image/jpeg")

    @app.get("/v1/groups", tags=["result"], dependencies=reads, responses=_NAMED)
    def groups(
        order: Order = Order.UNCERTAIN,
        relation: Annotated[Relation | None, Query(description="Only with such a copy.")] = None,
        first: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Groups:
        """The groups that the last resolve found."""
        return service.groups(order, relation, first, count)

    @app.get("/v1/groups/{group}", tags=["result"], dependencies=reads, responses=_NAMED)
    def group(group: Annotated[str, Path(pattern="^[0-9A-Za-z_-]{1,64}$")]) -> dict[str, Any]:
        """One of them, as its line in groups.jsonl."""
        return service.group(group)

    @app.get("/v1/lists", tags=["result"], dependencies=reads, responses=_NAMED)
    def lists() -> Lists:
        """Which lists there are, and the summary."""
        return service.lists()

    @app.get(
        "/v1/lists/{name}",
        tags=["result"],
        dependencies=reads,
        response_class=StreamingResponse,
        responses=_NAMED | {200: {"content": {"text/csv": {}, "application/json": {}}}},
    )
    def result_list(
        name: Annotated[str, Path(json_schema_extra={"enum": list(LIST_FILES)})],
    ) -> StreamingResponse:
        """One of them, as it is when it is asked for."""
        file, size = service.open_list(name)
        kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
        return StreamingResponse(
            iter(lambda: file.read(_CHUNK), b""),
            media_type=kind,
            headers={"Content-Length": str(size)},
        )

    return app


def _own_version() -> str:
    try:
        return version("dedup")
    except PackageNotFoundError:
        return "0"


__all__ = ["Refused", "make_app"]
