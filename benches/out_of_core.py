#!/usr/bin/env python3
"""The workloads m0 to m3 (benches/workloads/out_of_core.rs) with Dask. Needs numpy, dask, distributed and zarr.
  out_of_core.py WORKLOAD PEER [--scale S] [--memory BYTES]     prints the line of JSON that the peers' bench.py reads
  out_of_core.py cold [--scale S]                               drops the input from the system's file cache
Peers: dask          the threaded scheduler, two threads
       dask-twice    the same, helped by hand: m1 computes the mean first, so that no block waits for it
       dask-dist     a local cluster of one worker with two threads and a memory limit: the only one that spills
       numpy         m0 only: what the input, which our m0 makes, must end with
PEER_DATA is the folder of the data (~/.cache/talatat-peers). The digests are those of ours; means of 32-bit floats are rounded
differently, so those of m1 agree to six digits."""
import argparse, json, os, shutil, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("workload")
parser.add_argument("peer", nargs="?", default="dask")
parser.add_argument("--scale", type=float, default=1.0)
parser.add_argument("--memory", type=int, default=800_000_000, help="the limit of the worker of dask-dist")
options = parser.parse_args()

import numpy as np

PHI, PSI = 0.6180339887498949, 0.7548776662466927
ROWS, COLUMNS, DAYS, PIXELS = 600, 700, 25, 50
FOLDER = os.path.join(os.environ.get("PEER_DATA", os.path.expanduser("~/.cache/talatat-peers")), "out_of_core")
PARTS, METRICS, DIGEST = {}, {}, {}


def scaled(n, least):
    return max(least, int(n * options.scale) // least * least)


DAYS_OF_ALL = scaled(3650, DAYS)
INPUT = os.path.join(FOLDER, f"{DAYS_OF_ALL}-days.zarr")


def source(first, last, start, end):
    x = (np.arange(first, last) * PHI)[:, None] + (np.arange(start, end) * PSI)[None, :]
    x -= np.floor(x)
    return x


def weighted(values):
    values = np.asarray(values, dtype="f8").ravel()
    return float((values * (np.arange(values.size) % 97 + 1)).sum())


class part:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.start = time.perf_counter()

    def __exit__(self, *_):
        PARTS[self.name] = round(time.perf_counter() - self.start, 4)


def cold():
    for folder, _, names in os.walk(INPUT):
        for name in names:
            file = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def flush(path):
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.fdatasync(file)
            os.close(file)


def m0():
    last = source(DAYS_OF_ALL - 1, DAYS_OF_ALL, (ROWS - 1) * COLUMNS, ROWS * COLUMNS)
    DIGEST["last"] = weighted(last.astype("f4"))


def m1():
    x = da.from_zarr(INPUT)
    mean = x.mean(0)
    if options.peer == "dask-twice":
        mean = mean.compute()
    anomaly = x - mean
    std, largest = dask.compute(anomaly.std(), abs(anomaly).max())
    DIGEST["std"], DIGEST["max"] = float(std), float(largest)


def m2():
    import zarr
    folder = os.path.join(FOLDER, "rechunked-by-dask")
    # A run that was killed left something.
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "x.zarr")
    try:
        start = time.perf_counter()
        x = da.from_zarr(INPUT).rechunk((DAYS_OF_ALL, PIXELS, PIXELS))
        with part("rechunk"):
            target = zarr.create_array(path, shape=x.shape, chunks=x.chunksize, dtype="f4", compressors=None, zarr_format=2)
            x.store(target, lock=False)
        with part("flush"):
            flush(path)
        METRICS["inner_s"] = time.perf_counter() - start
        y = zarr.open_array(path, mode="r")
        for name, row, column in [("first", 0, 0), ("middle", 299, 301), ("last", ROWS - 1, COLUMNS - 1)]:
            DIGEST[name] = weighted(y[:, row, column])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def m3():
    rows, columns = scaled(16384, 1024), 16384

    def block(block_info=None):
        (first, last), (start, end) = block_info[None]["array-location"]
        return source(first, last, start, end)

    chunks = da.core.normalize_chunks((1024, 2048), (rows, columns))
    x = da.map_blocks(block, chunks=chunks, dtype="f8", meta=np.empty((0, 0))).map_blocks(lambda x: x + 1.0, dtype="f8")
    with part("persist"):
        x = x.persist()
        if options.peer == "dask-dist":
            distributed.wait(x)
    with part("sum"):
        DIGEST["sum"] = float(x.sum().compute())
    with part("mean"):
        DIGEST["means"] = weighted(x.mean(0).compute())


def main():
    start = time.perf_counter()
    {"m0": m0, "m1": m1, "m2": m2, "m3": m3}[options.workload]()
    seconds = METRICS.pop("inner_s", time.perf_counter() - start)
    print(json.dumps({"digest": DIGEST, "inner_s": round(seconds, 4), "parts": PARTS, "metrics": METRICS}), flush=True)


if __name__ == "__main__":
    if options.workload == "cold":
        sys.exit(cold())
    if options.peer != "numpy":
        import dask, dask.array as da
        dask.config.set(scheduler="threads", num_workers=2)
        dask.config.set({"temporary-directory": "/var/tmp", "distributed.comm.retry.count": 0})
    if options.peer == "dask-dist":
        import distributed
        dask.config.set(scheduler=None)
        cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address=None, memory_limit=options.memory)
        with cluster, distributed.Client(cluster):
            main()
    else:
        main()
