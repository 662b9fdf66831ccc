"""`python -m gateway_service.operator`: what an operator does without being signed in, directly on the
database.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.db import SchemaMismatchError, check_schema
from shared.errors import AppError
from shared.settings import load_settings_or_exit

from gateway_service.operator.service import NobodyFoundError, print_token, reset_password
from gateway_service.people.database import open_database
from gateway_service.settings import SCHEMA_VERSION, GatewaySettings


async def _run(command: str, email: str | None) -> str:
    settings = load_settings_or_exit(GatewaySettings)
    database = open_database(settings)
    try:
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        work = reset_password if command == "admin-password" else print_token
        return await work(settings, database, email)
    finally:
        await database.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 not possible."""
    parser = argparse.ArgumentParser(prog="python -m gateway_service.operator", description=__doc__)
    parser.add_argument("command", choices=("admin-password", "token"))
    parser.add_argument("--email", help="whose; the first administrator's when absent")
    chosen = parser.parse_args(arguments)
    try:
        sys.stdout.write(asyncio.run(_run(chosen.command, chosen.email)) + "\n")
    except (NobodyFoundError, SchemaMismatchError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except AppError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
