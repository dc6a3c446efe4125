"""What is shipped and how: package data, links of the README, the container's recipe."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from storage.open_source import SourceOptions

ROOT = Path(__file__).parents[1]
PACKAGES = ("storage", "indexer", "search", "verify", "resolve", "cli")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _project() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_ships_its_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_extras_that_the_documents_name_exist() -> None:
    extras = set(_project()["project"]["optional-dependencies"])  # type: ignore[call-overload]
    assert extras >= {"gpu", "openvino", "serve", "heif", "notebook", "watch", "matchers"}
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for named in re.findall(r"dedup\[([a-z,]+)\]", document.read_text()):
            assert set(named.split(",")) <= extras, document


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_every_link_of_the_front_page_leads_somewhere(name: str) -> None:
    """Those of docs/ are checked by `make docs`."""
    for link in _LINK.findall((ROOT / name).read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        assert (ROOT / path).exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
            assert anchor in slugs, link


def test_the_container_gets_every_package_and_what_installing_needs() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \1$", recipe, re.MULTILINE))
    assert copied == set(PACKAGES)
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    named = re.search(r"^COPY (pyproject.*) \./$", recipe, re.MULTILINE)
    assert named
    for name in [*PACKAGES, "requirements.lock", *named[1].split()]:
        assert f"!{name}" in allowed
        assert (ROOT / name).exists()
    assert "USER dedup" in recipe


def test_the_compose_file_names_commands_and_options_that_exist() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert set(services) == {"azurite", "index", "resolve", "serve"}
    from typer.main import get_command

    from cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in ("index", "resolve", "serve"):
        command, *arguments = services[name]["command"].split()
        flags = {flag for option in commands[command].params for flag in option.opts}
        assert {part for part in arguments if part.startswith("--")} <= flags
    connection = services["serve"]["environment"]["AZURE_STORAGE_CONNECTION_STRING"]
    assert SourceOptions(connection_string=connection).connection_string.count(";") == 4
