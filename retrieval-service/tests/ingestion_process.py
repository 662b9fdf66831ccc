"""Runs the service for one file after another, as told on stdin, and dies where it is told to: the tests
start it as a process.

Each line names the version of the workflows, the file, and the point to die at.
"""

import asyncio
import json
import os
import signal
import sys

import asyncpg
from retrieval_service import main
from retrieval_service.ingestion import workflow
from retrieval_service.ingestion.reading import DocumentReader
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from retrieval_service.vectors.adapters.edge import EdgeStore
from servers import serve

from shared import durable

fields = json.loads(sys.argv[1])


def arm(point):
    def reached(place):
        if place == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_after(kind, name, place):
        original = getattr(kind, name)

        async def method(*arguments):
            await original(*arguments)
            reached(place)

        setattr(kind, name, method)

    original = workflow.step

    async def step(name, work, **options):
        async def whole():
            result = await work()
            reached(f"in {name}, all done")
            return result

        reached(f"before {name}")
        result = await original(name, whole, **options)
        reached(f"after {name}")
        return result

    workflow.step = step
    dying_after(DocumentReader, "_add", "in read, passages written")
    dying_after(EdgeStore, "upsert", "in embed, vectors stored")


async def run(file_id):
    async with serve(create_app(RetrievalSettings(**fields))):
        connection = await asyncpg.connect(fields["database_url"])
        query = "SELECT status FROM retrieval_dbos.workflow_status WHERE workflow_uuid = $1"
        while await connection.fetchval(query, f"ingest-{file_id}-1") != "SUCCESS":  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)
        await connection.close()


# Everything is imported once; each line asks for a process that dies at a point, or, without one, ends the
# work.
for line in sys.stdin:
    version, file_id, point = line.rstrip("\n").split(" ", 2)
    child = os.fork()
    if child == 0:
        main._WORKFLOW_VERSION, main._SWEEP_S, durable._GONE_AFTER_S = version, 0.1, 0.3
        arm(point)
        asyncio.run(run(file_id))
        os._exit(0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
    sys.stdout.flush()
