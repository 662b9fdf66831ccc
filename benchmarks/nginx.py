"""nginx as mock upstream and as yardstick: one worker each, no logs, kept connections."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import children, running

_FRAME = """
worker_processes 1;
daemon off;
error_log {folder}/error.log crit;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {content}
}}
"""
_UPSTREAM = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
"""
_PROXY = """
  upstream back {{ server 127.0.0.1:{target}; keepalive 256; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Request-ID $request_id; proxy_buffering off;
    }}
  }}
"""


def available() -> bool:
    """Whether there is an nginx to compare with."""
    return (
        shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
        is not None
    )


@contextmanager
def mock_upstream(port: int, folder: Path, *, body: str) -> Iterator[int]:
    """Answers every request with `body`; gives the worker's pid."""
    with _nginx(_UPSTREAM.format(port=port, body=body), port, folder) as pid:
        yield pid


@contextmanager
def proxy(port: int, target: int, folder: Path) -> Iterator[int]:
    """A plain reverse proxy to `target`; gives the worker's pid."""
    with _nginx(_PROXY.format(port=port, target=target), port, folder) as pid:
        yield pid


@contextmanager
def _nginx(content: str, port: int, folder: Path) -> Iterator[int]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_FRAME.format(folder=folder, content=content))
    binary = (
        shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
        or "nginx"
    )
    subprocess.run([binary, "-t", "-q", "-c", str(config)], check=True)
    with running([binary, "-c", str(config)], port=port) as process:
        # The master listens before its worker is there.
        while not (workers := children(process.pid)):
            time.sleep(0.01)
        yield workers[0]
