"""Functions follow their files, and a file cannot take a function away from the version that still
calls it.
"""

from pathlib import Path
from typing import Any

import pytest
from shared.db import Database, SchemaMismatchError, check_schema, function_names
from shared.sql_functions import SqlFunctionError, apply_functions, function_files
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

DOUBLE = (
    "CREATE OR REPLACE FUNCTION double(p_n bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT p_n * 2 $$;\n"
)


class Schema:
    """A schema whose functions come from files in a folder."""

    def __init__(self, url: str, root: Path) -> None:
        self.engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        self.root = root
        (root / "src/some_service/numbers/functions").mkdir(parents=True)

    def write(self, name: str, sql: str) -> None:
        (self.root / f"src/some_service/numbers/functions/{name}.sql").write_text(sql)

    async def apply(self) -> list[str]:
        async with self.engine.begin() as connection:
            return await connection.run_sync(apply_functions, function_files(self.root))

    async def value(self, sql: str) -> Any:
        async with self.engine.begin() as connection:
            return (await connection.execute(text(sql))).scalar_one()

    async def drop(self, name: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(f"DROP FUNCTION {name}"))


@pytest.fixture
async def schema(postgres: Any, tmp_path: Path) -> Any:
    made = Schema(postgres.empty_database(), tmp_path)
    yield made
    await made.engine.dispose()


async def test_a_function_is_made_once_and_again_when_its_text_changed(schema: Schema) -> None:
    schema.write("double", DOUBLE)
    assert await schema.apply() == ["double"]
    assert await schema.apply() == []
    schema.write("double", DOUBLE.replace("p_n * 2", "p_n + p_n + 0"))
    assert await schema.apply() == ["double"]
    assert await schema.value("SELECT double(4)") == 8
    assert "p_n + p_n" in await schema.value("SELECT prosrc FROM pg_proc WHERE proname = 'double'")


async def test_functions_may_name_each_other_in_any_order(schema: Schema) -> None:
    schema.write("double", DOUBLE.replace("p_n * 2", "twice(p_n)"))
    schema.write("twice", DOUBLE.replace("double", "twice"))
    assert await schema.apply() == ["double", "twice"]
    assert await schema.value("SELECT double(4)") == 8


async def test_a_function_that_was_dropped_by_hand_comes_back(schema: Schema) -> None:
    schema.write("double", DOUBLE)
    await schema.apply()
    await schema.drop("double")
    assert await schema.apply() == ["double"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("p_n bigint", "p_n bigint, p_m bigint"), "takes other parameters"),
        (("p_n bigint", "p_n numeric"), "takes other parameters"),
        (("RETURNS bigint", "RETURNS numeric"), "cannot change return type"),
        (("p_n", "p_m"), "cannot change name of input parameter"),
        (("LANGUAGE sql", "LANGUAGE none"), "double.sql: language"),
    ],
)
async def test_another_signature_is_refused_and_nothing_changes(
    schema: Schema, change: tuple[str, str], reason: str
) -> None:
    schema.write("double", DOUBLE)
    await schema.apply()
    schema.write("double", DOUBLE.replace(*change))
    schema.write("another", DOUBLE.replace("double", "another"))
    with pytest.raises(SqlFunctionError, match=reason):
        await schema.apply()
    assert await schema.value("SELECT count(*) FROM pg_proc WHERE proname = 'another'") == 0
    assert await schema.value("SELECT double(4::bigint)") == 8


async def test_a_file_has_the_name_of_its_function(schema: Schema) -> None:
    schema.write("twice", DOUBLE)
    with pytest.raises(SqlFunctionError, match="makes no function twice"):
        await schema.apply()


async def test_the_version_before_calls_its_function_while_the_new_one_is_there(schema: Schema) -> None:
    schema.write("double", DOUBLE)
    await schema.apply()
    schema.write(
        "double_2", DOUBLE.replace("double", "double_2").replace("p_n bigint", "p_n bigint, p_step bigint")
    )
    assert await schema.apply() == ["double_2"]
    assert [await schema.value("SELECT double(4)"), await schema.value("SELECT double_2(4, 1)")] == [8, 8]


def test_files_of_every_feature_are_found(tmp_path: Path) -> None:
    for name in ("b/functions/two.sql", "a/functions/one.sql", "a/other.sql"):
        path = tmp_path / "src/some_service" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert [path.stem for path in function_files(tmp_path)] == ["one", "two"]


async def test_a_service_does_not_start_where_a_function_of_its_code_is_missing(schema: Schema) -> None:
    schema.write("double", DOUBLE)
    await schema.apply()
    async with schema.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        await connection.execute(text("INSERT INTO alembic_version VALUES ('3')"))
        await connection.execute(text("CREATE TABLE schema_info (min_code int)"))
        await connection.execute(text("INSERT INTO schema_info VALUES (1)"))
    database = Database(schema.engine.url.render_as_string(hide_password=False), schema="public")
    try:
        await check_schema(database, service="some-service", code_version=3, functions=["double"])
        with pytest.raises(SchemaMismatchError, match="lacks the function settle_many_2; run the migrations"):
            await check_schema(
                database, service="some-service", code_version=3, functions=["double", "settle_many_2"]
            )
    finally:
        await database.dispose()


@pytest.mark.parametrize(("package", "known"), [("billing_service", "settle_many"), ("chat_service", None)])
def test_the_functions_of_an_installed_package_are_known(package: str, known: str | None) -> None:
    names = function_names(package)
    assert known in names if known else not names
