//! Order and partitions: any partitioning against eager polars.

use proptest::prelude::*;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, Frequency, Loc, NaPosition, PartitionSize, SetIndex, SortOrder};

use crate::common::{all_equal, everywhere};

/// The rows cut at random places, empty partitions included.
pub(crate) fn partitions(data: &DataFrame, cuts: &[usize]) -> Vec<DataFrame> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.height() + 1)).chain([0, data.height()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| data.slice(pair[0] as i64, pair[1] - pair[0])).collect()
}

fn data(rows: &[(Option<i32>, Option<f64>, Option<String>)]) -> DataFrame {
    df!(
        "i" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "s" => rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>(),
        "row" => (0..rows.len() as u32).collect::<Vec<_>>()
    )
    .unwrap()
}

fn rows() -> impl Strategy<Value = Vec<(Option<i32>, Option<f64>, Option<String>)>> {
    let floats = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, -7.0]);
    let row = (
        prop::option::weighted(0.9, -3..4),
        prop::option::weighted(0.9, floats),
        prop::option::weighted(0.9, "[abé]{0,2}"),
    );
    prop::collection::vec(row, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn sorting_does_not_depend_on_partitions(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
        keys in prop::sample::subsequence(vec!["i", "f", "s"], 1..4).prop_shuffle(),
        ascending in prop::collection::vec(any::<bool>(), 3),
        last in any::<bool>(),
    ) {
        let data = data(&rows);
        let frame = Frame::from_partitions(partitions(&data, &cuts)).unwrap();
        let ascending = ascending[..keys.len()].to_vec();
        let options = SortMultipleOptions::default()
            .with_order_descending_multi(ascending.iter().map(|flag| !flag))
            .with_nulls_last(last)
            .with_maintain_order(true);
        let expect = data.sort(keys.iter().copied(), options).unwrap();
        let position = if last { NaPosition::Last } else { NaPosition::First };
        let sorted = frame.sort_values(&keys, SortOrder::from(ascending).na_position(position)).unwrap();
        let got = everywhere(&sorted);
        prop_assert!(got.equals_missing(&expect), "{got}\n{expect}");
        prop_assert_eq!(sorted.partitions(), frame.partitions());
        // Filters and columns pass it.
        let few = sorted.filter(col("row").gt(lit(5))).and_then(|frame| frame.select([col("row")])).unwrap();
        let expect = expect.lazy().filter(col("row").gt(lit(5))).select([col("row")]).collect().unwrap();
        prop_assert!(everywhere(&few).equals_missing(&expect));
    }

    #[test]
    fn partitions_of_any_number_keep_rows(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
        count in 1_usize..20,
        n in 0_usize..70,
    ) {
        let data = data(&rows);
        let frame = Frame::from_partitions(partitions(&data, &cuts)).unwrap();
        let moved = frame.repartition(count).unwrap();
        prop_assert_eq!(moved.partitions(), count);
        prop_assert!(everywhere(&moved).equals_missing(&data));
        // What lengths say is what is counted.
        prop_assert_eq!(all_equal(&moved.len()), data.height());
        let kept = frame.filter(col("row").gt_eq(lit(0))).unwrap();
        prop_assert!(everywhere(&frame.tail(n).unwrap()).equals_missing(&data.tail(Some(n))));
        prop_assert!(everywhere(&kept.tail(n).unwrap()).equals_missing(&data.tail(Some(n))));
        let mut expect = DataFrame::empty_with_schema(data.schema());
        for part in partitions(&data, &cuts).iter().skip(1) {
            expect.vstack_mut(part).unwrap();
        }
        if frame.partitions() > 1 {
            prop_assert!(everywhere(&frame.select_partitions(1..).unwrap()).equals_missing(&expect));
        }
        let shuffled = frame.shuffle(["i", "s"], count).unwrap();
        let together = everywhere(&shuffled.sort_values(["row"], true).unwrap());
        prop_assert!(together.equals_missing(&data));
    }

    #[test]
    fn an_index_finds_its_rows(
        values in prop::collection::vec(prop::option::weighted(0.9, -20_i64..20), 1..60),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
        (low, high) in (-25_i64..25, -25_i64..25),
    ) {
        let data = df!("at" => &values, "row" => (0..values.len() as i64).collect::<Vec<_>>()).unwrap();
        let frame = Frame::from_partitions(partitions(&data, &cuts)).unwrap();
        let indexed = frame.set_index("at", SetIndex::new()).unwrap();
        let options = SortMultipleOptions::default().with_nulls_last(true).with_maintain_order(true);
        let expect = data.sort(["at"], options).unwrap();
        prop_assert!(everywhere(&indexed).equals_missing(&expect));
        let known = indexed.persist().unwrap();
        prop_assert!(known.divisions().unwrap().are_known());
        for frame in [&indexed, &known] {
            for (range, condition) in [
                (Loc::from(low..=high), col("at").gt_eq(lit(low)).and(col("at").lt_eq(lit(high)))),
                (Loc::from(low..), col("at").gt_eq(lit(low))),
                (Loc::from(..=high), col("at").lt_eq(lit(high))),
                (Loc::value(low), col("at").eq(lit(low))),
            ] {
                let found = frame.loc(range).unwrap();
                let expect = expect.clone().lazy().filter(condition).collect().unwrap();
                prop_assert!(everywhere(&found).equals_missing(&expect));
                prop_assert!(found.divisions().is_some());
            }
        }
    }
}

#[test]
fn equal_keys_are_in_one_partition_after_a_shuffle() {
    let values: Vec<Option<i64>> = (0..200).map(|x| (x % 9 > 0).then_some(x % 7)).collect();
    let frame = Frame::from_polars(df!("k" => values).unwrap(), 6).shuffle(["k"], 4).unwrap();
    let mut seen: Vec<Vec<Option<i64>>> = Vec::new();
    for number in 0..4 {
        let part = frame.get_partition(number).unwrap().compute().unwrap();
        let keys = part.column("k").unwrap().unique().unwrap();
        seen.push(keys.i64().unwrap().iter().collect());
    }
    let mut all: Vec<Option<i64>> = seen.concat();
    all.sort();
    assert_eq!(all, [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)]);
}

#[test]
fn known_divisions_prune() {
    let data = df!("day" => (0_i64..100).collect::<Vec<_>>(), "x" => (0..100).collect::<Vec<_>>()).unwrap();
    let frame = Frame::from_polars(data, 10).set_index("day", SetIndex::new().sorted(true)).unwrap();
    let week = frame.loc(35..=41).unwrap();
    assert_eq!(week.partitions(), 2);
    assert_eq!(all_equal(&week.len()), 7);
    assert_eq!(frame.loc(1000..).unwrap().partitions(), 1);
    assert_eq!(all_equal(&frame.loc(1000..).unwrap().len()), 0);
    // A column that is made anew is no index any more; a renamed one is.
    assert!(frame.with_columns([(col("day") * lit(-1)).alias("day")]).unwrap().divisions().is_none());
    assert!(frame.select([col("x")]).unwrap().divisions().is_none());
    assert!(frame.cumsum(["day"]).unwrap().divisions().is_none());
    assert!(frame.cumsum(["x"]).unwrap().divisions().is_some_and(|divisions| divisions.are_known()));
    let renamed = frame.select([col("x"), col("day").alias("date")]).unwrap();
    assert_eq!(renamed.divisions().unwrap().column(), "date");
    assert_eq!(renamed.loc(Loc::value(7_i64)).unwrap().partitions(), 1);
}

#[test]
fn divisions_may_be_given() {
    let data = df!("day" => [5_i64, 1, 9, 3, 7, 3], "x" => [0, 1, 2, 3, 4, 5]).unwrap();
    let frame = Frame::from_polars(data.clone(), 3);
    let given = |values: &[i32]| SetIndex::new().divisions(Series::new("".into(), values));
    let indexed = frame.set_index("day", given(&[0, 3, 4, 9])).unwrap();
    assert_eq!(indexed.partitions(), 3);
    assert!(
        everywhere(&indexed)
            .equals(&data.sort(["day"], SortMultipleOptions::default().with_maintain_order(true)).unwrap())
    );
    let middle = indexed.get_partition(1).unwrap().compute().unwrap();
    assert!(middle.equals(&df!("day" => [3_i64, 3], "x" => [3, 5]).unwrap()), "{middle}");
    // Known from the start.
    assert_eq!(indexed.loc(5..).unwrap().partitions(), 1);
    assert_eq!(all_equal(&indexed.loc(5..).unwrap().len()), 3);
    for outside in [[2, 4, 9], [0, 4, 8]] {
        let error = frame.set_index("day", given(&outside)).unwrap().compute().unwrap_err().to_string();
        assert!(error.contains("the index `day` has values that lie outside of the divisions"), "{error}");
    }
    says(frame.set_index("day", given(&[3, 1])), &["each larger than the one before"]);
    says(
        frame.set_index("day", SetIndex::new().divisions(Series::new("".into(), ["a", "b"]))),
        &["divisions are of type str", "int64".replace("int64", "i64").as_str()],
    );
}

#[test]
fn times_make_partitions() {
    let hour = 3_600_000_000_i64;
    let at: Vec<i64> = [0, 5, 23, 24, 30, 71, 100].iter().map(|hours| hours * hour).collect();
    let data = df!("at" => at, "x" => [0, 1, 2, 3, 4, 5, 6]).unwrap().lazy();
    let data = data.with_column(col("at").cast(DataType::Datetime(TimeUnit::Microseconds, None))).collect().unwrap();
    let frame = Frame::from_polars(data.clone(), 2).set_index("at", SetIndex::new().sorted(true)).unwrap();
    let daily = frame.repartition(Frequency("1d")).unwrap();
    assert!(everywhere(&daily).equals(&data));
    let rows: Vec<usize> =
        (0..daily.partitions()).map(|day| daily.get_partition(day).unwrap().compute().unwrap().height()).collect();
    assert_eq!(rows, [3, 2, 1, 0, 1]);
    says(frame.repartition(Frequency("one day")), &["`one day` is no span of time"]);
    says(frame.select([col("x")]).unwrap().repartition(Frequency("1d")), &["the frame has no index"]);
}

#[test]
fn sizes_make_partitions() {
    let frame = Frame::from_polars(df!("x" => vec![0_i64; 1000]).unwrap(), 3);
    let small = frame.repartition(PartitionSize(1000)).unwrap();
    assert_eq!(everywhere(&small).height(), 1000);
    assert!((8..=10).contains(&small.partitions()), "{}", small.partitions());
    assert_eq!(frame.repartition(PartitionSize(1 << 20)).unwrap().partitions(), 1);
}

#[track_caller]
fn says<T>(result: talatat::Result<T>, parts: &[&str]) {
    let Err(error) = result else { panic!("this worked") };
    for part in parts.iter().chain(&["order.rs:"]) {
        assert!(error.to_string().contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn what_has_no_order() {
    let frame = Frame::from_polars(df!("x" => [3, 1, 2], "y" => ["a", "b", "c"]).unwrap(), 2);
    says(frame.sort_values(["z"], true), &["sort_values", "no column `z`", "x (i32), y (str)"]);
    says(frame.sort_values(["x", "y"], [true, false, true]), &["2 keys, but 3 flags"]);
    says(frame.sort_values(Vec::<String>::new(), true), &["there is no key"]);
    says(frame.shuffle(["x"], 0), &["0 partitions"]);
    says(frame.repartition(0), &["at least one partition"]);
    says(frame.select_partitions(1..5), &["there are those from 0 to 2"]);
    says(frame.get_partition(2), &["get_partition"]);
    says(frame.loc(1..), &["the frame has no index", "set_index"]);
    says(frame.set_index("x", SetIndex::new().sorted(true)), &["not in the order of `x`", "leave out `sorted(true)`"]);
    says(frame.set_index("y", SetIndex::new()).and_then(|frame| frame.loc(1..)), &["filter"]);
    // What is not in memory is checked when it is computed.
    let turned = Frame::from_polars(df!("x" => [3, 1, 2, 5]).unwrap(), 2).filter(col("x").gt(lit(0))).unwrap();
    let error = turned.set_index("x", SetIndex::new().sorted(true)).unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("partition 0 is not in the order of x"), "{error}");
}
