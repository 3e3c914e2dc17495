"""Notebooks are executed side by side, each in a kernel of its own; all kernels end when the build is interrupted."""

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from joblib import cpu_count
from nbclient import NotebookClient

# the longest chapter takes more than a quarter of the time of all, so more kernels would only take memory
AT_ONCE = 4
WATCH = Path(__file__).with_name("watch")
# no clock ends a cell; for the kernel's start and its last message nbclient needs a number of seconds
CLOCKS = {"timeout": -1, "startup_timeout": 10**6, "iopub_timeout": 10**6}
# however the lines of an output arrive, it is one
OUTPUTS = {"coalesce_streams": True, "record_timing": False}


class Loop(asyncio.SelectorEventLoop):
    """ZeroMQ needs a selector on every system. Ctrl-C stays with the build: nbclient's handler would end one kernel."""

    def add_signal_handler(self, *args):
        raise RuntimeError


def side_by_side(work, jobs):
    """Call an asynchronous function with each of the jobs, in this order."""

    async def every():
        slots = asyncio.Semaphore(min(AT_ONCE, cpu_count()))

        async def one(job):
            async with slots:
                await work(*job)

        await asyncio.gather(*map(one, jobs))

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(every())


async def execute(notebook, root, folder):
    """Execute a notebook in place, with the packages below the root, and return the files that it opened."""
    client = NotebookClient(notebook, shutdown_kernel="immediate", **CLOCKS, **OUTPUTS)
    path = os.pathsep.join(filter(None, [str(WATCH), str(root), os.environ.get("PYTHONPATH")]))
    # a process that the kernel started may still have the notes open
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        notes = Path(place, "opened")
        await client.async_execute(cwd=str(folder), env=os.environ | {"PYTHONPATH": path, "OPENED_FILES": str(notes)})
        return set(map(os.fsdecode, notes.read_bytes().splitlines()))
