#!/usr/bin/env python3
"""Writes arrays.md: which of NumPy's functions and of Dask's array functions are here, and what tests them.

    python3 docs/status/make_arrays.py        needs numpy and dask[array] (versions: tests/fixtures/README.md)

A function is here if its name, or the one that stands for it in RENAMED, is a public function of arrays; it is tested by the
files of fixtures that have cases of it, and by the tests that call it.
"""
import json
import pathlib
import re

import dask
import dask.array as da
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# NumPy's or Dask's name -> ours.
RENAMED = {
    "absolute": "abs", "fabs": "abs", "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "negative": "-", "mod": "remainder",
    "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "bitwise_not": "!", "invert": "!", "bitwise_invert": "!", "logical_not": "!", "matrix_transpose": "transpose",
    "where": "where_", "array": "from_ndarray", "asarray": "from_ndarray", "asanyarray": "from_ndarray", "from_array": "from_ndarray", "array_split": "split",
    "amax": "max", "amin": "min", "concat": "concatenate", "permute_dims": "transpose", "pow": "power", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin",
    "asinh": "arcsinh", "atan": "arctan", "atan2": "arctan2", "atanh": "arctanh", "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift", 
    "cumulative_sum": "cumsum", "cumulative_prod": "cumprod", "around": "round", "degrees": "rad2deg", "radians": "deg2rad", "conjugate": "conj",
    "ix_": "oindex", "put": "assign_at", "place": "assign_where", "putmask": "assign_where", "copyto": "assign_where", "full_like": "full_like", "ascontiguousarray": "rechunk", "load": "open_npy", "save": "to_npy",
    "from_npy_stack": "open_npy_stack", "to_npy_stack": "to_npy_stack", "from_zarr": "open_zarr",
    "unstack": "split", "astype": "astype", "trapz": "trapezoid", "in1d": "isin", "unwrap": "unwrap_phase", "floor_divide": "floor_divide", "rollaxis": "moveaxis", "atleast_1d": "expand_dims",
    "atleast_2d": "expand_dims", "atleast_3d": "expand_dims", "inner": "dot", "unique_counts": "unique", "unique_inverse": "unique", "unique_all": "unique", "unique_values": "unique",
    "shape": "shape", "ndim": "ndim", "size": "shape", "copy": "clone", "map_overlap": "map_overlap", "overlap": "map_overlap", "compute": "compute", "convolve": "convolve", "block": "block", "fromiter": "from_ndarray",
    "frombuffer": "from_ndarray", "isneginf": "isneginf", "iscomplexobj": "dtype", "isrealobj": "dtype", "result_type": "Promote", "promote_types": "Promote", 
    "column_stack": "hstack", "row_stack": "vstack", "concatenate": "concatenate", "sometrue": "any", "alltrue": "all", "product": "prod", "normalize_chunks": "Chunks", 
}
# What has no place in lazy arrays of numbers, and why.
NOT_MEANT = {
    "text, types and settings of Python": "array2string array_repr array_str array2string base_repr binary_repr format_float_positional format_float_scientific set_printoptions get_printoptions printoptions "
    "astype_ issubdtype isdtype dtype finfo iinfo typename mintypecode common_type min_scalar_type isscalar iterable ndarray generic char rec record recarray void bytes_ str_ object_ bool_ flatiter nditer ndindex ndenumerate "
    "nested_iters broadcast vectorize frompyfunc ufunc errstate seterr geterr seterrcall geterrcall setbufsize getbufsize show_config show_runtime info test get_include may_share_memory shares_memory "
    "asarray_chkfinite asmatrix matrix bmat memmap fromfile fromstring fromregex savez savez_compressed packbits unpackbits datetime_as_string datetime_data busday_count busday_offset "
    "busdaycalendar is_busday isnat isfortran require asfortranarray poly1d from_dlpack int_ uint intc intp double single half longdouble clongdouble csingle cdouble bool byte ubyte short ushort "
    "long ulong longlong ulonglong uintc uintp int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 float128 complex256 longlong number integer signedinteger "
    "unsignedinteger inexact floating complexfloating flexible character timedelta64 datetime64 ScalarType empty empty_like "
    "einsum_path DataSource ctypeslib",
    "polynomials": "poly polyadd polyder polydiv polyfit polyint polymul polysub polyval roots",
    "parts of Dask": "Array PerformanceWarning assert_eq optimize register_chunk_type to_hdf5 from_tiledb to_tiledb get_annotations to_backend annotate ma backends numpy_compat core "
    "random stats fft linalg lib slicing wrap utils ufunc routines reductions creation cupy_entry_point dispatch einsumfuncs gufunc image chunk chunk_types tiledb_io "
    "importlib warnings array_expr_enabled as_gufunc atop expm1x",
    "whose type or order is known only when computed": "real_if_close reshape_blockwise",
    "windows": "bartlett blackman hamming hanning kaiser",
}


def public(module):
    names = (name for name in dir(module) if not name.startswith("_"))
    return sorted(name for name in names if callable(getattr(module, name)) and not (isinstance(getattr(module, name), type) and issubclass(getattr(module, name), Exception)))


def sources():
    """Names of public functions, and of rows of tables: each with its file."""
    found = {}
    for path in [*sorted((ROOT / "collections/src/array").rglob("*.rs")), *sorted((ROOT / "src").rglob("*.rs"))]:
        text = path.read_text()
        # Methods of public traits have no `pub`; those are in the face.
        names = re.findall(r"pub fn (\w+)[(<]" if "collections" in path.parts else r"fn (\w+)[(<]", text) + re.findall(r"^\s{4}(\w+)(?:\([\w, ]*\))?(?:,| of | = )", text, re.M)
        for name in names:
            found.setdefault(name, path.relative_to(ROOT).as_posix())
    return found


def tested():
    """For each operation of a fixture or call in a test the file."""
    found = {}
    for path in sorted((ROOT / "tests/fixtures").glob("*.json")):
        try:
            cases = json.loads(path.read_text())
        except ValueError:
            continue
        for case in cases if isinstance(cases, list) else []:
            if isinstance(case, dict) and "op" in case:
                found.setdefault(case["op"], {})[path.name] = found.get(case["op"], {}).get(path.name, 0) + 1
    for path in sorted([*(ROOT / "tests/array").rglob("*.rs"), *(ROOT / "tests/stores").rglob("*.rs")]):
        for name in set(re.findall(r"[.:](\w+)\(", path.read_text())):
            found.setdefault(name, {})[path.relative_to(ROOT / "tests").as_posix()] = 0
    return found


def main():
    ours, tests = sources(), tested()
    operators = set("+ - * / & | ^ !".split())
    reason = {name: why for why, names in NOT_MEANT.items() for name in names.split()}
    lines = [
        "# Arrays: what is here",
        "",
        "Generated by `docs/status/make_arrays.py`; not to be edited.",
        "",
    ]
    summary, tables = [], []
    for title, module, version in [("NumPy's main namespace", np, np.__version__), ("dask.array", da, dask.__version__), ("numpy.linalg", np.linalg, np.__version__), ("numpy.fft", np.fft, np.__version__)]:
        rows, missing, left = [], [], {}
        for name in public(module):
            name_here = RENAMED.get(name, name)
            if name_here in operators or (name_here in ours) or name_here in ("clone", "compute", "Promote", "Chunks"):
                here = tests.get(name, {}) | (tests.get(name_here, {}) if name_here != name else {})
                by = ", ".join(f"{file} ({count})" if count else file for file, count in list(here.items())[:3]) or "its example"
                rows.append(f"| `{name}` | `{name_here}` | {by} |")
            elif name in reason:
                left.setdefault(reason[name], []).append(name)
            else:
                missing.append(name)
        meant = len(rows) + len(missing)
        summary.append(f"| {title} {version} | {len(rows)} of {meant} | {len(missing)} | {sum(map(len, left.values()))} |")
        tables += [f"## {title}", "", "| theirs | ours | tested by |", "|---|---|---|", *rows, "", "Missing: " + (", ".join(f"`{name}`" for name in missing) or "none") + ".", ""]
        tables += [f"Left out ({why}): " + ", ".join(f"`{name}`" for name in names) + "." for why, names in left.items()]
        tables.append("")
    lines += ["| | here | missing | left out |", "|---|---|---|---|", *summary, ""] + tables
    (ROOT / "docs/status/arrays.md").write_text("\n".join(lines).rstrip() + "\n")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
