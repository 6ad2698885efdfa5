#!/usr/bin/env bash
# A virtual environment with the worker package, built from this checkout, and with the extensions of other crates.
#
#   python/venv.sh FOLDER [CRATE...]
#
# What comes from the registry is installed once for each requirements.txt; what is of this checkout is built each time, which costs
# nothing if nothing has changed. Whoever comes second waits for the first. TALATAT_BASE_PYTHON is the Python to start from,
# TALATAT_WORKER_FEATURES what the worker's extension knows ("array,zarr"); without it, the operations of tests alone.
#
# TALATAT_WORKER_WITH is what else Cargo is told to build with the extension: "--workspace --test units" is what `cargo test --workspace` has
# compiled (naming a test, here the smallest one, makes Cargo count what tests want of shared crates, too). Cargo compiles a crate once for each
# set of features that it or one of its dependencies has, and by itself this package wants less of some (tokio, serde ...) than all packages
# together: polars, the longest compile of all, would be compiled once more.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?a folder for the environment}
shift
python=${TALATAT_BASE_PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# What Cargo tells a test of its package is nothing to the crates that are built from within a test. Some look at it (ring), and are compiled
# again when it changes, with all that stands on them.
for name in ${!CARGO_PKG_@} ${!CARGO_MANIFEST_@} ${!CARGO_BIN_@} CARGO_CRATE_NAME CARGO_PRIMARY_PACKAGE CARGO_TARGET_TMPDIR OUT_DIR; do
    unset "$name"
done

exec 9>"$folder/lock"
if command -v flock >/dev/null; then flock 9; fi

if ! cmp -s "$here/requirements.txt" "$folder/requirements.txt"; then
    rm -rf "$folder/venv"
    "$python" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$folder/requirements.txt"
fi
venv=$folder/venv/bin/python
rm -rf "$folder/wheels"
# The profile of the tests, so that they share what is compiled; TALATAT_WORKER_PROFILE=release for measurements.
profile=${TALATAT_WORKER_PROFILE:-dev}
build() {
    "$folder/venv/bin/maturin" build --quiet --profile "$profile" --interpreter "$venv" --out "$folder/wheels" --manifest-path "$@"
}
# The path of the extension.
beside() {
    local features=${TALATAT_WORKER_FEATURES:+talatat-worker/${TALATAT_WORKER_FEATURES//,/,talatat-worker/}}
    cargo build --quiet --manifest-path "$here/../Cargo.toml" --profile "$profile" -p talatat-worker --lib --features "$features" \
        --message-format json-render-diagnostics $TALATAT_WORKER_WITH | "$venv" -c '
import json, sys
messages = (json.loads(line) for line in sys.stdin)
files = (file for message in messages if message.get("target", {}).get("name") == "talatat_worker" for file in message["filenames"])
print([file for file in files if file.endswith((".so", ".dylib"))][-1])'
}
if [ -n "${TALATAT_WORKER_WITH:-}" ]; then
    extension=$(beside)
    site=$("$venv" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    package=$here/talatat-worker/python/talatat_worker
    # What is there already is left alone: workers of another test may be starting from it.
    if ! { cmp -s "$extension" "$site/talatat_worker/_native.abi3.so" &&
        diff -rq --exclude=__pycache__ --exclude='*.so' "$package" "$site/talatat_worker" >/dev/null; }; then
        rm -rf "$site/talatat_worker" "$site/talatat_worker.new"
        cp -r "$package" "$site/talatat_worker.new"
        cp "$extension" "$site/talatat_worker.new/_native.abi3.so"
        mv "$site/talatat_worker.new" "$site/talatat_worker"
    fi
else
    build "$here/talatat-worker/Cargo.toml" --features "${TALATAT_WORKER_FEATURES:-}"
fi
for crate in "$@"; do
    build "$crate/Cargo.toml"
done
if [ -d "$folder/wheels" ]; then
    "$venv" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$folder"/wheels/*.whl
fi
echo "$venv"
