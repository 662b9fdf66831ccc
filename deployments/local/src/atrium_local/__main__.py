"""`python -m atrium_local COMMAND`: what the Makefile calls."""

import argparse
import os
import sys
from pathlib import Path

from atrium_local import accounts, commands, container_secrets, doctor
from atrium_local.errors import exit_status
from atrium_local.settings import LocalSettings


def main() -> int:
    """Run one command."""
    parser = _parser()
    arguments, rest = parser.parse_known_args()
    if arguments.command == "migrate":  # loads libraries that the supervisor does without
        os.execv(sys.executable, [sys.executable, "-m", "atrium_local.migrating", *rest])  # noqa: S606 - becomes it
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return exit_status(lambda: _dispatch(arguments, LocalSettings()))


def _dispatch(arguments: argparse.Namespace, settings: LocalSettings) -> int:
    match arguments.command:
        case "up":
            return commands.up(settings)
        case "deps":
            return commands.deps(settings)
        case "status":
            return commands.status(settings)
        case "stop":
            return commands.stop(settings)
        case "restart":
            return commands.restart(settings, arguments.names)
        case "logs":
            return commands.logs(settings, arguments.names)
        case "reset":
            return commands.reset(settings, sure=arguments.yes)
        case "token":
            return accounts.token(settings, email=arguments.email)
        case "admin-password":
            return accounts.admin_password(settings, email=arguments.email)
        case "secrets":
            if arguments.file is None:
                return container_secrets.print_secrets()
            return container_secrets.complete_file(arguments.file)
        case _:
            return doctor.run(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atrium_local", description="Run Atrium on this machine.")
    commands_of = parser.add_subparsers(dest="command", required=True)
    commands_of.add_parser("up", help="run everything until Ctrl-C")
    commands_of.add_parser("deps", help="start only the engines and leave them running")
    commands_of.add_parser("status", help="what runs")
    commands_of.add_parser("stop", help="stop everything, keep the data")
    commands_of.add_parser("restart", help="put new processes in place of the running ones").add_argument(
        "names", nargs="*"
    )
    commands_of.add_parser("logs", help="follow the logs").add_argument("names", nargs="*")
    commands_of.add_parser("reset", help="delete all data, after asking").add_argument(
        "--yes", action="store_true"
    )
    commands_of.add_parser("token", help="print a user token").add_argument("--email", default=None)
    commands_of.add_parser("admin-password", help="give an administrator a new password").add_argument(
        "--email", default=None
    )
    commands_of.add_parser("doctor", help="check what a run needs")
    commands_of.add_parser(
        "migrate", add_help=False, help="prepare the database of an installation in containers"
    )
    secrets = commands_of.add_parser("secrets", help="print every secret of an installation in containers")
    secrets.add_argument("--file", type=Path, help="add to this file what it lacks instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
