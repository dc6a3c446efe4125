"""What `--help` of every command must hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.main import app

COMMANDS = [
    [], ["index"], ["query"], ["resolve"], ["info"], ["doctor"],
    ["review"], ["serve"], ["stats"], ["models"], ["models", "list"], ["models", "fetch"],
    ["apply"], ["undo"], ["repair"], ["schema"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_each_command_has_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="dedup")
    assert result.exit_code == 0
    _, _, examples = result.output.partition("Example")
    assert "\n    dedup " + " ".join(command) in examples


def test_help_loads_none_of_the_heavy_packages() -> None:
    program = (
        "import sys; sys.argv = ['dedup', 'index', '--help']\n"
        "from cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'faiss', 'cv2', 'timm', 'kornia', 'numpy', 'azure'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_python_dash_m_cli_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cli", "--version"], capture_output=True, text=True
    )
    assert result.returncode == 0
    assert result.stdout.startswith("dedup")


def test_an_unknown_option_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["index", "--nonsense", "x"])
    assert result.exit_code == 2
    assert "--nonsense" in result.output
