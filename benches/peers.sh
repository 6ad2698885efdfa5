#!/bin/sh
# Runs our workloads beside other libraries, one process at a time, and prints the table.
#
#   benches/peers.sh [BINARY] [WORKLOAD ...]      default: build the binary, run the short list below
#
# BINARY, known by a "/" in it, is what `cargo bench --bench workloads --no-run` builds; it is called as
# `BINARY WORKLOAD` (and `--scale S` if SCALE is not 1) and must end its output with the harness's line of JSON.
# Environment:
#   PEERS     folder of bench.py, report.py and the workloads in Python   (../shared/peers beside the repository)
#   PYTHON    an interpreter with the packages of PEERS/requirements.txt  (~/.cache/talatat-peers/venv/bin/python)
#   AGAINST   peers to run in place of the table's; "none" runs ours alone
#   REPEATS=3  SCALE=1  CAP_MB=(0; 2048 for a10, a10b, f9s and f9g)  OUT=target/peers.jsonl
# Frame workloads read the files that PEERS/data.py makes; PEER_DATA names their folder.
# Ends with status 1 if a run of ours failed or digests differ.
set -eu
cd "$(dirname "$0")/.."

PEERS=${PEERS:-../shared/peers}
PYTHON=${PYTHON:-$HOME/.cache/talatat-peers/venv/bin/python}
REPEATS=${REPEATS:-3}
SCALE=${SCALE:-1}
OUT=${OUT:-target/peers.jsonl}

skip() { echo "peers.sh: SKIPPED, nothing was measured: $1" >&2; exit 0; }
fail() { echo "peers.sh: $1" >&2; exit 2; }

[ -f "$PEERS/bench.py" ] || skip "no $PEERS/bench.py; set PEERS to the folder of the peers"
[ -x "$PYTHON" ] || skip "no $PYTHON; make it: python3 -m venv DIR && DIR/bin/pip install -r $PEERS/requirements.txt"

peers_of() {
    case $1 in
        a1) echo numpy-blocked numexpr numba dask ;;
        a2 | a2small | a3 | a4 | a5 | a7 | a8) echo numpy dask ;;
        a6) echo scipy numba dask ;;
        a9) echo numpy dask dask-xarray-flox ;;
        a10 | a10b) echo numpy-blocked dask ;;
        s1map) echo python futures dask-threads ;;
        s1*) echo python dask-threads ;;
        s2*) echo python dask-delayed ;;
        f7) ;;
        f*) echo polars polars-streaming duckdb dask ;;
        *) fail "unknown workload $1" ;;
    esac
}

cap_of() {
    case $1 in
        a10 | a10b | f9s | f9g) echo "${CAP_MB:-2048}" ;;
        *) echo "${CAP_MB:-0}" ;;
    esac
}

# bench.py SPEC or bench.py --cmd COMMAND SPEC, with the same repeats, scale and cap for every peer of a workload
measure() {
    "$PYTHON" "$PEERS/bench.py" -r "$REPEATS" --scale "$SCALE" --cap-mb "$(cap_of "$workload")" --out "$OUT" "$@" >/dev/null
}

binary=
case ${1:-} in
    */*) binary=$1; shift ;;
esac
if [ -z "$binary" ]; then
    binary=$(cargo bench --bench workloads --no-run --message-format=json |
        sed -n '/"name":"workloads"/s/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -n "$binary" ] || fail "cargo did not name the workloads binary"
fi
[ -x "$binary" ] || fail "$binary is not a program"
case $binary in
    *[[:space:]]*) fail "bench.py splits the command at spaces, and there is one in $binary" ;;
esac

[ $# -gt 0 ] || set -- a1 a2 a2small a3 a4 a5 a6 a7 a8 a9 s1map s1chain s1grid s2tree
for workload; do peers_of "$workload" >/dev/null; done

mkdir -p "$(dirname "$OUT")"
rm -f "$OUT"
for workload; do
    command="$binary $workload"
    [ "$SCALE" = 1 ] || command="$command --scale $SCALE"
    echo "peers.sh: $workload" >&2
    measure --cmd "$command" "$workload:talatat"
    peers=${AGAINST:-$(peers_of "$workload")}
    [ "$peers" != none ] || continue
    for peer in $peers; do
        measure "$workload:$peer"
    done
done

table=$("$PYTHON" "$PEERS/report.py" "$OUT")
printf '%s\n' "$table"
case $table in
    *"| talatat | FAIL"* | *DIFFER*) echo "peers.sh: a run of ours failed or digests differ" >&2; exit 1 ;;
esac
