"""Notebooks are executed side by side, each in a kernel of its own; all kernels end when the build is interrupted."""

import asyncio
import logging
from pathlib import Path

from joblib import cpu_count
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)
# the longest chapter takes more than a quarter of the time of all, so more kernels would only take memory
AT_ONCE = 4
WATCH = "import sys; sys.opened = set(); sys.addaudithook(lambda e, args: e == 'open' and sys.opened.add(str(args[0])))"
OPENED = """\
import os, sys
opened = sys.opened | {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}
display({"application/json": [path for path in map(os.path.abspath, opened) if os.path.isfile(path)]}, raw=True)"""
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


async def execute(notebook, folder):
    """Execute a notebook in place, and return the files that it opened."""
    last = new_code_cell(OPENED)
    notebook.cells.append(last)
    kernel = {"shutdown_kernel": "immediate", "extra_arguments": [f"--IPKernelApp.exec_lines={WATCH}"]}
    client = NotebookClient(notebook, log=log, **kernel, **CLOCKS, **OUTPUTS)
    try:
        await client.async_execute(cwd=str(folder))
    finally:
        notebook.cells.pop()
    return {Path(path) for path in last.outputs[0]["data"]["application/json"]}
