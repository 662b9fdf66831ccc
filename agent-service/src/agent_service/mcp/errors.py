"""What can be wrong with a request about MCP servers."""

from shared.errors import Conflict, Invalid, NotFound


class ServerNotFound(NotFound):
    code = "mcp_server_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such MCP server")


class ServerNameTaken(Conflict):
    code = "mcp_server_name_taken"

    def __init__(self) -> None:
        super().__init__("an MCP server of this name exists already; choose another name")


class ServerFromFile(Conflict):
    code = "mcp_server_from_file"

    def __init__(self) -> None:
        super().__init__("this server stands in the operator's file (MCP_SERVERS_FILE) and is changed there")


class TooManyServers(Conflict):
    code = "too_many_mcp_servers"

    def __init__(self, servers_max: int) -> None:
        super().__init__(f"an organisation can have {servers_max} MCP servers; remove one first")


class ServerInvalid(Invalid):
    code = "mcp_server_invalid"
