"""A scheduler and workers on 127.0.0.1: ``python -m talatat_worker.local``. They end when standard input does."""

import argparse
import json
import os
import shutil
import signal
import sys

import dask
from distributed import LocalCluster

from .security import security


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-limit", default="auto")
    parser.add_argument("--folder", required=True)
    for name in ("--tls-ca-file", "--tls-cert", "--tls-key"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    encrypted = None
    if arguments.tls_ca_file:
        encrypted = security(arguments.tls_ca_file, arguments.tls_cert, arguments.tls_key)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the driver reads is the address and nothing else.
    told, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    settings = {"distributed.worker.profile.enabled": False}
    if "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL" not in os.environ:
        # Here nothing is between scheduler and workers: who is silent for so long is frozen.
        settings["distributed.scheduler.worker-ttl"] = "1 minute"
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=arguments.workers,
            threads_per_worker=arguments.threads,
            memory_limit=arguments.memory_limit,
            host="127.0.0.1",
            protocol="tls://" if encrypted else None,
            security=encrypted,
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            local_directory=arguments.folder,
            preload="talatat_worker",
        )
        print(json.dumps({"scheduler": cluster.scheduler_address}), file=told, flush=True)
        sys.stdin.buffer.read()
        cluster.close(timeout=5)
    # The driver may be gone.
    shutil.rmtree(arguments.folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
