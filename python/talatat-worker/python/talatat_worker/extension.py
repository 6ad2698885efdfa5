"""The extension that knows the operations: this package's own, or that of a user's crate."""

import functools
import importlib
import importlib.metadata
import os
import threading

_configuring = threading.Lock()


@functools.cache
def extension():
    """The module that TALATAT_WORKER_EXTENSION or the one entry point "talatat.worker" names, else this package's own."""
    name = os.environ.get("TALATAT_WORKER_EXTENSION")
    if name is None:
        names = sorted({point.value for point in importlib.metadata.entry_points(group="talatat.worker")})
        if len(names) > 1:
            raise ImportError(
                f"several packages have operations for Talatat's workers: {', '.join(names)}; "
                "say which one by TALATAT_WORKER_EXTENSION, or build one that knows all of them"
            )
        name = names[0] if names else "talatat_worker._native"
    return importlib.import_module(name)


_configured = None


def process(worker):
    """The one pool and the one budget of a worker's process, made with the first worker in it."""
    global _configured
    if _configured is None:
        with _configuring:
            native = extension().process
            memory = worker.memory_manager.memory_limit
            # Half of it is for units that run; the other half for their results, of which Dask keeps 60 % of all in memory.
            native.configure(worker.state.nthreads, memory and memory // 2, worker.local_directory)
            _configured = native
    return _configured
