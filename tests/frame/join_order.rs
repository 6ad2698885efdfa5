//! Joins one after the other: which comes first, by what samples say of partners, and that nobody sees it but by the time it takes.

use proptest::prelude::*;
use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, How, MergeOn, Validate};
use talatat::{Compute, Session};

use crate::common::everywhere;

/// Rows with a key for each of three tables.
fn facts(rows: i64) -> Frame {
    let key = |factor: i64, of: i64| (0..rows).map(|row| row * factor % of).collect::<Vec<_>>();
    let data = df!("a" => key(7, 10), "b" => key(11, 100), "c" => key(13, 10), "x" => (0..rows).collect::<Vec<_>>());
    Frame::from_polars(data.unwrap(), 8)
}

/// A table with these keys, each `times` times.
fn table(key: &str, keys: std::ops::Range<i64>, times: usize) -> Frame {
    let keys: Vec<i64> = keys.flat_map(|key| std::iter::repeat_n(key, times)).collect();
    let value: Vec<i64> = (0..keys.len() as i64).map(|row| row * 3).collect();
    Frame::from_polars(df!(key => keys, format!("of_{key}") => value).unwrap(), 1)
}

/// The keys of the plan's joins, the first one first.
fn order(frame: &Frame) -> Vec<String> {
    let session = Session::builder().executor(ExecutorChoice::Synchronous).build().unwrap();
    let explained = session.explain_measured(frame).unwrap();
    let key = |line: &str| Some(line.split_once("merge ")?.1.split_once(" on ")?.1.chars().take(1).collect());
    let mut keys: Vec<String> = explained.rewritten().lines().filter_map(key).collect();
    keys.reverse();
    keys
}

fn on(key: &str, how: How) -> MergeOn {
    MergeOn::from(key).how(how)
}

#[test]
fn the_join_that_leaves_few_rows_comes_first() {
    let facts = facts(40_000);
    let all = facts.merge(&table("a", 0..10, 1), "a").unwrap();
    let few = all.merge(&table("b", 0..3, 1), "b").unwrap();
    let text = few.explain().unwrap().to_string();
    assert!(text.contains("partners by a, 1 of 8 partitions"), "{text}");
    assert!(text.contains("partners by b, 1 of 8 partitions"), "{text}");
    assert_eq!(order(&few), ["b", "a"]);
    let got = everywhere(&few);
    assert_eq!(got.height(), 1200);
    assert_eq!(few.column_names(), ["a", "b", "c", "x", "of_a", "of_b"]);
    // Without looking, and without the rule, the order is the user's.
    for rule in ["sampling", "join_order"] {
        let session = Session::builder().executor(ExecutorChoice::Synchronous).skip(rule).build().unwrap();
        let plan = session.explain_measured(&few).unwrap().rewritten().to_string();
        let (a, b) = (plan.rfind("merge inner on a"), plan.rfind("merge inner on b"));
        assert!(a > b, "without {rule}: {plan}");
        assert!(got.equals_missing(&few.compute_on(&session).unwrap()), "without {rule}");
    }
}

#[test]
fn what_would_change_rows_or_their_order_stays() {
    let facts = facts(40_000);
    let (many, few) = (table("a", 0..10, 2), table("b", 0..3, 2));
    // Several partners on both sides: rows come in the order of the first join's partners.
    let both = facts.merge(&many, "a").unwrap().merge(&few, "b").unwrap();
    assert_eq!(order(&both), ["a", "b"]);
    assert_eq!(everywhere(&both).height(), 4800);
    // A third one with at most one partner passes them.
    let three = both.merge(&table("c", 0..1, 1), "c").unwrap();
    assert_eq!(order(&three), ["c", "a", "b"]);
    assert_eq!(everywhere(&three).height(), 1600);
    // One side with several is enough.
    let one = facts.merge(&many, "a").unwrap().merge(&table("b", 0..3, 1), "b").unwrap();
    assert_eq!(order(&one), ["b", "a"]);
    // A left join keeps all rows, an indicator says what the other side had.
    let left =
        facts.merge(&table("a", 0..10, 1), on("a", How::Left)).unwrap().merge(&table("b", 0..3, 1), "b").unwrap();
    assert_eq!(order(&left), ["a", "b"]);
    let marked = facts.merge(&table("a", 0..10, 1), on("a", How::Inner).indicator(true)).unwrap();
    assert_eq!(order(&marked.merge(&table("b", 0..3, 1), "b").unwrap()), ["a", "b"]);
    // Keys that another join brings wait for it.
    let brought = facts.merge(&table("a", 0..10, 1), "a").unwrap();
    let brought = brought.merge(&table("of_a", 0..4, 1), "of_a").unwrap();
    assert_eq!(order(&brought.merge(&table("b", 0..3, 1), "b").unwrap()), ["b", "a", "o"]);
    // What somebody else reads, too, is not made twice in different orders.
    let first = facts.merge(&table("a", 0..10, 1), "a").unwrap();
    let second = first.merge(&table("b", 0..3, 1), "b").unwrap();
    let session = Session::builder().executor(ExecutorChoice::Synchronous).build().unwrap();
    let together = session.explain_measured(&(first, second)).unwrap().rewritten().to_string();
    assert!(together.rfind("merge inner on a") > together.rfind("merge inner on b"), "{together}");
}

#[test]
fn semi_and_anti_joins_come_as_early_as_they_can() {
    let facts = facts(40_000);
    for (how, height) in [(How::Semi, 1200), (How::Anti, 40_000 - 1200)] {
        let both = facts.merge(&table("a", 0..10, 2), "a").unwrap().merge(&table("b", 0..3, 5), on("b", how)).unwrap();
        assert_eq!(order(&both), ["b", "a"], "{how:?}");
        assert_eq!(everywhere(&both).height(), 2 * height);
    }
    // Checked all the same, and on all rows.
    let checked = facts.merge(&table("a", 0..10, 1), on("a", How::Inner).validate(Validate::ManyToOne)).unwrap();
    let checked = checked.merge(&table("b", 0..3, 1), "b").unwrap();
    assert_eq!(order(&checked), ["b", "a"]);
    assert_eq!(everywhere(&checked).height(), 1200);
    let broken = facts.merge(&table("a", 0..10, 2), on("a", How::Inner).validate(Validate::ManyToOne)).unwrap();
    let broken = broken.merge(&table("b", 0..3, 1), "b").unwrap();
    assert!(broken.compute().unwrap_err().to_string().contains("not unique"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any joins in any order, with suffixes, missing keys and narrower results: the same with the rule as without.
    #[test]
    fn nobody_sees_the_order(
        keys in prop::collection::vec((0_i64..12, 0_i64..12, prop::option::of(0_i64..6)), 60..120),
        joins in prop::collection::vec((0_usize..4, 0_usize..4, 1_i64..8, 1_usize..3, any::<bool>()), 2..5),
        wanted in 0_usize..3,
    ) {
        let data = df!(
            "a" => keys.iter().map(|key| key.0).collect::<Vec<_>>(), "b" => keys.iter().map(|key| key.1).collect::<Vec<_>>(),
            "c" => keys.iter().map(|key| key.2).collect::<Vec<_>>(), "x" => (0..keys.len() as i64).collect::<Vec<_>>(),
            "y" => vec![0.5; keys.len()], "z" => vec![1_i64; keys.len()]
        );
        let base = Frame::from_polars(data.unwrap(), 5);
        let mut frame = base.clone();
        for (number, &(key, how, count, times, same)) in joins.iter().enumerate() {
            // The last of them joins by what the one before it has brought, if there is one.
            let brought = frame.column_names().into_iter().rfind(|name| name.starts_with("brought"));
            let key = ["a", "b", "c", brought.unwrap_or("a")][key].to_string();
            let values: Vec<i64> = (0..count).flat_map(|key| std::iter::repeat_n(key, times)).collect();
            let value = if same { "x".to_string() } else { format!("brought{number}") };
            let made: Vec<i64> = (0..values.len() as i64).map(|row| row % 5).collect();
            let right = Frame::from_polars(df!(key.as_str() => values, value => made).unwrap(), 1 + number % 2);
            let how = [How::Inner, How::Inner, How::Semi, How::Anti][how];
            frame = match frame.merge(&right, MergeOn::from(key.as_str()).how(how).suffixes("", format!("_{number}"))) {
                Ok(frame) => frame,
                Err(_) => continue,
            };
        }
        let frame = match wanted {
            0 => frame,
            1 => frame.select([col("x")]).unwrap(),
            _ => frame.select([col("z"), col("x")]).unwrap(),
        };
        everywhere(&frame);
        let rows = everywhere(&frame).height();
        prop_assert_eq!(crate::common::all_equal(&frame.len()), rows);
    }
}
