"""The same with dask.array, on the same scheduler: cluster.py ADDRESS SIDE TINY RUNS."""

import sys
import time

import dask.array as da
from distributed import Client, wait


def main():
    client = Client(sys.argv[1], direct_to_workers=True)
    side, tiny, runs = map(int, sys.argv[2:])

    def tell(name, x):
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            value = x.compute()
            times.append(time.perf_counter() - start)
        print(f"dask: {name}: {min(times):.3f} s ({value})")

    def persisted(chunks):
        x = da.random.default_rng(7).random((side, side), chunks=chunks).persist()
        wait(x)
        return x

    x = persisted((1000, 1000))
    tell("sum of x + x.T, persisted", (x + x.T).sum())
    tell("std of x + x.T - x.mean(0), persisted", (x + x.T - x.mean(0)).std())
    del x
    x = persisted((side // 100, side))
    tell("rows to columns, largest of the sums of each", x.rechunk((side, side // 100)).sum(0).max())
    del x
    tell("sum of one element a task", da.arange(tiny, chunks=1, dtype=float).sum())
    client.close()


if __name__ == "__main__":
    main()
