"""People who use the platform: each has an account, a token and a client; none shares data with
another test.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from openai import OpenAI

from suite.events import Event, Turn, read_events
from suite.waiting import until

PASSWORD = "correct horse battery"
EVENT_STREAM = {"accept": "text/event-stream"}
_TIMEOUT = httpx.Timeout(30, connect=5)


def client(base_url: str, **headers: str) -> httpx.Client:
    """A plain client without redirects and without a proxy of the environment."""
    return httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT, trust_env=False)


class Person:
    """One account. `http` carries its token and its refresh cookie."""

    def __init__(
        self, gateway_url: str, *, email: str, signed_in: dict[str, Any], http: httpx.Client
    ) -> None:
        self.gateway_url = gateway_url
        self.email = email
        self.http = http
        self.id: str = signed_in["user"]["id"]
        self.role: str = signed_in["user"]["role"]
        self.user: dict[str, Any] = signed_in["user"]
        self.use_token(signed_in["access_token"])

    @classmethod
    def sign_up(cls, gateway_url: str, *, name: str = "Ada Example") -> "Person":
        """A new account."""
        email = f"ada-{secrets.token_hex(6)}@example.com"
        http = client(gateway_url)
        answer = http.post("/api/v1/auth/signup", json={"name": name, "email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return cls(gateway_url, email=email, signed_in=answer.json(), http=http)

    @classmethod
    def sign_in(cls, gateway_url: str, email: str) -> "Person":
        """A further session of an account."""
        http = client(gateway_url)
        answer = http.post("/api/v1/auth/signin", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return cls(gateway_url, email=email, signed_in=answer.json(), http=http)

    def use_token(self, token: str) -> None:
        """Sends `token` from now on."""
        self.token = token
        self.http.headers["authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: Any) -> Any:
        """The body of a GET that must succeed."""
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def make_key(self, **members: Any) -> dict[str, Any]:
        """A new API key as the gateway shows it once."""
        answer = self.http.post("/api/v1/auth/api-keys", json={"name": "test", **members})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def openai(self, credential: str | None = None) -> OpenAI:
        """The official client, with the token or another credential; it retries nothing."""
        transport = httpx.Client(timeout=_TIMEOUT, trust_env=False)
        return OpenAI(
            base_url=f"{self.gateway_url}/v1",
            api_key=credential or self.token,
            max_retries=0,
            http_client=transport,
        )

    def chat(self, model: str) -> "Chat":
        """A new chat that asks `model`."""
        answer = self.http.post("/api/v1/chats", json={"model": model})
        assert answer.status_code == 201, answer.text
        return Chat(self, answer.json()["id"])

    def entitlements(self) -> dict[str, Any]:
        """What is left, at each level."""
        found: dict[str, Any] = self.get("/api/v1/billing/entitlements")
        return found

    def usage_total(self) -> dict[str, Any]:
        """The totals of the usage page."""
        total: dict[str, Any] = self.get("/api/v1/billing/usage", group_by="model")["total"]
        return total

    def usage_settles_at(self, cost_nano: int, *, within_s: float = 10) -> dict[str, Any]:
        """The usage totals once they show `cost_nano`."""

        def settled() -> dict[str, Any] | None:
            total = self.usage_total()
            return total if total["cost_nano"] == cost_nano else None

        return until(settled, within_s=within_s, what=f"usage of {cost_nano} nano-USD") or {}


class Chat:
    """A chat of one person."""

    def __init__(self, owner: Person, chat_id: str) -> None:
        self.owner = owner
        self.id = chat_id
        self.path = f"/api/v1/chats/{chat_id}"

    @contextmanager
    def stream(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
    ) -> Generator[httpx.Response]:
        """An event stream of this chat, which must begin well."""
        with self.owner.http.stream(
            method, self.path + path, json=body, headers={**EVENT_STREAM, **(headers or {})}
        ) as response:
            if response.status_code != 200:
                response.read()
            assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
            assert response.headers["content-type"].startswith("text/event-stream")
            yield response

    def post(self, content: str, **members: Any) -> Turn:
        """Ask and read the whole reply."""
        with self.stream("POST", "/messages", body={"content": content, **members}) as response:
            return Turn.of(read_events(response))

    @contextmanager
    def begin(self, content: str, **members: Any) -> Generator["Running"]:
        """Ask and read as the reply comes; leaving closes the stream, not the turn."""
        with self.stream("POST", "/messages", body={"content": content, **members}) as response:
            yield Running(response)

    def turn_of(self, path: str, **members: Any) -> Turn:
        """POST to one of the message's verbs, read to the end."""
        with self.stream("POST", path, body=members or None) as response:
            return Turn.of(read_events(response))

    @contextmanager
    def resume(self, reply_id: str, after: int | None = None) -> Generator["Running"]:
        """The reply's stream, after the event `after`."""
        headers = {} if after is None else {"last-event-id": str(after)}
        with self.stream("GET", f"/messages/{reply_id}/stream", headers=headers) as response:
            yield Running(response)

    def resumed(self, reply_id: str, after: int | None = None) -> list[Event]:
        """All that is left of a reply's stream."""
        with self.resume(reply_id, after) as running:
            return running.rest()

    def stop(self, reply_id: str) -> httpx.Response:
        """Stop a reply."""
        return self.owner.http.post(f"{self.path}/messages/{reply_id}/stop")

    def messages(self) -> list[dict[str, Any]]:
        """The active branch, root first."""
        found: list[dict[str, Any]] = self.owner.get(f"{self.path}/messages")["data"]
        return found

    def message(self, message_id: str) -> dict[str, Any]:
        """One message of the active branch."""
        (found,) = (message for message in self.messages() if message["id"] == message_id)
        return found

    def ended(self, message_id: str, *, within_s: float = 15) -> dict[str, Any]:
        """The message once it does not stream any more."""

        def end() -> dict[str, Any] | None:
            message = self.message(message_id)
            return message if message["status"] != "streaming" else None

        return until(end, within_s=within_s, what="the end of the reply") or {}


class Running:
    """A reply that is being read."""

    def __init__(self, response: httpx.Response) -> None:
        self._events = read_events(response)
        self.seen: list[Event] = []

    def next(self) -> Event:
        """The next event."""
        event = next(self._events)
        self.seen.append(event)
        return event

    def until(self, name: str, count: int = 1) -> Event:
        """Reads up to the `count`th event called `name`."""
        while sum(event.name == name for event in self.seen) < count:
            self.next()
        return self.seen[-1]

    def rest(self) -> list[Event]:
        """Everything to the end, what was read before included."""
        self.seen.extend(self._events)
        return self.seen

    @property
    def reply_id(self) -> str:
        return str(self.until("message").data["reply_id"]) if not self.seen else Turn(self.seen).reply_id
