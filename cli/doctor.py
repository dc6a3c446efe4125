"""`dedup doctor`: is this machine ready, and if not, what is missing?"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.config import Settings
from cli.options import (
    AccountUrlOption,
    ConfigOption,
    IndexOption,
    JsonOption,
    settings_from,
)

EXAMPLE = "Examples:\n\n\b\n  dedup doctor\n  dedup doctor az://photos --account-url https://ACCOUNT.blob.core.windows.net"


def register(app: typer.Typer) -> None:
    app.command("doctor", epilog=EXAMPLE)(_command)


def _command(
    source: Annotated[
        list[str] | None, typer.Argument(help="Sources whose access is to be tried.")
    ] = None,
    index: IndexOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME[=PATH]", help="Models that must load. Default: as for index"
        ),
    ] = None,
    account_url: AccountUrlOption = None,
    json: JsonOption = None,
    config: ConfigOption = None,
) -> None:
    """Check packages, GPU, weights, disk and access to storage. Exits with 0 when all is well."""
    settings = settings_from(config, index=index, model=model, account_url=account_url, json=json)
    raise typer.Exit(run(source or [], settings))


def run(locations: list[str], settings: Settings) -> int:
    """Run every check and print it as it comes; the exit code is that of the first that failed."""
    from cli.checkup import Checkup, Health, all_checks
    from cli.output import print_json

    code = 0
    findings = []
    for finding in all_checks(locations, settings):
        findings.append(finding)
        if finding.health is Health.FAILED:
            code = code or int(finding.exit_code)
        if not settings.json:
            print(f"{finding.health.value:<8}{finding.subject:<14}{finding.detail}")
            if finding.remedy:
                print(f"{'':22}→ {finding.remedy}", flush=True)
    if settings.json:
        print_json(Checkup(code == 0, findings))
    return code
