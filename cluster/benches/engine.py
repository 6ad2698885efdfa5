"""What Dask's scheduler takes for a task, and for each task that it reads, in seconds of its processor: engine.py [WORKERS].

The numbers of `Rates::MEASURED`. Time by the clock depends on who else uses the machine; what a process used of its processor does so much less.
"""

import os
import sys
import time

import psutil
from dask._task_spec import Task, TaskRef
from distributed import Client, LocalCluster


def leaf(number):
    return number


def read(*values):
    return len(values)


def independent(count, name):
    return {f"{name}-{n}": Task(f"{name}-{n}", leaf, n) for n in range(count)}


def shuffle(count, name):
    graph = independent(count, name + "from")
    references = [TaskRef(key) for key in graph]
    return graph | {f"{name}to-{n}": Task(f"{name}to-{n}", read, *references) for n in range(count)}


def main():
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    # Workers are processes of their own; scheduler and client share this one, and the client's part is little.
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
                           worker_dashboard_address="127.0.0.1:0")
    client, process, run = Client(cluster), psutil.Process(os.getpid()), 0

    def cost(make, count):
        """The least of three, of the processor and by the clock."""
        nonlocal run
        best = (float("inf"), float("inf"))
        for _ in range(3):
            run += 1
            graph = make(count, f"run{run}")
            wanted = [key for key in graph if "to-" in key] or list(graph)
            before, begin = sum(process.cpu_times()[:2]), time.perf_counter()
            client.gather(client.get(graph, wanted, sync=False))
            best = min(best, (sum(process.cpu_times()[:2]) - before, time.perf_counter() - begin))
        return best

    few, many = cost(independent, 500), cost(independent, 4000)
    unit = [(b - a) / 3500 for a, b in zip(few, many)]
    print(f"a task: {unit[0] * 1e3:.2f} ms of the processor, {unit[1] * 1e3:.2f} ms by the clock")
    small, large = cost(shuffle, 20), cost(shuffle, 150)
    units, edges = 2 * (150 - 20), 150**2 - 20**2
    edge = [(b - a - units * one) / edges for a, b, one in zip(small, large, unit)]
    print(f"a task that is read: {edge[0] * 1e6:.0f} us of the processor, {edge[1] * 1e6:.0f} us by the clock")
    client.close()
    cluster.close()


if __name__ == "__main__":
    main()
