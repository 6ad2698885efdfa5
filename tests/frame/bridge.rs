//! Columns as arrays and arrays as columns, on every executor.

use ndarray::{ArrayD, IxDyn};
use talatat::array::{Array, Element, arange, from_ndarray, ones};
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, agg};
use talatat::prelude::{Compute, axis, compute_all};
use talatat::{ExecutorChoice, Session};

/// Every executor that runs what can be sent, with and without rewrites.
fn sessions() -> Vec<Session> {
    let on = |choice, skip: &[&str]| {
        let builder = Session::builder().executor(choice).threads(3);
        skip.iter().fold(builder, |builder, name| builder.skip(*name)).build().unwrap()
    };
    let rules = ["slice", "rechunk", "blockwise", "filter_pushdown", "projection_pushdown"];
    vec![
        on(ExecutorChoice::Synchronous, &[]),
        on(ExecutorChoice::Threads, &[]),
        on(ExecutorChoice::Serialize, &[]),
        on(ExecutorChoice::Synchronous, &rules),
    ]
}

#[track_caller]
fn elements<T: Element>(array: &Array<T>) -> Vec<T> {
    let mut found = sessions().into_iter().map(|session| {
        let result = array.compute_on(&session).unwrap_or_else(|error| panic!("{session:?}: {error}"));
        assert_eq!(result.ndim(), array.ndim());
        result.into_raw_vec_and_offset().0
    });
    let first = found.next().unwrap();
    let texts = |values: &[T]| format!("{values:?}");
    found.for_each(|other| assert_eq!(texts(&first), texts(&other)));
    first
}

#[track_caller]
fn rows(frame: &Frame) -> DataFrame {
    let mut found = sessions().into_iter().map(|session| frame.compute_on(&session).unwrap());
    let first = found.next().unwrap();
    assert_eq!(**first.schema(), **frame.schema());
    found.for_each(|other| assert!(first.equals_missing(&other), "{first}\n{other}"));
    first
}

/// The message with which computing fails, on every executor.
#[track_caller]
fn failure<T: Element>(array: &Array<T>) -> String {
    let errors: Vec<String> =
        sessions().iter().map(|session| array.compute_on(session).unwrap_err().to_string()).collect();
    errors.into_iter().next().unwrap()
}

fn table() -> DataFrame {
    df!(
        "b" => [true, false, true, true, false],
        "i" => [1_i32, -2, 3, -4, i32::MIN],
        "l" => [1_i64, i64::MAX, 3, -4, 5],
        "u" => [1_u32, u32::MAX, 3, 4, 5],
        "v" => [1_u64, u64::MAX, 3, 4, 5],
        "f" => [0.5_f32, -0.0, f32::NAN, 4.0, 5.0],
        "d" => [0.5_f64, f64::INFINITY, f64::NAN, -0.0, 5e-324],
        "s" => ["a", "b", "c", "d", "e"],
    )
    .unwrap()
}

#[test]
fn every_type_both_ways() {
    fn check<T: Element>(name: &str) {
        let data = table();
        for partitions in [1, 2, 5] {
            let frame = Frame::from_polars(data.clone(), partitions);
            let column = frame.column_array::<T>(name).unwrap();
            assert_eq!((column.npartitions(), column.ndim()), (frame.partitions(), 1));
            assert_eq!(elements(&column).len(), 5);
            let back = Frame::from_array(name, &column).unwrap();
            assert_eq!(back.partitions(), frame.partitions());
            assert!(rows(&back).equals_missing(&data.select([name]).unwrap()), "{name} in {partitions}");
        }
    }
    check::<bool>("b");
    check::<i32>("i");
    check::<i64>("l");
    check::<u32>("u");
    check::<u64>("v");
    check::<f32>("f");
    check::<f64>("d");
}

#[test]
fn missing_values() {
    let data = df!(
        "f" => [Some(1.0_f32), None, Some(3.0), None],
        "d" => [None, Some(2.0_f64), None, Some(4.0)],
        "i" => [Some(1_i64), Some(2), None, Some(4)],
        "b" => [Some(true), None, None, Some(false)],
    )
    .unwrap();
    let frame = Frame::from_polars(data, 3);
    let floats = elements(&frame.column_array::<f32>("f").unwrap());
    assert!(floats[0] == 1.0 && floats[1].is_nan() && floats[2] == 3.0 && floats[3].is_nan());
    assert_eq!(elements(&frame.column_array::<f64>("d").unwrap().nansum(..).unwrap()), [6.0]);
    let message = failure(&frame.column_array::<i64>("i").unwrap());
    assert!(message.contains("\"i\" has 1 missing") && message.contains("fill or drop"), "{message}");
    let message = failure(&frame.column_array::<bool>("b").unwrap());
    assert!(message.contains("bool cannot hold"), "{message}");
    let kept = frame.filter(col("i").is_not_null()).unwrap();
    assert_eq!(elements(&kept.column_array::<i64>("i").unwrap()), [1, 2, 4]);
}

#[test]
fn empty_partitions_and_frames() {
    let data = df!("x" => (0_i64..12).collect::<Vec<_>>()).unwrap();
    let frame = Frame::from_polars(data, 4).filter(col("x").gt(lit(3)).and(col("x").lt(lit(9)))).unwrap();
    let x = frame.column_array::<i64>("x").unwrap();
    assert_eq!((x.npartitions(), elements(&x)), (4, vec![4, 5, 6, 7, 8]));
    assert_eq!(elements(&x.sum(..).unwrap()), [30]);
    assert_eq!(elements(&x.max(..).unwrap()), [8]);
    let back = rows(&Frame::from_array("y", &(&x * 2)).unwrap());
    assert!(back.equals(&df!("y" => [8_i64, 10, 12, 14, 16]).unwrap()));
    let none = frame.filter(col("x").gt(lit(100))).unwrap().column_array::<i64>("x").unwrap();
    assert_eq!(elements(&none), Vec::<i64>::new());
    assert_eq!(elements(&none.sum(..).unwrap()), [0]);
    assert_eq!(rows(&Frame::from_array("y", &none).unwrap()).height(), 0);
    let empty = from_ndarray(ArrayD::<f64>::zeros(IxDyn(&[0])), 2).unwrap();
    assert_eq!(rows(&Frame::from_array("y", &empty).unwrap()).height(), 0);
    let holes = from_ndarray(ndarray::array![1.5, 2.5], vec![vec![0, 1, 0, 1]]).unwrap();
    assert_eq!(rows(&Frame::from_array("y", &holes).unwrap()).height(), 2);
}

#[test]
fn columns_of_one_frame_have_one_length() {
    let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 3.0, 4.0], "y" => [4.0, 3.0, 2.0, 1.0]).unwrap(), 3);
    let column = |name| frame.column_array::<f64>(name).unwrap();
    let (x, y) = (column("x"), column("y"));
    assert_eq!(elements(&(&x * &y - x.mean(axis(0).keepdims()).unwrap())), [1.5, 3.5, 3.5, 1.5]);
    assert_eq!(elements(&x.dot(&y).unwrap()), [20.0]);
    let picked = frame.filter(col("x").gt(lit(1.5))).unwrap();
    let z = picked.column_array::<f64>("y").unwrap();
    assert_eq!(elements(&(&z + picked.column_array::<f64>("x").unwrap())), [5.0, 5.0, 5.0]);
    let message = (&x + &z).check().unwrap_err().to_string();
    assert!(message.contains("persist both first") && message.contains("bridge.rs:"), "{message}");
    for refused in [x.slice(ndarray::s![1..]).err(), x.shape().err(), x.rechunk(2).err(), x.argmax(0).err()] {
        let message = refused.unwrap().to_string();
        assert!(message.contains("known only when computed") && message.contains("persist"), "{message}");
    }
    // Computed, lengths are known and any operation works.
    for session in sessions() {
        let (x, z) = (x.persist_on(&session).unwrap(), z.persist_on(&session).unwrap());
        assert_eq!((x.shape().unwrap(), z.shape().unwrap()), (vec![4], vec![3]));
        assert_eq!(elements(&(x.slice(ndarray::s![1..]).unwrap() + z)), [5.0, 5.0, 5.0]);
    }
}

#[test]
fn frames_of_arrays_are_frames() {
    let x = arange::<i64>(0, 10, 1).unwrap().rechunk(3).unwrap();
    let frame = Frame::from_array("x", &(&x % 3)).unwrap();
    let counts = frame.groupby(["x"]).unwrap().agg([agg::count("x")]).unwrap();
    let counts = rows(&counts).sort(["x"], SortMultipleOptions::default()).unwrap();
    assert_eq!(counts.height(), 3);
    let even = frame.filter(col("x").eq(lit(0))).unwrap();
    assert_eq!(rows(&even).height(), 4);
    // There and back again, with what was computed on the way shared.
    let sum = even.column_array::<i64>("x").unwrap().sum(..).unwrap();
    for session in sessions() {
        let both = session.scope(|| compute_all((sum.clone(), x.sum(..).unwrap()))).unwrap();
        assert_eq!((both.0.sum(), both.1.sum()), (0, 45));
    }
    let reversed = Frame::from_array("x", &x.slice(ndarray::s![..;-1]).unwrap()).unwrap();
    assert_eq!(rows(&reversed).column("x").unwrap().i64().unwrap().get(0), Some(9));
}

#[test]
fn what_cannot_be_a_column_or_an_array() {
    let frame = Frame::from_polars(table(), 2);
    for (message, words) in [
        (frame.column_array::<f64>("s").err(), "is str, not float64"),
        (frame.column_array::<f64>("i").err(), "is i32, not float64"),
        (frame.column_array::<i64>("i").err(), "is i32, not int64"),
        (frame.column_array::<i8>("i").err(), "not int8"),
        (frame.column_array::<f64>("nowhere").err(), "nowhere"),
        (Frame::from_array("x", &ones::<f64>([2, 2])).err(), "one axis"),
        (Frame::from_array("x", &ones::<f64>([])).err(), "one axis"),
        (Frame::from_array("x", &ones::<i8>([2])).err(), "use astype"),
        (Frame::from_array("x", &ones::<u16>([2])).err(), "use astype"),
        (Frame::from_array("x", &(ones::<f64>([2]) + ones::<f64>([3]))).err(), "(2,) and (3,)"),
    ] {
        let message = message.expect(words).to_string();
        assert!(message.contains(words) && message.contains("bridge.rs:"), "{message}");
    }
    let cast = frame.select([col("i").cast(DataType::Float64)]).unwrap();
    assert_eq!(elements(&cast.column_array::<f64>("i").unwrap())[..2], [1.0, -2.0]);
}

#[test]
fn to_npy_of_a_column() {
    use talatat::prelude::ToNpy;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let frame = Frame::from_polars(table(), 2);
    for session in sessions() {
        let column = frame.column_array::<i64>("l").unwrap();
        session.scope(|| column.to_npy(path.to_str().unwrap())).unwrap();
        let back = talatat::array::open_npy::<i64>(path.to_str().unwrap(), 2).unwrap();
        assert_eq!(elements(&back), [1, i64::MAX, 3, -4, 5]);
    }
}
