"""The one httpx factory, for calls off the hot path."""

import httpx

from shared.http.limits import Timeouts

_OFF_PATH = Timeouts(connect_s=3.0, first_byte_s=15.0, idle_s=15.0, write_s=10.0)


def make_client(
    base_url: str = "",
    *,
    timeouts: Timeouts = _OFF_PATH,
    connections_max: int = 20,
    headers: dict[str, str] | None = None,
    auth: httpx.Auth | None = None,
) -> httpx.AsyncClient:
    """A client with a time-out for each phase, a bounded pool, no redirects and no proxy from the
    environment.

    httpx has one read time-out for head and body: the longer of the two phases. The caller closes the client.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(
            connect=timeouts.connect_s,
            read=max(timeouts.first_byte_s, timeouts.idle_s),
            write=timeouts.write_s,
            pool=timeouts.connect_s,
        ),
        limits=httpx.Limits(
            max_connections=connections_max, max_keepalive_connections=connections_max, keepalive_expiry=4.0
        ),
        headers=headers,
        auth=auth,
        follow_redirects=False,
        trust_env=False,
    )
