"""Fixtures of the tests that cross services: one running platform a session, and new people for each test."""

import contextlib
from collections.abc import Iterator

import pytest
from fake_replies import EMBEDDING_MODEL, MODELS
from suite.people import Person
from suite.provider import Provider
from suite.stack import UNPRICED_MODEL, Ledger, Stack, set_prices

OTHER_PROVIDER_ECHO = "openai-2/fake-echo"
_PRICE_NANO = (1_000_000_000, 3_000_000_000)  # per million tokens: 1,000 nano-USD a token in, 3,000 out


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the browser tests."""
    parser.addoption(
        "--update-screenshots", action="store_true", help="write the browser's screenshots into docs/images"
    )


_ends = contextlib.ExitStack()  # what stops this process's platform, once


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """A worker whose part of these tests is done stops their platform, which would take its share of the
    machine until the end of all.
    """
    yield
    folder = f"{item.nodeid.partition('/')[0]}/"
    if (
        hasattr(item.config, "workerinput")
        and nextitem is not None
        and not nextitem.nodeid.startswith(folder)
    ):
        _ends.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The platform, started by its supervisor, with two scripted providers behind it."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "home")
    with _ends:
        for each in (stack.provider, stack.other_provider, stack):
            _ends.callback(each.stop)
            each.start()
        yield stack


@pytest.fixture(scope="session")
def admin(running: Stack) -> Person:
    """The first account. It has set a price for every scripted model but one."""
    person = Person.sign_up(running.gateway_url, name="Grace Admin")
    models = [model for model in (*MODELS, EMBEDDING_MODEL, OTHER_PROVIDER_ECHO) if model != UNPRICED_MODEL]
    set_prices(person.http, dict.fromkeys(models, _PRICE_NANO))
    return person


@pytest.fixture(scope="session")
def stack(running: Stack, admin: Person) -> Stack:
    """The platform with an administrator and prices."""
    assert admin.role == "admin"
    return running


@pytest.fixture
def person(stack: Stack) -> Person:
    """A new user."""
    return Person.sign_up(stack.gateway_url)


@pytest.fixture
def stranger(stack: Stack) -> Person:
    """Another new user, who owns nothing of `person`'s."""
    return Person.sign_up(stack.gateway_url, name="Mallory Other")


@pytest.fixture(scope="session")
def provider(running: Stack) -> Provider:
    """The scripted provider that serves the fake models."""
    return running.provider


@pytest.fixture
def ledger(stack: Stack) -> Ledger:
    """The ledger, read straight from the database."""
    return stack.ledger
