#!/usr/bin/env bash
# A virtual environment with the worker package, built from this checkout, and with the extensions of other crates.
#
#   python/venv.sh FOLDER [CRATE...]
#
# What comes from the registry is installed once for each requirements.txt; what is of this checkout is built each time, which costs
# nothing if nothing has changed. Whoever comes second waits for the first. TALATAT_BASE_PYTHON is the Python to start from,
# TALATAT_WORKER_FEATURES what the worker's extension knows ("array,zarr"); without it, the operations of tests alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?a folder for the environment}
shift
python=${TALATAT_BASE_PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

exec 9>"$folder/lock"
if command -v flock >/dev/null; then flock 9; fi

if ! cmp -s "$here/requirements.txt" "$folder/requirements.txt"; then
    rm -rf "$folder/venv"
    "$python" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$folder/requirements.txt"
fi
rm -rf "$folder/wheels"
# The profile of the tests, so that they share what is compiled; TALATAT_WORKER_PROFILE=release for measurements.
build() {
    "$folder/venv/bin/maturin" build --quiet --profile "${TALATAT_WORKER_PROFILE:-dev}" --interpreter "$folder/venv/bin/python" \
        --out "$folder/wheels" --manifest-path "$@"
}
build "$here/talatat-worker/Cargo.toml" --features "${TALATAT_WORKER_FEATURES:-}"
for crate in "$@"; do
    build "$crate/Cargo.toml"
done
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$folder"/wheels/*.whl
echo "$folder/venv/bin/python"
