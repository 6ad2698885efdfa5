"""The same with Dask's own tasks, on the same scheduler: overhead.py ADDRESS LEAVES."""

import sys
import time

from distributed import Client


def leaf(number):
    return number


def add(*values):
    return sum(values)


def main():
    client = Client(sys.argv[1], direct_to_workers=True)
    graph = {f"leaf-{number}": (leaf, number) for number in range(int(sys.argv[2]))}
    level, height = list(graph), 0
    while len(level) > 1:
        height += 1
        parts = [level[at : at + 8] for at in range(0, len(level), 8)]
        level = [f"add{height}-{at}" for at in range(len(parts))]
        graph.update((key, (add, *part)) for key, part in zip(level, parts))
    start = time.perf_counter()
    client.get(graph, level[0])
    took = time.perf_counter() - start
    print(f"dask: tree sum of {len(graph)} tasks: {took:.2f} s ({took / len(graph) * 1e6:.0f} us a task)")
    for megabytes in (1, 64):
        times = []
        future = client.submit(bytearray, megabytes << 20)
        for _ in range(7):
            start = time.perf_counter()
            client.gather(future)
            times.append(time.perf_counter() - start)
        print(f"dask: a block of {megabytes} MiB gathered in {sorted(times)[3] * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
