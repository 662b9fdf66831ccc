"""The thread in which blocking calls of a vector store run, one after the other."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from retrieval_service.vectors.errors import VectorStoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class StoreThread:
    """One thread: the stores take one call at a time anyway, and writes keep their order."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises: VectorStoreUnavailable, with the store's own words in the log only."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))
        except VectorStoreUnavailable:
            raise
        except Exception as error:
            # The edge to libraries that raise bare Exceptions.
            log.exception("the vector store failed", extra={"operation": getattr(work, "__name__", "call")})
            raise VectorStoreUnavailable from error

    def close(self) -> None:
        """Returns once what runs has ended."""
        self._pool.shutdown(wait=True)
