//! Each verb, against what iterators of the standard library say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;
use talatat::Compute;
use talatat::bag::Bag;
use talatat::delayed::delayed;

use super::{bag, on_all, parts};

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn item_by_item(parts in parts()) {
        let (bag, all) = (bag(&parts), parts.concat());
        prop_assert_eq!(on_all(&bag), all.clone());
        prop_assert_eq!(on_all(&bag.map(|x| x * 2)), all.iter().map(|x| x * 2).collect::<Vec<_>>());
        prop_assert_eq!(on_all(&bag.filter(|x| x % 3 == 0)), all.iter().copied().filter(|x| x % 3 == 0).collect::<Vec<_>>());
        let several = |x: i64| (0..x.rem_euclid(3)).map(move |y| x * 10 + y);
        prop_assert_eq!(on_all(&bag.flat_map(several)), all.iter().copied().flat_map(several).collect::<Vec<_>>());
        let chain = bag.map(|x| x + 1).filter(|x| x % 2 == 0).map(|x| x.to_string());
        let expected: Vec<String> = all.iter().map(|x| x + 1).filter(|x| x % 2 == 0).map(|x| x.to_string()).collect();
        prop_assert_eq!(on_all(&chain), expected);
        let lengths = bag.map_partitions(|items| vec![items.len()]);
        prop_assert_eq!(on_all(&lengths), parts.iter().map(Vec::len).collect::<Vec<_>>());
        let pairs = bag.zip(&bag.map(|x| -x)).unwrap();
        prop_assert_eq!(on_all(&pairs), all.iter().map(|&x| (x, -x)).collect::<Vec<_>>());
    }

    #[test]
    fn all_into_one(parts in parts(), k in 0_usize..9) {
        let (bag, all) = (bag(&parts), parts.concat());
        prop_assert_eq!(on_all(&bag.count()), all.len() as u64);
        prop_assert_eq!(on_all(&bag.sum()), all.iter().sum::<i64>());
        prop_assert_eq!(on_all(&bag.min()), all.iter().min().copied());
        prop_assert_eq!(on_all(&bag.max()), all.iter().max().copied());
        prop_assert_eq!(on_all(&bag.take(k)), all.iter().copied().take(k).collect::<Vec<_>>());
        // Not commutative: neighbours must stay neighbours.
        let text = bag.fold(String::new(), |text, x| format!("{text}{x},"), |a, b| a + &b);
        prop_assert_eq!(on_all(&text), all.iter().map(|x| format!("{x},")).collect::<String>());
        let joined = bag.map(|x| x.to_string()).reduce(|a, b| format!("{a} {b}"));
        prop_assert_eq!(on_all(&joined), all.iter().map(i64::to_string).reduce(|a, b| format!("{a} {b}")));
        // Of equal ones the first, and in their order.
        let numbered: Vec<(i64, usize)> = all.iter().map(|x| x / 5).zip(0..).collect();
        let places = bag.map(|x| x / 5).zip(&numbering(&parts)).unwrap();
        let mut largest = numbered.clone();
        largest.sort_by_key(|&(x, at)| (Reverse(x), at));
        prop_assert_eq!(on_all(&places.topk_by_key(k, |pair| pair.0)), largest.iter().copied().take(k).collect::<Vec<_>>());
        prop_assert_eq!(on_all(&places.max_by_key(|pair| pair.0)), largest.first().copied());
        let smallest = numbered.iter().copied().min_by_key(|pair| pair.0);
        prop_assert_eq!(on_all(&places.min_by_key(|pair| pair.0)), smallest);
        prop_assert_eq!(on_all(&bag.topk(k)), sorted(all).into_iter().rev().take(k).collect::<Vec<_>>());
    }

    #[test]
    fn equal_keys_together(parts in parts(), others in parts()) {
        let (bag, all) = (bag(&parts), parts.concat());
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        let mut groups: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for &x in &all {
            *counts.entry(x).or_default() += 1;
            groups.entry(x % 5).or_default().push(x);
        }
        let found = on_all(&bag.frequencies());
        prop_assert_eq!(sorted(found.clone()), counts.clone().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(sorted(on_all(&bag.distinct())), counts.into_keys().collect::<Vec<_>>());
        let grouped = on_all(&bag.groupby(|x| x % 5));
        prop_assert_eq!(sorted(grouped.clone()), groups.clone().into_iter().collect::<Vec<_>>());
        let texts = bag.foldby(|x| x % 5, String::new(), |text, x| format!("{text}{x},"), |a, b| a + &b);
        let expected: Vec<(i64, String)> =
            groups.into_iter().map(|(key, items)| (key, items.iter().map(|x| format!("{x},")).collect())).collect();
        prop_assert_eq!(sorted(on_all(&texts)), expected);

        // The order does not depend on the partitions.
        for partitions in [1, 2, 5] {
            let again = Bag::from_sequence(all.clone(), partitions);
            prop_assert_eq!(&again.frequencies().compute().unwrap(), &found);
            prop_assert_eq!(&again.groupby(|x| x % 5).compute().unwrap(), &grouped);
        }

        let (other, theirs) = (super::bag(&others), others.concat());
        let joined = on_all(&bag.join(&other, |x| x % 4, |y| y % 4));
        let mut pairs = Vec::new();
        for &x in &all {
            pairs.extend(theirs.iter().filter(|&&y| x % 4 == y % 4).map(|&y| (x, y)));
        }
        prop_assert_eq!(sorted(joined.clone()), sorted(pairs.clone()));
        for key in -3..4 {
            // Of one key: our order, then theirs.
            let of = |pairs: &[(i64, i64)]| pairs.iter().copied().filter(|pair| pair.0 % 4 == key).collect::<Vec<_>>();
            prop_assert_eq!(of(&joined), of(&pairs));
        }
        let recut = Bag::from_sequence(all, 3).join(&Bag::from_sequence(theirs, 4), |x| x % 4, |y| y % 4);
        prop_assert_eq!(recut.compute().unwrap(), joined);
    }

    #[test]
    fn moved_only(parts in parts(), partitions in 1_usize..12) {
        let (bag, all) = (bag(&parts), parts.concat());
        let recut = bag.repartition(partitions);
        prop_assert_eq!(recut.partitions(), partitions);
        prop_assert_eq!(on_all(&recut), all.clone());
        prop_assert_eq!(on_all(&recut.map(|x| x + 1).count()), all.len() as u64);
        let twice = bag.concat(&bag.map(|x| x + 100));
        prop_assert_eq!(on_all(&twice), all.iter().copied().chain(all.iter().map(|x| x + 100)).collect::<Vec<_>>());
        let (first, last) = (0, parts.len() - 1);
        prop_assert_eq!(&on_all(&bag.select_partitions(first..first + 1).unwrap()), &parts[first]);
        prop_assert_eq!(&on_all(&bag.select_partitions(last..last + 1).unwrap()), &parts[last]);
        let back = Bag::from_delayed(bag.to_delayed());
        prop_assert_eq!(on_all(&back), all.clone());
        let held = bag.map(|x| x * 3).persist().unwrap();
        prop_assert_eq!(on_all(&held.map(|x| x / 3)), all);
    }

    #[test]
    fn sums_of_floats_do_not_depend_on_partitions(terms in prop::collection::vec(any::<f64>(), 0..40)) {
        let sums: Vec<u64> = [1, 2, 3, 7].map(|partitions| {
            let sum = Bag::from_sequence(terms.clone(), partitions).sum().compute().unwrap();
            if sum.is_nan() { 0 } else { sum.to_bits() }
        }).into();
        prop_assert!(sums.iter().all(|sum| *sum == sums[0]));
    }
}

/// The place of each item, in the same partitions.
fn numbering(parts: &[Vec<i64>]) -> Bag<usize> {
    let starts: Vec<usize> =
        parts.iter().scan(0, |sum, part| Some(std::mem::replace(sum, *sum + part.len()))).collect();
    let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
    Bag::from_fn(parts.len(), move |part| (starts[part]..starts[part] + lengths[part]).collect())
}

#[test]
fn many_items_and_many_keys() {
    let bag = Bag::from_fn(16, |part| (0..5000_u64).map(|x| x * 16 + part as u64).collect());
    let top = on_all(&bag.topk(3));
    assert_eq!(top, [79_999, 79_998, 79_997]);
    assert_eq!(on_all(&bag.distinct().count()), 80_000);
    let sums = on_all(&bag.foldby(|x| x % 1000, 0, |sum, x| sum + x, |a, b| a + b));
    assert_eq!(sums.len(), 1000);
    assert_eq!(sums.iter().map(|(_, sum)| sum).sum::<u64>(), 79_999 * 80_000 / 2);
    // More than the buffer of the largest, in rising and in falling order.
    assert_eq!(on_all(&bag.topk_by_key(5000, |x| Reverse(*x))), (0..5000).collect::<Vec<u64>>());
    assert_eq!(on_all(&bag.topk(5000)), (75_000..80_000).rev().collect::<Vec<u64>>());
}

#[test]
fn nothing_at_all() {
    let none = Bag::<i64>::from_sequence([], 3);
    assert!(on_all(&none.frequencies()).is_empty());
    assert!(on_all(&none.join(&none, |x| *x, |x| *x)).is_empty());
    assert_eq!(on_all(&none.max()), None);
    assert_eq!(on_all(&none.sum()), 0);
    assert_eq!(on_all(&none.repartition(5)), Vec::<i64>::new());
    assert_eq!(on_all(&Bag::<i64>::from_delayed([])), Vec::<i64>::new());
}

#[test]
fn a_bag_among_delayed_values() {
    let bag = Bag::from_sequence(1..=4_i64, 2);
    let mean = delayed(|sum: i64, count: u64| sum as f64 / count as f64).call((bag.sum(), bag.count()));
    assert_eq!(on_all(&mean), 2.5);
    // There and back, several times over.
    let mut looped = bag.clone();
    for _ in 0..5 {
        let step = delayed(|part: Vec<i64>| part.iter().map(|x| x + 1).collect::<Vec<i64>>());
        looped = Bag::from_delayed(looped.to_delayed().into_iter().map(|part| step.call(part)));
    }
    assert_eq!(on_all(&looped), [6, 7, 8, 9]);
    let both = (bag.clone(), bag.max(), mean);
    assert_eq!(on_all(&both), (vec![1, 2, 3, 4], Some(4), 2.5));
}

#[test]
fn depth_is_no_limit() {
    let deep = (0..100_000).fold(Bag::from_sequence([0_u64], 1), |bag, _| bag.map(|x| x + 1));
    let session = crate::common::builder().build().unwrap();
    assert_eq!(deep.compute_on(&session).unwrap(), [100_000]);
    drop(deep);
}
