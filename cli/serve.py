"""`dedup serve`: an HTTP API over an index, for other systems."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    AnswerMemoryOption,
    ConfigOption,
    DeviceOption,
    IndexOption,
    JsonOption,
    MatcherOption,
    RateOption,
    StrictnessOption,
    settings_from,
)

EXAMPLE = (
    "Examples:\n\n\b\n"
    "  dedup serve\n"
    "  dedup serve --api-keys keys.txt --host 0.0.0.0 --port 8000 --uploads /data/uploads\n"
    '  curl -H "X-API-Key: $KEY" --data-binary @holiday.jpg http://127.0.0.1:8000/v1/check'
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def register(app: typer.Typer) -> None:
    app.command("serve", epilog=EXAMPLE)(_command)


def _command(
    index: IndexOption = None,
    lists: Annotated[
        Path | None,
        typer.Option("--lists", metavar="DIR", help="What resolve wrote. Default: ./dedup-lists"),
    ] = None,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            "--api-keys",
            metavar="FILE",
            help="NAME read|write KEY a line. Default: one key is made up and printed",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="What clients may name images of: a folder or az://CONTAINER; repeat. "
            "Default: none",
        ),
    ] = None,
    uploads: Annotated[
        Path | None,
        typer.Option(
            "--uploads",
            metavar="DIR",
            help="Keep and index images that are sent to be added. Default: none are",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", help="Where to listen. Default: any free port"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="R", help="Requests a second of one key. Default: 50"),
    ] = None,
    max_upload_megabytes: Annotated[
        float | None,
        typer.Option("--max-upload-megabytes", metavar="MIB", help="Of one image. Default: 32"),
    ] = None,
    max_megapixels: Annotated[
        float | None,
        typer.Option("--max-megapixels", metavar="MP", help="Of one image. Default: 200"),
    ] = None,
    image_timeout: Annotated[
        float | None,
        typer.Option("--image-timeout", metavar="S", help="Seconds to decode one. Default: 60"),
    ] = None,
    image_memory: Annotated[
        float | None,
        typer.Option("--image-memory", metavar="MIB", help="Memory to decode one. Default: 4096"),
    ] = None,
    memory: AnswerMemoryOption = None,
    refresh: Annotated[
        float | None,
        typer.Option(
            "--refresh", metavar="S", help="Least seconds between looks at the index. Default: 5"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Queries at once. Default: one a core"),
    ] = None,
    matcher: MatcherOption = None,
    strictness: StrictnessOption = None,
    account_url: AccountUrlOption = None,
    max_requests_per_second: RateOption = None,
    device: DeviceOption = None,
    json: JsonOption = None,
    config: ConfigOption = None,
) -> None:
    """Answer other systems over HTTP: queries, "have we this already?", adding, groups, lists.

    Serves until Ctrl-C. /openapi.json describes the API. An index run may write meanwhile: each
    answer is from one state of the index.
    """
    settings = settings_from(
        config,
        index=index,
        out=lists,
        api_keys=api_keys,
        source=source,
        uploads=uploads,
        host=host,
        port=port,
        rate=rate,
        max_upload_megabytes=max_upload_megabytes,
        max_megapixels=max_megapixels,
        image_timeout=image_timeout,
        image_memory=image_memory,
        memory=memory,
        refresh=refresh,
        workers=workers,
        matcher=matcher,
        strictness=strictness,
        account_url=account_url,
        max_requests_per_second=max_requests_per_second,
        device=device,
        json=json,
    )
    run(settings)


def run(settings: Settings) -> None:
    """Serve until interrupted.

    Raises:
        DedupError: the index, a source, a model, the keys or the port cannot be used.
    """
    from cli.output import print_json
    from cli.progress import steps
    from cli.results import ServiceAddress
    from storage.errors import ModelError, UsageError
    from storage.resident import bounded_memory

    try:
        from cli.service.keys import ApiKeys
        from cli.service.listening import listen, serve_forever
        from cli.service.service import Service
    except ModuleNotFoundError as error:
        raise ModelError(
            f"dedup serve needs the package {error.name}, which is not installed.",
            "Install it with pip install 'dedup[serve]'.",
        ) from error
    made_up = ""
    if settings.api_keys is not None:
        keys = ApiKeys.read(settings.api_keys)
    elif settings.host in _LOOPBACK:
        keys, made_up = ApiKeys.made_up()
    else:
        raise UsageError(
            f"Others can reach {settings.host}, and there are no keys.",
            "Name a file of keys with --api-keys, or listen on 127.0.0.1.",
        )
    # Before the models are loaded: a port that is taken is said at once.
    with (
        listen(settings.host, settings.port) as socket,
        bounded_memory(settings.memory_bytes),
    ):
        with steps("serve", settings) as step:
            step("opening the search indexes and the models")
            service = Service(settings, keys)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{socket.getsockname()[1]}"
        # How it is meant to end: requests under way have been answered.
        with suppress(KeyboardInterrupt):
            if settings.json:
                print_json(ServiceAddress(url, made_up or None))
                sys.stdout.flush()
            else:
                print(f"serving {url}")
                if made_up:
                    print(f"X-API-Key: {made_up}")
                print("Ctrl-C ends it.", flush=True)
            serve_forever(service, socket)
