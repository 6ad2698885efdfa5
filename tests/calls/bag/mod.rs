//! Bags against plain iterators, over any partitions, on every executor.

mod files;
mod plans;
mod spilling;
mod verbs;

use proptest::prelude::*;
use talatat::bag::Bag;
use talatat::{Collection, Compute, Session};

/// Items in partitions of any lengths, some of them empty.
fn parts() -> impl Strategy<Value = Vec<Vec<i64>>> {
    prop::collection::vec(prop::collection::vec(-20_i64..20, 0..12), 1..7)
}

/// A bag of these partitions.
fn bag(parts: &[Vec<i64>]) -> Bag<i64> {
    let given = parts.to_vec();
    Bag::from_fn(parts.len(), move |part| given[part].clone())
}

/// The answer, which must be the same on all executors.
fn on_all<C: Collection>(collection: &C) -> C::Output
where
    C::Output: PartialEq + std::fmt::Debug,
{
    let mut answers = crate::common::sessions().into_iter().map(|session: Session| {
        collection.compute_on(&session).unwrap_or_else(|error| panic!("{error} on {session:?}"))
    });
    let first = answers.next().expect("there are executors");
    answers.for_each(|answer| assert_eq!(answer, first));
    first
}
