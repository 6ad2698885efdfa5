"""What a worker does: runs units, tells what it is."""

import os
import platform

from distributed import get_worker

from .extension import extension, process
from .values import Bundle

TOPIC = "talatat"


class UnitFailed(Exception):
    """A unit failed: why, in bytes that the driver reads, and where."""

    def __init__(self, failure, worker):
        super().__init__(failure, worker)
        self.failure = failure
        self.worker = worker

    def __str__(self):
        return f"a unit failed on {self.worker}"


def run(unit, observe, *dependencies):
    """Runs a unit on the outputs of others, with the interpreter's lock released."""
    worker = get_worker()
    try:
        native = process(worker)
        inputs = [bundle.values() for bundle in dependencies]
        values, told = native.run(unit, inputs, observe)
        del inputs
    except BaseException as error:
        # What is no Exception would take the worker with it.
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
    if values is None:
        raise UnitFailed(told, worker.address)
    worker.log_event(TOPIC, {"worker": worker.address, "report": told})
    return Bundle(values)


def select(bundle, outputs):
    """Some of a unit's outputs, where others are not wanted by whoever asked."""
    return bundle.pick(outputs)


def sizes(bundle):
    """How large the outputs of a unit are."""
    return bundle.sizes()


def cancel(run):
    """Stops the units of a run on this worker."""
    extension().process.cancel(run)


def describe():
    """What this process is, and knows."""
    import dask
    import distributed

    native = extension()
    return {
        "pid": os.getpid(),
        "version": native.version,
        "operations": list(native.operations),
        "packages": {
            "dask": dask.__version__,
            "distributed": distributed.__version__,
            "python": platform.python_version(),
        },
    }
