"""`dedup models`: which embedding models and matchers there are, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, SilentOption, settings_from

EXAMPLE = "Examples:\n\n\b\n  dedup models\n  dedup models fetch clip:ViT-B-32/laion2b_s34b_b79k"
LIST_EXAMPLE = "Example:\n\n\b\n  dedup models list --json"
FETCH_EXAMPLE = (
    "Example:\n\n\b\n  dedup models fetch efficientnet_b7 --to weights/efficientnet_b7.safetensors"
)


def register(app: typer.Typer) -> None:
    models = typer.Typer(
        help="List models, or fetch weights for a machine that will be offline.",
        epilog=EXAMPLE,
        invoke_without_command=True,
    )
    models.callback()(_default)
    models.command("list", epilog=LIST_EXAMPLE)(_list)
    models.command("fetch", epilog=FETCH_EXAMPLE, no_args_is_help=True)(_fetch)
    app.add_typer(models, name="models")


def _default(context: typer.Context, json: JsonOption = None, config: ConfigOption = None) -> None:
    """List models, or fetch weights for a machine that will be offline."""
    if context.invoked_subcommand is None:
        _list(json, config)


def _list(json: JsonOption = None, config: ConfigOption = None) -> None:
    """Every model with its licence, dimensions and where its weights are. Checks fingerprints."""
    from cli.output import print_json
    from indexer.embedders.registry import list_models
    from verify.matchers.registry import list_matchers

    settings = settings_from(config, json=json)
    embedders, matchers = list_models(), list_matchers()
    if settings.json:
        print_json([*embedders, *matchers])
        return
    print("Embedding models, for --model. Any other timm name, and clip:ARCHITECTURE/PRETRAINED of")
    print("open_clip, works too.\n")
    for model in embedders:
        shape = f"{model.dimension} dimensions, {model.input_size} px"
        _print_model(model.name, model.is_available, f"{shape}, licence {model.licence}")
        if model.fingerprint_ok is not None:
            print(f"{'':14}fingerprint {'right' if model.fingerprint_ok else 'WRONG: damaged'}")
        print(f"{'':14}{model.where}")
    print("\nMatchers, for --matcher.\n")
    for matcher in matchers:
        _print_model(matcher.name, matcher.is_available, f"licence {matcher.licence}")
        print(f"{'':14}{matcher.needs or matcher.where}")


def _print_model(name: str, is_available: bool, facts: str) -> None:
    print(f"{'here' if is_available else 'not here':<14}{name}  ({facts})")


def _fetch(
    name: Annotated[str, typer.Argument(help="A name as `dedup models` prints it.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="PATH", help="Where to copy them. Default: only the cache"),
    ] = None,
    json: JsonOption = None,
    quiet: SilentOption = None,
    config: ConfigOption = None,
) -> None:
    """Download the weights of a model or matcher now, for a machine that will be offline.

    Prints where they are. With --to, an embedding model becomes that file, or a file in that
    folder; a matcher's files go into that folder.
    """
    from cli.output import print_json
    from cli.progress import steps
    from cli.results import Fetched

    settings = settings_from(config, json=json, quiet=quiet)
    with steps("fetch", settings) as step:
        step(f"looking for the weights of {name}, downloading them if need be")
        files = _fetched(name, to)
    if settings.json:
        print_json(Fetched(name, files))
    elif not files:
        print(f"{name} needs no weights.")
    for path in [] if settings.json else files:
        print(path)


def _fetched(name: str, to: Path | None) -> list[Path]:
    from indexer.embedders.registry import fetch_model
    from verify.matchers.registry import MATCHER_NAMES
    from verify.matchers.weights import WEIGHTS, obtain_weights

    if name not in MATCHER_NAMES:
        return [fetch_model(name, to)]
    if name not in WEIGHTS:
        return []
    paths = obtain_weights(name).values()
    return [path if to is None else _copied(path, to) for path in paths]


def _copied(path: Path, folder: Path) -> Path:
    """The file, copied into a folder.

    Raises:
        ModelError: it cannot be written there.
    """
    import shutil

    from storage.errors import ModelError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(path, folder / path.name))
    except OSError as error:
        raise ModelError(
            f"The weights cannot be written to {folder} ({error.strerror or error}).",
            "Name a folder that can be written to.",
        ) from error
