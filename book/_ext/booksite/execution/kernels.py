"""Notebooks are executed side by side, each in a kernel of its own; all kernels end when the build is interrupted."""

import asyncio
import logging
import os
from pathlib import Path
from time import monotonic

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

log = logging.getLogger(__name__)
log.setLevel(logging.WARNING)
# the longest chapter takes more than a quarter of the time of all, so more kernels would only take memory
AT_ONCE = 4
# no clock ends a cell; for the kernel's start and its last message nbclient needs a number
DAY = 24 * 3600
WATCH = "import sys; sys.opened = set(); sys.addaudithook(lambda e, args: e == 'open' and sys.opened.add(str(args[0])))"
OPENED = """\
import os, sys
opened = sys.opened | {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}
display({"application/json": [path for path in map(os.path.abspath, opened) if os.path.isfile(path)]}, raw=True)"""


class Loop(asyncio.SelectorEventLoop):
    """ZeroMQ needs a selector on every system. Ctrl-C stays with the build: nbclient's handler would end one kernel."""

    def add_signal_handler(self, *args):
        raise RuntimeError

    remove_signal_handler = add_signal_handler


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(jobs, finished):
    """Execute notebooks in place, in this order; each of the `jobs` is a name, a notebook, and the folder it runs in.

    `finished(name, opened, error)` is called for each, with the files that it opened and what went wrong, if anything.
    """

    async def one(slots, name, notebook, folder):
        async with slots:
            finished(name, *await run(notebook, folder))

    async def every():
        slots = asyncio.Semaphore(min(AT_ONCE, cores()))
        await asyncio.gather(*(one(slots, *job) for job in jobs))

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(every())


async def run(notebook, folder):
    last, began = new_code_cell(OPENED), monotonic()
    notebook.cells.append(last)
    client = NotebookClient(
        notebook,
        timeout=-1,
        startup_timeout=DAY,
        iopub_timeout=DAY,
        record_timing=False,
        # however the lines arrive
        coalesce_streams=True,
        log=log,
        shutdown_kernel="immediate",
        extra_arguments=[f"--IPKernelApp.exec_lines={WATCH}"],
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        await client.async_execute()
    except (CellExecutionError, RuntimeError) as error:  # a RuntimeError is a kernel that died
        return [], error
    finally:
        notebook.cells.pop()
    notebook.metadata["seconds"] = round(monotonic() - began, 2)
    return [Path(path) for path in last.outputs[0]["data"]["application/json"]], None
