#!/usr/bin/env python3
"""Writes frames.md: which of pandas' and Dask's names for frames are here, and what tests them.

    python3 docs/status/make_frames.py        needs pandas and dask[dataframe] (versions: tests/fixtures/README.md)

A name is here if it, or the one that stands for it in RENAMED, is a public function of frames, or if EXPRESSIONS says which expression of polars it
is: what pandas does to one Series is an expression here. It is tested by the tests that call it.
"""
import pathlib
import re

import dask
import dask.dataframe as dd
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# pandas' or Dask's name -> ours.
RENAMED = {
    "where": "where_", "isnull": "isna", "notnull": "notna", "aggregate": "agg", "product": "prod", "query": "filter", "eval": "with_columns", "items": "column_names",
    "columns": "column_names", "keys": "column_names", "dtypes": "schema", "copy": "clone", "size": "len", "shape": "len", "axes": "schema", "ndim": "schema", "get": "select", "filter": "select", "pop": "drop",
    "partitions": "select_partitions", "npartitions": "partitions", "known_divisions": "divisions", "nunique_approx": "approx_nunique", "median_approximate": "approx_quantile", "from_pandas": "from_polars", "from_dict": "from_polars",
    "from_records": "from_polars", "DataFrame": "from_polars", "from_dask_array": "from_array", "to_dask_array": "column_array", "to_numpy": "column_array", "values": "column_array", "to_records": "compute", "to_dict": "compute",
    "read_table": "read_csv", "read_sql": "read_sql_table", "insert": "with_columns", "applymap": "map_rows", "apply": "map_rows", "map": "map_rows", "head": "head", "infer_objects": "astype", "isin": "isin", "reindex": "select", "set_axis": "rename", "select_dtypes": "select",
    "read_feather": "read_ipc", "to_feather": "to_ipc", "read_ipc": "read_ipc", "info": "schema", "memory_usage": "partition_bytes", "nbytes": "partition_bytes", "crosstab": "pivot_table", "Grouper": "resample", "NamedAgg": "alias",
    "Aggregation": "Aggregation", "reduction": "agg", "first_valid_index": "first", "last_valid_index": "last", 
    "empty": "len", "visualize": "visualize", "explain": "explain", "optimize": "explain", "pprint": "explain", "analyze": "explain", "to_string": "compute", "merge_ordered": "merge", 
    "between_time": "filter", "at_time": "filter", "truncate": "loc", "sort_index": "sort_values", 
    "transform": "select", "categorize": "astype", "transpose": None, "divisions": "divisions", "array": "column_array", "kurt": "kurtosis", "compute_current_divisions": "divisions", "clear_divisions": "repartition",
}
# The operators of frames are those of expressions.
OPERATORS = dict.fromkeys("add sub mul div truediv divide multiply subtract radd rsub rmul rdiv rtruediv".split(), "+ - * /") | dict.fromkeys("floordiv rfloordiv mod rmod pow rpow divmod rdivmod".split(), "floor_div % pow") | dict.fromkeys(
    "eq ne lt le gt ge".split(), "eq neq lt lt_eq gt gt_eq")
# What pandas does to a Series -> the expression of polars.
EXPRESSIONS = OPERATORS | {
    "argmax": "arg_max", "argmin": "arg_min", "between": "is_between", "case_when": "when().then()", "repeat": "repeat_by", "to_frame": "select", "to_list": "compute", "tolist": "compute", "item": "compute", "list": "list()", "struct": "struct_()",
    "cut": "cut", "to_datetime": "str().to_datetime()", "to_timedelta": "cast(Duration)", "to_numeric": "cast", "is_unique": "is_unique", "unique": "unique", "name": "alias", "dtype": "schema", "hasnans": "is_null().any()", "nanosecond": "dt().nanosecond()",
}
TEXT = {
    "capitalize": "text::capitalize", "center": "text::center", "decode": "cast(String)", "encode": "cast(Binary)", "normalize": "text::normalize", "repeat": "text::repeat", "rfind": "text::rfind", "rindex": "text::rfind", "rpartition": "text::rpartition", "swapcase": "text::swapcase", "title": "text::title", "contains": "contains", "count": "count_matches", "endswith": "ends_with", "extract": "extract", "extractall": "extract_all", "find": "find", "findall": "extract_all", "fullmatch": "contains", "get": "slice", "join": "list().join", "len": "len_chars",
    "ljust": "pad_end", "rjust": "pad_start", "pad": "pad_start", "lower": "to_lowercase", "casefold": "to_lowercase", "upper": "to_uppercase", "lstrip": "strip_chars_start", "rstrip": "strip_chars_end", "strip": "strip_chars", "match": "contains", "partition": "splitn",
    "removeprefix": "strip_prefix", "removesuffix": "strip_suffix", "replace": "replace_all", "slice": "slice", "split": "split", "startswith": "starts_with", "zfill": "zfill", "cat": "concat_str", "index": "find", "isalnum": "contains", "isalpha": "contains", "isdecimal": "contains",
    "isdigit": "contains", "isnumeric": "contains", "islower": "contains", "isupper": "contains", "isspace": "contains", "isascii": "contains", "slice_replace": "slice + concat_str", "rsplit": "text::rsplit", "get_dummies": "str_get_dummies", "translate": "replace_all", "istitle": "contains",
}
TIME = {
    "ceil": "time::ceil", "date": "date", "day": "day", "day_name": "strftime", "day_of_week": "weekday", "dayofweek": "weekday", "weekday": "weekday", "day_of_year": "ordinal_day", "dayofyear": "ordinal_day", "days_in_month": "month_end().day", "daysinmonth": "month_end().day", "floor": "truncate",
    "hour": "hour", "is_leap_year": "is_leap_year", "is_month_end": "month_end", "is_month_start": "month_start", "isocalendar": "iso_year week weekday", "microsecond": "microsecond", "minute": "minute", "month": "month", "month_name": "strftime", "nanosecond": "nanosecond", "normalize": "truncate",
    "quarter": "quarter", "round": "round", "second": "second", "strftime": "strftime", "time": "time", "tz_convert": "convert_time_zone", "tz_localize": "replace_time_zone", "unit": "cast_time_unit", "as_unit": "cast_time_unit", "year": "year", "is_quarter_start": "month_start + month", "is_year_start": "ordinal_day",
    "is_quarter_end": "month_end + month", "is_year_end": "ordinal_day", "to_pydatetime": "compute", "tz": "schema", "timetz": "time",
}
# What has no place in lazy frames without an index of labels, and why.
NOT_MEANT = {
    "an index of labels for rows: the order column of `set_index` and its divisions are what there is": "T align at iat index reindex_like rename_axis reorder_levels reset_index droplevel swaplevel stack unstack xs add_levels asof set_flags flags attrs squeeze level indices groups axes name pivot transpose compare combine idx factorize Index MultiIndex CategoricalIndex DatetimeIndex RangeIndex IndexSlice "
    "rename_categories PeriodIndex TimedeltaIndex IntervalIndex autocorr searchsorted argsort duplicated ngroup",
    "pictures and pages": "plot hist boxplot style to_html to_latex to_markdown plotting",
    "formats of Python or of other programs": "to_pickle read_pickle to_clipboard read_clipboard to_excel read_excel ExcelFile ExcelWriter to_hdf read_hdf HDFStore to_stata read_stata read_sas read_spss to_xml read_xml read_html to_xarray to_iceberg read_iceberg to_orc read_orc json_normalize from_arrow",
    "types, settings and tools of Python": "convert_dtypes sparse to_period to_timestamp Period PeriodDtype period_range Interval IntervalDtype interval_range Timestamp Timedelta DateOffset NA NaT ArrowDtype BooleanDtype Categorical CategoricalDtype DatetimeTZDtype Flags Float32Dtype Float64Dtype Int16Dtype Int32Dtype Int64Dtype Int8Dtype SparseDtype "
    "StringDtype UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype Series annotations api array arrays col compat core describe_option errors get_option infer_freq io offsets option_context options pandas reset_option set_eng_float_format set_option show_versions test testing tseries util isetitem iterrows itertuples bdate_range date_range timedelta_range "
    "NamedFunc lreshape eval freq exclusions obj method on window win_type step pipe casefold_ ndim x",
    "parts of Dask": "accessor assert_eq backends categorical compute core dask dask_expr demo dispatch extensions from_graph get_collection_type hyperloglog methods multi partitionquantiles to_bag utils Scalar expr lower_once simplify persist to_backend to_delayed enforce_runtime_divisions memory_usage_per_partition",
    "deprecated by pandas": "corrwith_of_groups",
    "names of columns that only the data tell": "from_dummies get_dummies_",
}


def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def sources():
    """Public functions by the type that they are methods of; "" for those that stand alone."""
    found = {}
    for path in [*sorted((ROOT / "collections/src/frame").rglob("*.rs")), ROOT / "collections/src/bridge.rs"]:
        text, makes, of = path.read_text(), {}, ""
        for macro, body in re.findall(r"^macro_rules! (\w+) \{\n(.*?)^\}", text, re.M | re.S):
            target = re.search(r"impl (\w+) \{", body)
            makes[macro] = target.group(1) if target else ""
        for macro, body in re.findall(r"^(\w+)! \{\n(.*?)^\}", text, re.M | re.S):
            # Methods that a macro makes, one a line.
            for name in re.findall(r"^    (\w+)(?: ?\([^)]*\))?[,:]", body, re.M):
                found.setdefault(makes.get(macro, ""), {}).setdefault(name, path)
        for line in text.splitlines():
            if impl := re.match(r"impl(?:<[^>]*>)? (?:\w+(?:<.*>)? for )?(\w+)", line):
                of = impl.group(1)
            elif line == "}":
                of = ""
            if name := re.match(r"\s*pub fn (\w+)[(<]", line):
                found.setdefault(of, {}).setdefault(name.group(1), path)
    return found


def tested():
    found = {}
    for path in sorted((ROOT / "tests/frame").rglob("*.rs")):
        for name in set(re.findall(r"[.:](\w+)(?:::<[^>]*>)?\(", path.read_text())):
            found.setdefault(name, []).append(path.relative_to(ROOT / "tests").as_posix())
    return found


def main():
    ours, tests = sources(), tested()
    frames = ours.get("Frame", {}) | ours.get("", {}) | dict.fromkeys(["clone", "compute", "persist", "visualize", "explain", "Aggregation", "alias"])
    groups = ours.get("GroupBy", {}) | ours.get("", {}) | dict.fromkeys(["clone"])
    rolling = ours.get("Rolling", {}) | dict.fromkeys(["clone"])
    # Other kinds of groups and statistics.
    groups |= dict.fromkeys(["rolling", "resample", "filter", "nunique"])
    reason = {name: why for why, names in NOT_MEANT.items() for name in names.split()}
    frame = pd.DataFrame({"k": [1], "v": [1]})
    series = sorted(set(public(pd.Series)) - set(public(pd.DataFrame)))
    spaces = [
        ("pandas, top level", public(pd), {}), ("pandas.DataFrame", public(pd.DataFrame), {}), ("pandas.Series, what frames have not", [name for name in series if name not in ("str", "dt", "cat")], {}),
        ("groupby", public(frame.groupby("k")), {}), ("rolling", public(frame.rolling(1)), {}), ("Series.str", public(pd.Series(["a"]).str), TEXT),
        ("Series.dt", public(pd.Series(pd.to_datetime(["2020-01-01"])).dt), TIME), ("dask.dataframe, top level", public(dd), {}), ("dask.dataframe.DataFrame", public(dd.DataFrame), {}),
    ]
    summary, tables = [], []
    for title, names, expressions in spaces:
        rows, missing, left = [], [], {}
        here = {"groupby": groups, "rolling": rolling | {"kurtosis": 0}}.get(title, frames)
        for name in names:
            if name in ("k", "v"):
                continue
            alias = (RENAMED if here is frames else {"aggregate": "agg", "kurt": "kurtosis"}).get(name, name)
            if expressions:
                alias = None
            # Deprecated for groups alone.
            key = f"{name}_of_groups" if here is groups else name
            by = lambda called: ", ".join(tests.get(called, [])[:3])
            expression = (expressions or EXPRESSIONS).get(name)
            if alias in here:
                rows.append(f"| `{name}` | `{alias}` | {by(alias) or 'its example'} |")
            elif expression:
                kind = "" if expression in frames else ", an expression"
                rows.append(f"| `{name}` | `{expression}`{kind} | {by(expression.split('(')[0].split('::')[-1]) or 'polars'} |")
            elif name in reason or key in reason:
                left.setdefault(reason.get(name) or reason[key], []).append(name)
            else:
                missing.append(name)
        meant = len(rows) + len(missing)
        summary.append(f"| {title} | {len(rows)} of {meant} | {len(missing)} | {sum(map(len, left.values()))} |")
        tables += [f"## {title}", "", "| theirs | ours | tested by |", "|---|---|---|", *rows, "", "Missing: " + (", ".join(f"`{name}`" for name in missing) or "none") + ".", ""]
        tables += [f"Left out ({why}): " + ", ".join(f"`{name}`" for name in names) + "." for why, names in left.items()]
        tables.append("")
    lines = [
        "# Frames: what is here", "", "Generated by `docs/status/make_frames.py`; not to be edited.", "",
        f"pandas {pd.__version__}, Dask {dask.__version__}.", "", "| | here | missing | left out |", "|---|---|---|---|", *summary, "",
    ]
    (ROOT / "docs/status/frames.md").write_text("\n".join(lines + tables).rstrip() + "\n")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
