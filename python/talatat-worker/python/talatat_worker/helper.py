"""The driver's hand in Dask: ``python -m talatat_worker.helper SOCKET``.

It takes units from the driver, has them run by Dask's own client, and hands results back as the bytes that came. It ends when
the driver does: then the socket is closed.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dask
import distributed
from dask._task_spec import Task, TaskRef
from distributed import Client

from .frames import PROTOCOL, Channel
from .security import security
from .unit import TOPIC, UnitFailed, cancel, describe, run, select, sizes

# How often is looked whether there are workers, in seconds.
_LOOK = 0.5
# How long a scheduler that is there may not answer, in seconds: while it takes in a large graph it does nothing else.
_SILENT = 60.0
# How long workers that were there before are waited for if others are there already, in seconds.
_RETURN = 10.0
# How long a cancel waits for all workers to have heard of it, in seconds.
_FLAG = 5.0


def end(reason):
    """Ends this process, which holds nothing any more: the driver reads why, starts another one and hands in again what is missing."""
    print(reason, file=sys.stderr, flush=True)
    os._exit(1)


# It is not public: if it gets another name, that is to be seen at once, and not by waiting for a scheduler that is gone.
Client._reconnect


class Bound(Client):
    """A client of one scheduler's process. Another one that comes in its place knows nothing of what was there."""

    async def _reconnect(self):
        end(f"the connection to the scheduler at {self.scheduler.address} is lost")


class Helper:
    """What the driver has asked for and has not been given up yet."""

    def __init__(self, channel):
        self.channel = channel
        self.client = self.address = None
        # What the driver wants to stay: futures by key.
        self.kept = {}
        # Runs that have not ended: their futures, and how many are still waited for.
        self.runs = {}
        self.lock = threading.Lock()
        # Whatever waits for the cluster waits here, so that messages are read meanwhile.
        self.waiting = ThreadPoolExecutor(8, thread_name_prefix="waiting")
        # And whatever is waited for with a limit.
        self.asking = ThreadPoolExecutor(64, thread_name_prefix="asking")

    def serve(self):
        """Does what the driver says until it has gone."""
        while (received := self.channel.receive()) is not None:
            message, frames = received
            operation = message.pop("op")
            try:
                getattr(self, "do_" + operation)(message, frames)
            except Exception as error:
                self.fail(message, error)

    def fail(self, message, error):
        """Tells that what was asked for cannot be had. If the scheduler is gone that is the reason, and not what came of it."""
        if self.client is not None:
            self.check_scheduler()
        answer = {"ev": "failed", "id": message.get("id"), "run": message.get("run")}
        self.channel.send({**answer, "kind": type(error).__name__, "message": str(error) or repr(error)})

    def later(self, message, work):
        """Does something that takes its time."""

        def guarded():
            try:
                work()
            except Exception as error:
                self.fail(message, error)

        self.waiting.submit(guarded)

    def within(self, seconds, work):
        """What comes of it, or an error if it takes longer: a worker that is frozen never answers."""
        try:
            return self.asking.submit(work).result(timeout=seconds)
        except TimeoutError:
            raise TimeoutError(f"no answer from {self.address} and all of its workers within {seconds:g} s") from None

    def do_connect(self, message, frames):
        def connect():
            tls = message["tls"]
            client = Bound(
                message["address"],
                timeout=message["timeout"],
                security=security(**tls) if tls else None,
                direct_to_workers=message["direct"],
                set_as_default=True,
                name="talatat",
            )
            self.wait_for_workers(client, message["workers"], message["few"], message["timeout"])
            client.subscribe_topic(TOPIC, self.report)
            self.client, self.address, self.patience = client, message["address"], message["timeout"]
            threading.Thread(target=self.watch, args=(message["timeout"],), daemon=True).start()
            self.describe(message)

        self.later(message, connect)

    def wait_for_workers(self, client, count, few, patience):
        """Waits for so many workers; with `few` one is enough after a while."""
        if few:
            with contextlib.suppress(TimeoutError):
                return client.wait_for_workers(count, timeout=min(patience, _RETURN))
            count = 1
        if count:
            client.wait_for_workers(count, timeout=patience)

    def watch(self, patience):
        """Gives runs up that wait for workers where there are none: the scheduler would wait for ever."""
        alone = 0.0
        while True:
            time.sleep(_LOOK)
            somebody = not self.runs or self.check_scheduler()
            alone = 0.0 if somebody else alone + _LOOK
            if alone >= patience:
                with self.lock:
                    runs, self.runs = self.runs, {}
                for run_id, entry in runs.items():
                    self.client.cancel(entry["futures"], force=True)
                    none = ConnectionError(f"no worker is connected to the scheduler at {self.address}")
                    self.fail({"run": run_id}, none)

    def do_describe(self, message, frames):
        self.later(message, lambda: self.describe(message))

    def describe(self, message):
        """Tells what the workers are, and this process."""
        threads = self.client.nthreads()
        told = self.within(self.patience, lambda: self.client.run(describe, on_error="return"))
        workers = []
        for address, told in sorted(told.items()):
            if isinstance(told, BaseException):
                told = {"missing": f"{type(told).__name__}: {told}"}
            workers.append({"address": address, "threads": threads.get(address, 1), **told})
        packages = {"dask": dask.__version__, "distributed": distributed.__version__}
        here = {"protocol": PROTOCOL, "pid": os.getpid(), "packages": packages}
        self.channel.send({"ev": "described", "id": message["id"], "workers": workers, **here})

    def do_submit(self, message, frames):
        run_id, graph = message["run"], {}
        for unit, frame in zip(message["units"], frames, strict=True):
            references = [TaskRef(key) for key in unit["deps"]]
            graph[unit["key"]] = Task(unit["key"], run, bytes(frame), message["observe"], *references)
        wanted = []
        for want in message["wanted"]:
            key = want["key"]
            if want["pick"] is not None:
                graph[key + "-picked"] = Task(key + "-picked", select, TaskRef(key), want["pick"])
                key += "-picked"
            wanted.append(key)
        told = []
        if message["keep"]:
            # What stays there says how large it is.
            told = [key + "-sizes" for key in wanted]
            graph.update((name, Task(name, sizes, TaskRef(key))) for name, key in zip(told, wanted, strict=True))
        # A graph that reads what has been kept names its keys: the futures must be known to the scheduler, and they are.
        futures = self.client.get(graph, wanted + told, sync=False)
        entry = {"futures": futures, "left": len(futures), "results": len(wanted), "keep": message["keep"]}
        with self.lock:
            self.runs[run_id] = entry
        for future in futures:
            future.add_done_callback(lambda future: self.done(run_id, entry, future))

    def done(self, run_id, entry, future):
        """A wanted result is there, or will never be."""
        with self.lock:
            if self.runs.get(run_id) is not entry:
                return
            if future.status == "finished":
                entry["left"] -= 1
                if entry["left"] > 0:
                    return
            del self.runs[run_id]
        message = {"run": run_id}
        if future.status == "finished":
            self.later(message, lambda: self.hand_over(run_id, entry))
        else:
            self.later(message, lambda: self.tell_failure(run_id, entry, future))

    def hand_over(self, run_id, entry):
        """All of a run's results are there."""
        futures, told = entry["futures"][: entry["results"]], entry["futures"][entry["results"] :]
        if entry["keep"]:
            found = self.client.gather(told)
            self.kept.update((future.key, future) for future in futures)
            answer = {"ev": "kept", "run": run_id, "keys": [future.key for future in futures]}
            self.channel.send(answer, [[size] for size in found])
        else:
            self.send_values({"ev": "values", "run": run_id}, futures)

    def send_values(self, message, futures):
        bundles = self.client.gather(futures)
        frames = [bundle.frames() for bundle in bundles]
        counts = [len(each) for each in frames]
        self.channel.send({**message, "counts": counts}, [frame for each in frames for frame in each])

    def tell_failure(self, run_id, entry, future):
        error = future.exception() if future.status == "error" else None
        self.client.cancel(entry["futures"])
        if isinstance(error, UnitFailed):
            self.channel.send({"ev": "unit-failed", "run": run_id, "worker": error.worker}, [[error.failure]])
            # Other units of the run need not go on.
            self.client.run(cancel, run_id, on_error="ignore", wait=False)
        elif error is not None:
            self.fail({"run": run_id}, error)
        else:
            raise RuntimeError(f"the scheduler has given up {future.key}")

    def check_scheduler(self):
        """The workers' threads; if the scheduler does not answer, this process ends."""
        try:
            return self.within(_SILENT, self.client.nthreads)
        except Exception as error:
            end(f"the connection to the scheduler at {self.address} is lost: {error or type(error).__name__}")

    def do_kept(self, message, frames):
        self.channel.send({"ev": "count", "id": message["id"], "count": len(self.kept)})

    def do_gather(self, message, frames):
        kept = [(self.kept[want["key"]], want["pick"]) for want in message["wanted"]]

        def gather():
            picked = [
                future if pick is None else self.client.submit(select, future, pick, pure=False) for future, pick in kept
            ]
            self.send_values({"ev": "values", "id": message["id"]}, picked)

        self.later(message, gather)

    def do_release(self, message, frames):
        for key in message["keys"]:
            self.kept.pop(key, None)

    def do_cancel(self, message, frames):
        run_id = message["run"]
        with self.lock:
            entry = self.runs.pop(run_id, None)

        def stop():
            if entry is not None:
                self.client.cancel(entry["futures"], force=True)
            # A worker that is frozen hears of it when it wakes up.
            with contextlib.suppress(TimeoutError):
                self.within(_FLAG, lambda: self.client.run(cancel, run_id, on_error="ignore"))
            self.channel.send({"ev": "cancelled", "run": run_id})

        self.later(message, stop)

    async def report(self, event):
        _, message = event
        self.channel.send({"ev": "report", "worker": message["worker"]}, [[message["report"]]])


def main():
    # Ctrl-C is for the driver, which tells what to cancel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    helper = Helper(Channel(sys.argv[1]))
    helper.serve()
    with contextlib.suppress(OSError):
        # The socket and its folder: the driver may be gone.
        os.unlink(sys.argv[1])
        os.rmdir(os.path.dirname(sys.argv[1]))
    # The scheduler sees that the client has gone and frees what it held; nothing here is worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
