"""What runs Talatat's units in the processes of a Dask cluster.

Workers and schedulers load it (``--preload talatat_worker``); a driver's helper is ``python -m talatat_worker.helper``.
No data passes through Python: a unit's values are Rust's, and their bytes are handed on as they are.
"""

from .values import Bundle
from .unit import UnitFailed, cancel, describe, run, select

__all__ = ["Bundle", "UnitFailed", "cancel", "describe", "run", "select"]


def dask_setup(node):
    """Called by Dask when it preloads this package: whatever is missing is said now, not with the first unit."""
    from distributed import Worker

    if isinstance(node, Worker):
        from .extension import process

        process(node)
