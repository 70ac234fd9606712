"""Entry point `argo-retention`: one click group; each command is a module, imported when it is used.

Exit codes: 0 done, 1 failed or something was refused, 2 bad input or configuration, 3 locked by another run.
"""

import importlib
import signal
import sys
from typing import Any

import click
from rich.console import Console

from argo_retention.errors import ArgoRetentionError

# Importing Dagster takes 1.6 s and the Kubernetes client 0.5 s; `--help` and `plan` need not wait for both.
COMMANDS = {
    "demo": "argo_retention.cli.demo",
    "doctor": "argo_retention.cli.doctor",
    "adopt": "argo_retention.cli.adopt",
    "plan": "argo_retention.cli.plan",
    "run": "argo_retention.cli.run",
    "status": "argo_retention.cli.status",
    "explain": "argo_retention.cli.explain",
    "metrics": "argo_retention.cli.metrics",
    "hold": "argo_retention.cli.hold",
    "pause": "argo_retention.cli.pause",
    "resume": "argo_retention.cli.resume",
    "undo": "argo_retention.cli.undo",
    "accept": "argo_retention.cli.accept",
}


class LazyGroup(click.Group):
    """A group whose commands are imported by name; each module has a click command called `command`."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of the command."""
        module = COMMANDS.get(name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(module).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="argo-retention", prog_name="argo-retention")
def cli() -> None:
    """Retention for Argo Workflows: archive, keep logs, delete and expire with proof."""


def _heed_signals() -> None:
    """Let SIGINT end us in a background job of a script, too, which inherits it ignored.

    Dagster does with SIGTERM whatever is done with SIGINT, so that nothing but SIGKILL would end a run.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main(args: list[str] | None = None) -> Any:
    """Run a command and end with its exit code; an error of ours is its message, never a traceback."""
    _heed_signals()
    try:
        sys.exit(cli.main(args=args, standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ArgoRetentionError as error:
        Console(stderr=True, highlight=False).print(
            str(error), markup=False, style="red", soft_wrap=True
        )
        sys.exit(error.exit_code)
