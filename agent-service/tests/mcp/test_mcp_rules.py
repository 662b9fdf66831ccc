"""What an administrator or operator may enter for an MCP server, what is stored of it, and how its tools are
named.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from agent_service.mcp.addresses import AddressRefused, check_address, check_url
from agent_service.mcp.catalogue import build, server_of, tool_name
from agent_service.mcp.file import _TRUST, McpFileError, load
from agent_service.mcp.headers import HeaderRefused, check_headers
from agent_service.mcp.port import RemoteTool, Server, Stdio, StreamableHttp
from agent_service.mcp.sealing import Seal, Unsealable
from identities import make_principal
from shared.auth.permissions import Role
from shared.ids import uuid7

OBJECT = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "url", ["https://tools.example.com/mcp", "http://127.0.0.1:3001/mcp?x=1", "http://[::1]:80/", "https://h"]
)
def test_plain_urls_are_taken(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.com", "http"),
        ("file:///etc/passwd", "http"),
        ("javascript:alert(1)", "http"),
        ("https://user:pw@example.com/", "credentials"),
        ("https://token@example.com/", "credentials"),
        ("https:///mcp", "names no host"),
        ("https://example.com:99999/", "not a URL"),
        ("https://example.com:0/", "names no host"),
        ("https://exa mple.com/", "characters"),
        ("https://example.com/\r\nHost: evil", "characters"),
        ("https://example.com\\@evil.com/", "characters"),
        ("https://exämple.com/", "characters"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/" + "x" * 3000, "longer than"),
        ("", "http"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_urls_that_could_lead_elsewhere_are_refused(url: str, says: str) -> None:
    with pytest.raises(AddressRefused, match=says):
        check_url(url)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "100.100.100.200",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::", "fec0::1", "168.63.129.16", "::ffff:168.63.129.16", "fd00:ec2::23",
        "fd20:ce::254", "64:ff9b:1::a9fe:a9fe",
        "::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:5601:5601", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
        "255.255.255.255", "240.0.0.1",
    ],
)  # fmt: skip
def test_metadata_and_link_local_addresses_are_refused_even_where_private_ones_are_allowed(
    address: str,
) -> None:
    with pytest.raises(AddressRefused):
        check_address(ip_address(address), private_allowed=True)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_private_addresses_need_the_operators_word(address: str) -> None:
    check_address(ip_address(address), private_allowed=True)
    with pytest.raises(AddressRefused, match="MCP_ALLOW_PRIVATE_ADDRESSES"):
        check_address(ip_address(address), private_allowed=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_need_nothing(address: str) -> None:
    check_address(ip_address(address), private_allowed=False)


def test_plain_headers_are_taken() -> None:
    assert check_headers({"Authorization": "Bearer abc", "X-Team": "a b"}) == {
        "Authorization": "Bearer abc",
        "X-Team": "a b",
    }


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"X-A": "b\r\nX-Evil: 1"}, "one line"),
        ({"X-A": "b\nX-Evil: 1"}, "one line"),
        ({"X-A": "b\x00"}, "one line"),
        ({"X-A": "ü"}, "ASCII"),
        ({"X-A": ""}, "ASCII"),
        ({"X-A": " b"}, "ASCII"),
        ({"X-A": "b" * 5000}, "4096"),
        ({"X A": "b"}, "not the name"),
        ({"X-A\r\nX-Evil": "b"}, "not the name"),
        ({"X:A": "b"}, "not the name"),
        ({"": "b"}, "not the name"),
        ({"Host": "internal"}, "set by the connection"),
        ({"Content-Length": "5"}, "set by the connection"),
        ({"transfer-encoding": "chunked"}, "set by the connection"),
        ({"Mcp-Session-Id": "x"}, "set by the connection"),
        ({"Proxy-Authorization": "x"}, "set by the connection"),
        ({"X-A": "1", "x-a": "2"}, "given twice"),
        ({f"X-{n}": "1" for n in range(21)}, "more than 20"),
    ],
    ids=str,
)
def test_headers_that_could_smuggle_are_refused_without_their_value(
    headers: dict[str, str], says: str
) -> None:
    with pytest.raises(HeaderRefused, match=says) as refused:
        check_headers(headers)
    assert "Evil: 1" not in str(refused.value)


def test_sealed_headers_open_with_the_same_secret_and_server_only() -> None:
    server_id, headers = uuid7(), {"Authorization": "Bearer very-secret"}
    sealed = Seal("one").close(server_id, headers)
    assert b"very-secret" not in sealed
    assert sealed != Seal("one").close(server_id, headers)
    assert Seal("one").open(server_id, sealed) == headers
    for seal, wrong_id, stored in [
        (Seal("two"), server_id, sealed),
        (Seal("one"), uuid7(), sealed),
        (Seal("one"), server_id, sealed[:-1]),
        (Seal("one"), server_id, b""),
    ]:
        with pytest.raises(Unsealable):
            seal.open(wrong_id, stored)


def test_tools_are_named_by_server_and_always_the_same() -> None:
    assert tool_name("time", "get_current_time") == "time__get_current_time"
    odd, long = tool_name("time", "get time/now"), tool_name("s" * 32, "t" * 100)
    assert odd.startswith("time__get_time_now-")
    assert odd == tool_name("time", "get time/now") != tool_name("time", "get time:now")
    assert len(long) == 64
    assert tool_name("s" * 32, "t" * 101) != long
    assert [server_of(name) for name in ("time__a__b", "a_b__c", "plain", long)] == [
        "time",
        "a_b",
        "",
        "s" * 32,
    ]


def _listed(*names: str, **more: Any) -> list[RemoteTool]:
    fields = {"title": "", "description": "", "schema": OBJECT, "repeatable": False, **more}
    return [RemoteTool(name=name, **fields) for name in names]


def _server(**more: Any) -> Server:
    return Server(
        id=uuid7(), name="s", source="api", target=StreamableHttp("https://example.com"), revision="1", **more
    )


def test_an_allow_list_leaves_the_other_tools_out() -> None:
    entries = build(_server(tools=frozenset({"b", "none"})), _listed("a", "b", "c"))
    assert [entry.name for entry in entries] == ["s__b"]


@pytest.mark.parametrize(
    ("approval", "asked"),
    [
        ("unless_read_only", ["plain", "breaks", "both"]),
        ("never", ["breaks", "both"]),
        ("always", ["plain", "reads", "breaks", "both"]),
    ],
)
def test_a_tool_that_destroys_always_asks_and_one_that_only_reads_when_the_server_says_so(
    approval: Any, asked: list[str]
) -> None:
    listed = [
        *_listed("plain"),
        *_listed("reads", read_only=True),
        *_listed("breaks", destructive=True),
        *_listed("both", read_only=True, destructive=True),
    ]
    entries = build(_server(approval=approval), listed)
    assert [entry.remote_name for entry in entries if entry.needs_approval] == asked


def test_a_program_trusts_the_certificates_that_the_service_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/company.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy")
    (server,) = load(_write(tmp_path, {"servers": [ONE]}))
    assert isinstance(server.target, Stdio)
    assert server.target.env["SSL_CERT_FILE"] == "/etc/company.pem"
    assert "HTTPS_PROXY" not in server.target.env
    own = {**ONE, "env": {"SSL_CERT_FILE": "/etc/other.pem"}}
    (server,) = load(_write(tmp_path, {"servers": [own]}))
    assert isinstance(server.target, Stdio)
    assert server.target.env["SSL_CERT_FILE"] == "/etc/other.pem"


def test_the_file_says_who_may_use_a_server_and_administrators_alone_when_it_does_not(tmp_path: Path) -> None:
    person = make_principal()
    named = {**ONE, "access": {"user_ids": [str(person.user_id)]}, "approval": "always"}
    (closed, opened) = load(_write(tmp_path, {"servers": [ONE, {**named, "name": "b"}]}))
    assert [server.access.allows(person) for server in (closed, opened)] == [False, True]
    assert [server.access.allows(make_principal(Role.ADMIN)) for server in (closed, opened)] == [True, True]
    assert (closed.approval, opened.approval) == ("unless_read_only", "always")


def test_of_two_tools_with_one_name_the_first_counts() -> None:
    assert [entry.remote_name for entry in build(_server(), _listed("a", "b", "a"))] == ["a", "b"]


def test_descriptions_are_bounded_and_without_control_characters() -> None:
    entry = build(_server(), _listed("a", description="\x1b[31mred\x00 " + "x" * 9000, title="t" * 500))[0]
    assert entry.description.startswith("[31mred x")
    assert (len(entry.description), len(entry.title)) == (1024, 100)


def test_a_tool_whose_schema_is_refused_says_so() -> None:
    entry = build(
        _server(), _listed("a", schema={"type": "object", "properties": {"x": {"$ref": "http://x"}}})
    )[0]
    assert "nothing is fetched" in (entry.refused or "")


def _write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "servers.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_the_file_names_programs_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDED_ON", "yes")
    for name in _TRUST:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_SIGNING_KEY", "secret")
    organisation = str(uuid7())
    program = {
        "command": "python",
        "args": ["-m", "x"],
        "env": {"TZ": "UTC"},
        "env_from": ["HANDED_ON", "ABSENT"],
        "tools": ["a"],
    }
    address = {
        "url": "http://10.0.0.1/mcp",
        "headers": {"Authorization": "Bearer x"},
        "organisations": [organisation],
    }
    path = _write(tmp_path, {"servers": [{"name": "time", **program}, {"name": "remote", **address}]})
    time, remote = load(path)
    assert isinstance(time.target, Stdio)
    assert {name: value for name, value in time.target.env.items() if name != "PATH"} == {
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HANDED_ON": "yes",
    }
    assert (time.target.args, time.tools, time.organisation_ids) == (("-m", "x"), frozenset({"a"}), None)
    assert remote.target == StreamableHttp(
        "http://10.0.0.1/mcp", {"Authorization": "Bearer x"}, private_allowed=True
    )
    assert [str(item) for item in remote.organisation_ids or ()] == [organisation]
    assert "Bearer x" not in repr(remote)
    assert [server.id for server in load(path)] == [time.id, remote.id]


ONE = {"name": "a", "command": "x"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("servers: [", "not YAML"),
        ("!!python/object/apply:os.system ['id']", "not YAML"),
        ({"servers": [{"name": "a"}]}, "either command or url"),
        ({"servers": [{**ONE, "url": "http://x"}]}, "either command or url"),
        ({"servers": [{"name": "A B", "command": "x"}]}, "servers.0.name"),
        ({"servers": [{"name": "a__b", "command": "x"}]}, "servers.0.name"),
        ({"servers": [{**ONE, "shell": True}]}, "servers.0.shell"),
        ({"servers": [{**ONE, "env": {"A=B": "x"}}]}, "servers.0.env"),
        ({"servers": [{**ONE, "args": ["a\x00b"]}]}, "servers.0.args"),
        ({"servers": [{**ONE, "headers": {"a": "b"}}]}, "headers belong to a url"),
        ({"servers": [{"name": "a", "url": "http://x", "args": ["y"]}]}, "belong to a command"),
        ({"servers": [{"name": "a", "url": "http://u:p@x"}]}, "a: the URL contains credentials"),
        ({"servers": [{"name": "a", "url": "http://x", "headers": {"a": "b\n"}}]}, "one line"),
        ({"servers": [ONE, ONE]}, "one name"),
        ({"servers": [{**ONE, "access": {"roles": ["everybody"]}}]}, "servers.0.access.roles"),
        ({"servers": [{**ONE, "name": f"s{n}"} for n in range(65)]}, "servers"),
        ([1], "the file"),
        ("x" * 1_100_000, "larger than"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_with_a_mistake_is_refused_in_one_line_that_names_the_place(
    tmp_path: Path, content: Any, says: str
) -> None:
    with pytest.raises(McpFileError, match=says) as refused:
        load(_write(tmp_path, content))
    assert "\n" not in str(refused.value)


def test_a_secret_in_a_faulty_file_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(McpFileError) as refused:
        load(
            _write(
                tmp_path,
                {
                    "servers": [
                        {"name": "a", "url": "http://x", "headers": {"Authorization": ["Bearer hush"]}}
                    ]
                },
            )
        )
    assert "hush" not in str(refused.value)


def test_an_empty_or_absent_file(tmp_path: Path) -> None:
    assert load(_write(tmp_path, "")) == ()
    with pytest.raises(McpFileError, match="cannot be read"):
        load(tmp_path / "none.yaml")
