"""The rules of the house that no other tool checks: sizes, names with one home, imports at the top, decisions
listed.
"""

import ast
import fnmatch
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
SQL_FUNCTION_LINES_MAX = 180
SQL_LINE_CHARS_MAX = 150
# Files that were longer when the limit was set; what was split leaves the list.
LONGER_FILES = {
    "retrieval-service/src/retrieval_service/files/repository.py",
    "retrieval-service/tests/test_ingestion.py",
    "retrieval-service/tests/test_parsing.py",
    "shared/src/shared/durable.py",
}
# Classes of one name in several packages, by the reason; everything else is named after its subject.
SHARED_CLASS_NAMES = {
    "a name of the API, or of the table behind it, on one side": (
        "AuditEntry Budget Chunk EventRow FileRow Figures Finding Progress Report Tool UsageEvent UsageReport"
    ),
    "an error of the API, whose code is the same wherever it is raised": (
        "Draining FileNotFound ModelNotAllowed NotOffered ProcessBusy TooManyStreams"
    ),
    "the same event, of a run and of a chat": (
        "CitationEvent DeltaEvent DoneEvent ErrorEvent LeftOutEvent ReasoningEvent StepEvent ToolEvent "
        "WaitingEvent"
    ),
    "the same part of a turn and of a run": ("AccessEnds CostCheck Costs Event History Known Sources"),
    "one wraps or plays the other": "Base Completions Connection Zygote",
    "the same part of two services": "Admission Sweeper",
    "to be named after its subject": "Answer Origin",
}

# Names that have one home; the patterns are where they may stand.
HOMES = {
    "os.environ": [
        "shared/src/shared/settings.py",
        "agent-service/src/agent_service/code/interpreter.py",  # empties it for a run of code
    ],
    "os.getenv": [],
    "uuid4": [],
    "uuid.uuid4": [],
    "utcnow": [],
    "datetime.utcnow": [],
    "datetime.now": ["shared/src/shared/clock.py"],
    "asyncio.create_task": [
        "shared/src/shared/background.py",
        "deployments/local/src/atrium_local/*.py",  # the supervisor keeps and ends its own tasks
    ],
    "httpx.AsyncClient()": ["shared/src/shared/http/*.py"],
}
NOT_OURS = ("*/tests/*", "tests/*", "conftest.py", "*/conftest.py", "benchmarks/*")
FILE_MIB_MAX = 2
# Files that are larger, and why.
LARGER_FILES: dict[str, str] = {}
# Files that may import what a library keeps to itself, and why.
MAY_IMPORT_PRIVATE = {
    "shared/src/shared/durable.py": (
        "taking over workflows in one transaction is not among DBOS's calls (docs/decisions/0014)"
    ),
}
LOWER_KEYWORD = re.compile(
    r"^\s*(select|insert|update|delete|from|where|begin|end|if|return|declare|order by|for)\b", re.MULTILINE
)
UNFINISHED = re.compile(r"\b(FIXME|TODO|XXX)\b")
TEXT = (".py", ".ts", ".svelte", ".sh", ".md", ".css", ".mjs")


@cache
def committed_files() -> list[Path]:
    """Files git knows or would take, without ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def python_files() -> Iterator[tuple[str, Path]]:
    """(path in the clone, file) of our Python code, migrations left out."""
    for path in committed_files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and "/migrations/" not in name:
            yield name, path


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


def is_one_of(name: str, patterns: list[str] | tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def test_functions_fit_on_a_screen() -> None:
    too_long = [
        f"{name}:{node.lineno} {node.name} has {length} lines"
        for name, path in python_files()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not too_long, f"functions of more than {FUNCTION_LINES_MAX} lines:\n" + "\n".join(too_long)


def test_files_have_one_subject() -> None:
    too_long = [
        f"{name} has {lines} lines"
        for name, path in python_files()
        if (lines := path.read_text().count("\n")) > FILE_LINES_MAX and name not in LONGER_FILES
    ]
    assert not too_long, f"files of more than {FILE_LINES_MAX} lines:\n" + "\n".join(too_long)


def test_nothing_large_or_built_is_committed() -> None:
    names = {path.relative_to(ROOT).as_posix(): path for path in committed_files()}
    large = [
        f"{name} has {size / 2**20:.1f} MiB"
        for name, path in names.items()
        if (size := path.stat().st_size) > FILE_MIB_MAX * 2**20 and name not in LARGER_FILES
    ]
    assert not large, (
        f"more than {FILE_MIB_MAX} MiB; name it in LARGER_FILES with a reason, or leave it out: {large}"
    )
    assert not [name for name in names if name.endswith(".whl")]
    assert LARGER_FILES.keys() <= names.keys()


def test_a_class_has_its_name_to_itself() -> None:
    homes: dict[str, list[str]] = {}
    for name, path in python_files():
        if "/src/" in name:
            for node in nodes(path):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes.setdefault(node.name, []).append(name)
    allowed = set(" ".join(SHARED_CLASS_NAMES.values()).split())
    twice = [
        f"{name}: {', '.join(paths)}"
        for name, paths in sorted(homes.items())
        if len(paths) > 1 and name not in allowed
    ]
    assert not twice, "name each after its subject, or share one:\n" + "\n".join(twice)


def test_sql_functions_are_short_explained_and_named_as_their_file() -> None:
    wrong: list[str] = []
    for path in committed_files():
        if path.suffix != ".sql" or path.parent.name != "functions":
            continue
        lines = path.read_text().splitlines()
        code = "\n".join(line.partition("--")[0] for line in lines)
        faults = {
            f"has more than {SQL_FUNCTION_LINES_MAX} lines": len(lines) > SQL_FUNCTION_LINES_MAX,
            "does not begin with a comment that says what the caller gets": not lines[0].startswith("-- "),
            "does not make the one function it is named after": re.findall(
                r"CREATE OR REPLACE FUNCTION (\w+)", code
            )
            != [path.stem],
            f"has a line of more than {SQL_LINE_CHARS_MAX} characters": any(
                len(line) > SQL_LINE_CHARS_MAX for line in lines
            ),
            "has keywords in lower case": LOWER_KEYWORD.search(code) is not None,
        }
        wrong += [f"{path.relative_to(ROOT)} {fault}" for fault, is_so in faults.items() if is_so]
    assert not wrong, "\n".join(wrong)


def test_names_with_one_home_stay_there() -> None:
    strays = [
        f"{name}:{node.lineno} {found}; see HOMES in {Path(__file__).name}"
        for name, path in python_files()
        if not is_one_of(name, NOT_OURS)
        for node in nodes(path)
        for found in [_dotted(node)]
        if found in HOMES and not is_one_of(name, HOMES[found])
    ]
    assert not strays, "\n".join(strays)


def test_imports_stand_at_the_top() -> None:
    inner = [
        f"{name}:{statement.lineno}"
        for name, path in python_files()
        if "/adapters/" not in name
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in ast.walk(node)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    assert not inner, "imports inside functions are for adapters/ only:\n" + "\n".join(sorted(set(inner)))


def test_what_is_shipped_uses_no_test_code() -> None:
    support = {
        path.relative_to(ROOT / "tests" / "support").parts[0].removesuffix(".py")
        for path in committed_files()
        if _is_support(path)
    }
    assert "fake_provider" in support
    strays = [
        f"{name}:{node.lineno} {module}"
        for name, path in python_files()
        if "/src/" in name
        for node in nodes(path)
        for module in _imported(node)
        if module.partition(".")[0] in support | {"pytest", "hypothesis"}
    ]
    assert not strays, "\n".join(strays)


def test_private_names_are_imported_from_ones_own_package_only() -> None:
    strays = [
        f"{name}:{node.lineno} {module}"
        for name, path in python_files()
        if "/src/" in name and name not in MAY_IMPORT_PRIVATE
        for node in nodes(path)
        for module in _imported(node)
        if any(re.match(r"_(?!_)", part) for part in module.split("."))
    ]
    assert not strays, "\n".join(strays)


def test_nothing_is_marked_unfinished() -> None:
    marks = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed_files()
        if path.suffix in TEXT and path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if UNFINISHED.search(line) and "test_tidy" not in line
    ]
    assert not marks, "finish it or file it:\n" + "\n".join(marks)


def test_the_index_of_decisions_lists_each_one() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    missing = [path.name for path in sorted(folder.glob("[0-9]*.md")) if path.name not in index]
    assert not missing, f"docs/decisions/README.md does not list {', '.join(missing)}"
    dead = [link for link in re.findall(r"\]\((\d{4}-[^)]+\.md)\)", index) if not (folder / link).exists()]
    assert not dead, f"docs/decisions/README.md lists {', '.join(dead)}, which do not exist"


def test_the_tests_that_guard_a_promise_exist() -> None:
    named = re.findall(r"`([\w/.-]+\.py)::(\w+)`", (ROOT / "docs" / "promises.md").read_text())
    assert named
    missing = [
        f"{name}::{test}"
        for name, test in named
        if not (ROOT / name).is_file()
        or not re.search(rf"^(async )?def {test}\(", (ROOT / name).read_text(), re.MULTILINE)
    ]
    assert not missing, missing


def test_every_promise_of_the_readme_has_its_tests() -> None:
    readme = (ROOT / "README.md").read_text()
    promised = re.findall(r"^- \*\*(.+?)\*\*", readme[readme.index("## What it promises") :], re.MULTILINE)
    titles = re.findall(r"^## (.+)$", (ROOT / "docs" / "promises.md").read_text(), re.MULTILINE)
    assert [text.rstrip(".,") for text in promised] == titles


def test_every_dependency_says_why_it_is_there() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in committed_files()
        if path.name == "pyproject.toml"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.match(r'^\s+"[A-Za-z0-9_.\[\]-]+\s*[><=~!]', line) and "#" not in line
    ]
    assert not silent, "a one-line reason belongs beside each dependency:\n" + "\n".join(silent)


def test_each_ignored_check_has_its_reason() -> None:
    bare = [
        f"{name}:{number}"
        for name, path in python_files()
        if not is_one_of(name, NOT_OURS)
        for number, (above, line) in enumerate(pairwise(["", *path.read_text().splitlines()]), start=1)
        if re.search(r"#\s*(noqa|type: ignore|pyright: ignore)(\s*$|[^-]*$)", line)
        and not above.lstrip().startswith("# ")
        and "# noqa: F401" not in line
        and "re.search" not in line
    ]
    assert not bare, (
        "say why above it or after the rule, as in `# noqa: S310 - our own address`:\n" + "\n".join(bare)
    )


def test_clients_of_tests_bear_a_slow_machine() -> None:
    """httpx gives up after five seconds unless it is told otherwise."""
    hasty = [
        f"{name}:{node.lineno}"
        for name, path in python_files()
        if "tests" in path.parts
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"httpx.AsyncClient", "httpx.Client"}
        and not {"timeout", "transport", None} & {keyword.arg for keyword in node.keywords}
    ]
    assert not hasty, f"give them a timeout: {hasty}"


def _is_support(path: Path) -> bool:
    return path.suffix == ".py" and path.is_relative_to(ROOT / "tests" / "support")


def _imported(node: ast.AST) -> list[str]:
    """Dotted names of what an import statement takes."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _dotted(node: ast.AST) -> str:
    """`a.b` for an attribute of a plain name, `a.b()` for the client's call, `b` for an imported name, else
    nothing.
    """
    if isinstance(node, ast.Call) and _dotted(node.func) == "httpx.AsyncClient":
        return "httpx.AsyncClient()"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    if isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        return next((f"{name}" for name in sorted(names) if name in {"uuid4", "utcnow"}), "")
    return ""
