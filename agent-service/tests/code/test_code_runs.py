"""Code over HTTP: its output, its files, its limits, and who may run it."""

import asyncio
import os
from typing import Any

import httpx
import pytest
from agent_service.code.service import CodeRunner
from code_runs import PATH, contents, encoded, post, run, soon
from code_sandbox import NO_LANDLOCK
from identities import make_principal
from shared.app.asgi import ServiceApp
from shared.auth.permissions import Role

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there"),
]


async def test_output_and_the_last_value_come_back(client: httpx.AsyncClient) -> None:
    result = await run(client, "print('hello')\n37 * 91")
    assert (result["status"], result["stdout"], result["result"], result["stderr"]) == (
        "ok",
        "hello\n",
        "3367",
        "",
    )
    assert result["files"] == []
    assert 0 <= result["duration_ms"] < 30_000


async def test_no_last_expression_means_no_result(client: httpx.AsyncClient) -> None:
    assert (await run(client, "x = 1"))["result"] is None
    assert (await run(client, "x = 1\nNone"))["result"] is None


async def test_a_long_result_is_cut_and_says_so(client: httpx.AsyncClient) -> None:
    result = await run(client, "'x' * 1_000_000")
    assert (result["status"], result["truncated"]) == ("ok", True)
    assert len(result["result"]) < 66_000


async def test_text_of_all_languages_passes(client: httpx.AsyncClient) -> None:
    result = await run(client, "größe = 'Grüße, 世界 🎉'\nprint(größe)\ngröße")
    assert (result["stdout"], result["result"]) == ("Grüße, 世界 🎉\n", "'Grüße, 世界 🎉'")


async def test_what_text_cannot_hold_is_replaced(client: httpx.AsyncClient) -> None:
    result = await run(client, "import os\nos.write(1, b'a\\x00b\\xff')\nprint('\\ud800')\n'\\ud800'")
    assert result["status"] == "ok"
    assert result["stdout"] == "a\ufffdb\ufffd\\ud800\n"


async def test_a_syntax_error_names_its_line(client: httpx.AsyncClient) -> None:
    result = await run(client, "x = 1\ny = = 2")
    assert (result["status"], result["result"]) == ("error", None)
    assert 'File "main.py", line 2' in result["stderr"]
    assert "SyntaxError" in result["stderr"]


async def test_a_traceback_shows_the_caller_s_lines_only(client: httpx.AsyncClient) -> None:
    result = await run(client, "def half(n):\n    return n / 0\nprint('before')\nhalf(1)")
    assert (result["status"], result["stdout"]) == ("error", "before\n")
    assert result["stderr"].startswith('Traceback (most recent call last):\n  File "main.py", line 4')
    assert "return n / 0" in result["stderr"]
    assert "ZeroDivisionError" in result["stderr"]
    assert "agent_service" not in result["stderr"]


@pytest.mark.parametrize(
    ("code", "status", "stderr"),
    [
        ("import sys; sys.exit()", "ok", ""),
        ("raise SystemExit(0)", "ok", ""),
        ("raise SystemExit(3)", "error", ""),
        ("import sys; sys.exit('no data')", "error", "no data\n"),
        ("import os; os._exit(7)", "error", "[sandbox] exit status 7\n"),
        ("raise KeyboardInterrupt", "error", None),
        ("int(input())", "error", None),
        ("raise MemoryError", "memory_exceeded", None),
        ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "error", None),
        ("class Odd:\n    def __repr__(self): raise ValueError('no repr')\nOdd()", "error", None),
        ("import threading\nthreading.Thread(target=print, args=('late',)).start()", "ok", ""),
    ],
)
async def test_ends_of_programs(
    client: httpx.AsyncClient, code: str, status: str, stderr: str | None
) -> None:
    result = await run(client, code)
    assert result["status"] == status, result["stderr"]
    assert result["stderr"] == stderr if stderr is not None else result["stderr"]


async def test_input_is_at_its_end(client: httpx.AsyncClient) -> None:
    assert "EOFError" in (await run(client, "input('name? ')"))["stderr"]


async def test_what_was_printed_before_a_time_out_is_kept(client: httpx.AsyncClient) -> None:
    result = await run(
        client,
        "import time\nprint('started')\nopen('half.txt', 'w').write('1')\ntime.sleep(60)",
        timeout_s=0.5,
    )
    assert (result["status"], result["stdout"]) == ("timeout", "started\n")
    assert result["stderr"] == "[sandbox] ended after 0.5 s\n"
    assert contents(result) == {"half.txt": b"1"}
    assert result["duration_ms"] < 20_000


async def test_output_beyond_the_limit_is_cut_with_a_note(client: httpx.AsyncClient) -> None:
    result = await run(client, "while True: print('x' * 10_000)")
    assert (result["status"], result["truncated"]) == ("output_exceeded", True)
    assert 900_000 < len(result["stdout"]) <= 1_048_576
    assert "more than 1048576 bytes of output" in result["stderr"]


async def test_open_figures_come_back_as_pictures(client: httpx.AsyncClient) -> None:
    code = """
import matplotlib.pyplot as plt
plt.plot([1, 2, 3]); plt.title('Größe')
plt.show()
plt.figure(); plt.bar(['a', 'b'], [1, 2])
"""
    result = await run(client, code)
    assert (result["status"], result["stderr"]) == ("ok", "")
    assert [(file["name"], file["content_type"]) for file in result["files"]] == [
        ("plot-1.png", "image/png"),
        ("plot-2.png", "image/png"),
    ]
    assert all(
        content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) > 2_000
        for content in contents(result).values()
    )


async def test_pandas_reads_a_file_and_writes_another(client: httpx.AsyncClient) -> None:
    code = """
import pandas as pd
table = pd.read_csv("sales.csv")
table.groupby("city").sum().to_csv("sums.csv")
table["amount"].mean()
"""
    sales = b"city,amount\nUlm,1\nUlm,2\nBonn,6\n"
    result = await run(client, code, files=[{"name": "sales.csv", "content_base64": encoded(sales)}])
    assert (result["status"], result["result"]) == ("ok", "np.float64(3.0)")
    assert contents(result) == {"sums.csv": b"city,amount\nBonn,6\nUlm,3\n"}
    assert result["files"][0]["content_type"] == "text/csv"


async def test_a_changed_input_comes_back_and_an_unchanged_one_does_not(client: httpx.AsyncClient) -> None:
    files = [{"name": name, "content_base64": encoded(b"1")} for name in ("same.txt", "Änderung 2.txt")]
    result = await run(client, "open('Änderung 2.txt', 'a').write('2')\nopen('same.txt').read()", files=files)
    assert contents(result) == {"Änderung 2.txt": b"12"}


async def test_only_plain_files_within_the_limits_come_back(client: httpx.AsyncClient) -> None:
    code = """
import os
os.mkdir('folder'); open('folder/inner.txt', 'w').write('x')
open('.hidden', 'w').write('x')
open('back\\\\slash', 'w').write('x')
for odd in ('invoice\u202etxt.exe', 'a\u2066b', 'zero\u200bwidth', 'line\u2028end', 'c1\x85',
    'bom\ufeff'): open(odd, 'w').write('x')
open(b'\\xff.txt', 'w').write('x')
open('large.bin', 'wb').write(bytes(11_000_000))
for n in range(20): open(f'file{n:02}.txt', 'w').write(str(n))
"""
    result = await run(client, code)
    assert result["status"] == "ok", result["stderr"]
    assert [file["name"] for file in result["files"]] == [f"file{n:02}.txt" for n in range(16)]
    assert result["truncated"] is True
    assert "not returned" in result["stderr"]


async def test_the_usual_libraries_work(client: httpx.AsyncClient) -> None:
    code = """
import asyncio, ctypes, datetime, shutil, sqlite3, tempfile, zoneinfo
from concurrent.futures import ThreadPoolExecutor
import numpy as np
async def later(): await asyncio.sleep(0.001); return 1
open('a.txt', 'w').write('x'); shutil.copy2('a.txt', 'b.txt'); shutil.move('b.txt', 'c.txt')
with tempfile.TemporaryDirectory() as folder: open(folder + '/x', 'w').write('x')
with sqlite3.connect(':memory:') as database: found = database.execute('select 1 + 1').fetchone()[0]
zone = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).tzname()
(asyncio.run(later()), list(ThreadPoolExecutor(4).map(str, range(3))), found, zone,
    round(float(np.linalg.det(np.eye(3) * 2))))
"""
    result = await run(client, code)
    assert result["result"] == "(1, ['0', '1', '2'], 2, 'CEST', 8)", result["stderr"]


async def test_two_runs_draw_different_numbers(client: httpx.AsyncClient) -> None:
    code = "import random, numpy as np\n(random.random(), np.random.rand())"
    first, second = [(await run(client, code))["result"] for _ in range(2)]
    assert first != second


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"code": ""}, 422, "code"),
        ({"code": "x" * 200_001}, 422, "code"),
        ({"code": "1", "language": "ruby"}, 422, "language"),
        ({"code": "1", "timeout_s": 301}, 422, "timeout_s"),
        ({"code": "1", "timeout_s": 0}, 422, "timeout_s"),
        ({"code": "1", "shell": "bash"}, 422, "shell"),
        ({"code": "1", "files": [{"name": "a/b", "content_base64": ""}]}, 422, "name"),
        ({"code": "1", "files": [{"name": "..", "content_base64": ""}]}, 422, "name"),
        ({"code": "1", "files": [{"name": ".home", "content_base64": ""}]}, 422, "name"),
        ({"code": "1", "files": [{"name": "€" * 100, "content_base64": ""}]}, 422, "name"),
        ({"code": "1", "files": [{"name": "a", "content_base64": "%"}]}, 422, "base64"),
        ({"code": "1", "files": [{"name": "a", "content_base64": ""}] * 2}, 422, "two files"),
        ({"code": "1", "files": [{"name": f"f{n}", "content_base64": ""} for n in range(17)]}, 422, "files"),
        (
            {
                "code": "1",
                "files": [{"name": f"f{n}", "content_base64": encoded(bytes(6_000_000))} for n in range(2)],
            },
            413,
            "larger",
        ),
        (
            {"code": "1", "files": [{"name": f"f{n}", "content_base64": "A" * 6_000_000} for n in range(3)]},
            413,
            "larger",
        ),
    ],
    ids=lambda value: None,
)
async def test_a_malformed_request_is_refused_in_words(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, says: str
) -> None:
    answer = await post(client, body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("role", [Role.PENDING, Role.ADMIN_READONLY])
async def test_without_the_permission_nothing_runs(client: httpx.AsyncClient, role: Role) -> None:
    answer = await post(client, {"code": "1"}, make_principal(role))
    assert (answer.status_code, "code:execute" in answer.json()["detail"]) == (403, True)


async def test_a_key_without_the_scope_runs_nothing(client: httpx.AsyncClient) -> None:
    assert (await post(client, {"code": "1"}, make_principal(scopes=("agents:run",)))).status_code == 403


async def test_without_a_token_nothing_runs(client: httpx.AsyncClient) -> None:
    assert (await client.post(PATH, json={"code": "1"})).status_code == 401


async def test_one_person_leaves_a_place_for_others_and_waits_in_a_short_queue(
    client: httpx.AsyncClient,
) -> None:
    """Two places, three may wait, two of one person."""
    busy, other = make_principal(), make_principal()
    sleep = {"code": "import time\ntime.sleep(1)\n1"}
    mine = [asyncio.ensure_future(post(client, sleep, busy)) for _ in range(3)]
    await asyncio.sleep(0.3)
    refused = await post(client, sleep, busy)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1
    theirs = await post(client, {"code": "'not held up'"}, other)
    assert theirs.json()["result"] == "'not held up'"
    assert not mine[1].done()
    assert [answer.status_code for answer in await asyncio.gather(*mine)] == [200, 200, 200]


async def test_a_client_that_leaves_ends_its_run(client: httpx.AsyncClient, app: ServiceApp) -> None:
    runner: CodeRunner = app.state.code
    leaving = asyncio.ensure_future(post(client, {"code": "import time\ntime.sleep(50)", "timeout_s": 60}))
    assert await soon(lambda: runner._admission.running == 1)
    await asyncio.sleep(0.3)
    leaving.cancel()
    assert await soon(lambda: runner._admission.running == 0)
    assert (await run(client, "2"))["result"] == "2"


async def test_a_killed_zygote_costs_its_runs_and_the_next_one_works(
    client: httpx.AsyncClient, app: ServiceApp
) -> None:
    runner: CodeRunner = app.state.code
    running = asyncio.ensure_future(run(client, "import time\ntime.sleep(50)"))
    assert await soon(lambda: runner._zygote is not None and bool(runner._zygote._processes))
    assert runner._zygote is not None
    os.kill(runner._zygote._process.pid, 9)
    result = await running
    assert result["status"] == "killed"
    assert "try again" in result["stderr"]
    assert (await run(client, "3"))["result"] == "3"
