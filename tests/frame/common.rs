//! What the tests share: every executor, and values that compare as pandas' answers do.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;
use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, Frame, read_csv};
use talatat::storage::{Location, write_atomic};
use talatat::{Collection, Compute, Session};

use crate::executors;

/// The sessions that every test runs on.
pub(crate) fn sessions() -> &'static [(&'static str, Session)] {
    static SESSIONS: OnceLock<Vec<(&'static str, Session)>> = OnceLock::new();
    SESSIONS.get_or_init(|| {
        let on = |choice| Session::builder().executor(choice).threads(2);
        if let Some(cluster) = executors::cluster_session() {
            return vec![("synchronous", on(ExecutorChoice::Synchronous).build().unwrap()), ("cluster", cluster)];
        }
        let plain = on(ExecutorChoice::Synchronous).skip("filter_pushdown").skip("projection_pushdown");
        let unpruned = on(ExecutorChoice::Synchronous).skip("statistics_pruning").skip("skewed_keys");
        let undecided = on(ExecutorChoice::Synchronous).skip("algorithms").skip("join_order");
        vec![
            ("synchronous", on(ExecutorChoice::Synchronous).build().unwrap()),
            ("threads", on(ExecutorChoice::Threads).build().unwrap()),
            ("serialize", on(ExecutorChoice::Serialize).build().unwrap()),
            ("no rewrites", plain.build().unwrap()),
            ("no pruning or spreading", unpruned.build().unwrap()),
            ("no decisions", undecided.build().unwrap()),
        ]
    })
}

/// Those of them that run closures, which leave neither the process nor their type: at least one, two if all tests run here.
pub(crate) fn local_sessions() -> impl Iterator<Item = &'static (&'static str, Session)> {
    sessions().iter().filter(|(name, session)| *name != "serialize" && !executors::is_elsewhere(session))
}

/// Threads of this process, if all tests run here.
pub(crate) fn threads() -> &'static Session {
    let (_, session) = local_sessions().take(2).last().expect("one of them is local");
    session
}

/// A folder for the files of a test: in memory, or on the disk if tasks run in other processes. It is empty when the tests begin.
pub(crate) fn place(name: &str) -> String {
    static FOLDER: OnceLock<Option<String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let elsewhere = sessions().iter().any(|(_, session)| executors::is_elsewhere(session));
        elsewhere.then(|| {
            let folder = format!("{}/frames-on-a-cluster", env!("CARGO_TARGET_TMPDIR"));
            let _ = std::fs::remove_dir_all(&folder);
            folder
        })
    });
    match folder {
        None => format!("memory://{name}"),
        Some(folder) => format!("{folder}/{name}"),
    }
}

/// Computes on every executor, and checks that all agree, to the bit.
pub(crate) fn everywhere(frame: &Frame) -> DataFrame {
    let mut first: Option<DataFrame> = None;
    for (name, session) in sessions() {
        let got = frame.compute_on(session).unwrap_or_else(|error| panic!("on {name}: {error}"));
        assert_eq!(**got.schema(), **frame.schema(), "the promised columns, on {name}");
        match &first {
            Some(first) => assert!(first.equals_missing(&got), "on {name}:\n{got}\nelse:\n{first}"),
            None => first = Some(got),
        }
    }
    first.expect("there is an executor")
}

/// Computes a collection of any kind on every executor.
pub(crate) fn all_equal<C: Collection>(collection: &C) -> C::Output
where
    C::Output: PartialEq + std::fmt::Debug,
{
    let mut results: Vec<C::Output> = Vec::new();
    for (name, session) in sessions() {
        results.push(collection.compute_on(session).unwrap_or_else(|error| panic!("on {name}: {error}")));
    }
    let first = results.remove(0);
    results.iter().for_each(|other| assert_eq!(*other, first));
    first
}

/// A CSV text as a file of its own; the glob that names it.
pub(crate) fn memory(text: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let url = format!("{}/{}.csv", place("frame-tests"), COUNT.fetch_add(1, Ordering::Relaxed));
    write_atomic(&Location::parse(&url).unwrap(), |w| w.write_all(text.as_bytes())).unwrap();
    url
}

pub(crate) fn csv(text: &str, options: CsvOptions) -> talatat::Result<Frame> {
    read_csv([memory(text)], options)
}

/// One cell of a `DataFrame` as the fixtures write it.
fn cell(value: &AnyValue<'_>) -> Json {
    match value {
        AnyValue::Null => Json::Null,
        AnyValue::Boolean(value) => Json::from(*value),
        AnyValue::String(text) => Json::from(*text),
        AnyValue::StringOwned(text) => Json::from(text.as_str()),
        AnyValue::Float64(value) => Json::from(format!("{value:?}")),
        AnyValue::Float32(value) => Json::from(format!("{value:?}")),
        AnyValue::Datetime(micros, TimeUnit::Microseconds, None) => Json::from(*micros),
        AnyValue::Datetime(..) => panic!("an unexpected unit of time"),
        other => Json::from(other.try_extract::<i64>().expect("an integer")),
    }
}

/// A number of the fixtures, which may be a text.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn micros(text: &str) -> i64 {
    let options = StrptimeOptions { format: Some("%Y-%m-%dT%H:%M:%S".into()), ..Default::default() };
    let column = df!("t" => [text]).unwrap().lazy();
    let parsed = column.select([col("t")
        .str()
        .strptime(DataType::Datetime(TimeUnit::Microseconds, None), options, lit("raise"))
        .cast(DataType::Int64)]);
    parsed.collect().unwrap().column("t").unwrap().i64().unwrap().get(0).unwrap()
}

/// Compares a result with pandas' answer; gives what differs.
pub(crate) fn differs(got: &DataFrame, expect: &Json, rtol: f64) -> Option<String> {
    let columns: Vec<&str> = expect["columns"].as_array()?.iter().filter_map(Json::as_str).collect();
    let names: Vec<&str> = got.get_column_names().into_iter().map(|name| name.as_str()).collect();
    if columns != names {
        return Some(format!("columns {names:?}, not {columns:?}"));
    }
    let dtypes: Vec<&str> = expect["dtypes"].as_array()?.iter().filter_map(Json::as_str).collect();
    let rows = expect["data"].as_array()?;
    if rows.len() != got.height() {
        return Some(format!("{} rows, not {}", got.height(), rows.len()));
    }
    for (at, name) in columns.iter().enumerate() {
        let column = got.column(name).ok()?;
        for (row, cells) in rows.iter().enumerate() {
            let (have, want) = (cell(&column.get(row).ok()?), &cells[at]);
            let same = match (&have, want) {
                (Json::Null, Json::Null) => true,
                // pandas cannot tell NaN from missing.
                (Json::String(text), Json::Null) => text == "NaN",
                (Json::Null, _) | (_, Json::Null) => false,
                (Json::Bool(a), Json::Bool(b)) => a == b,
                (Json::Number(have), Json::String(text)) if dtypes[at].starts_with("datetime") => {
                    have.as_i64() == Some(micros(text))
                }
                (Json::String(a), Json::String(b)) if dtypes[at] == "str" => a == b,
                _ => match (number(&have), number(want)) {
                    (Some(a), Some(b)) => {
                        a == b || (a - b).abs() <= (rtol * b.abs()).max(1e-14) || (a.is_nan() && b.is_nan())
                    }
                    _ => false,
                },
            };
            if !same {
                return Some(format!("column {name}, row {row}: {have}, not {want}"));
            }
        }
    }
    None
}

/// Checks that something fails, and what it says.
#[track_caller]
pub(crate) fn says<T>(result: talatat::Result<T>, parts: &[&str]) -> String {
    let Err(error) = result else { panic!("this worked") };
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    text
}

/// The rows cut at random places, empty partitions included.
pub(crate) fn cut(data: &DataFrame, cuts: &[usize]) -> Vec<DataFrame> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.height() + 1)).chain([0, data.height()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| data.slice(pair[0] as i64, pair[1] - pair[0])).collect()
}

/// Equal, or nearly.
pub(crate) fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        _ => false,
    }
}
