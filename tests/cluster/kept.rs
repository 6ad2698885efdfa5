//! Arrays whose blocks stay on the workers.

use talatat::array::{Array, arange};
use talatat::prelude::*;

use crate::common::cluster::cluster_builder;
use crate::here;

fn numbers() -> Array<i64> {
    arange::<i64>(0, 600, 1).unwrap().reshape([20, 30]).unwrap().rechunk([6, 7]).unwrap()
}

#[test]
fn later_computes_start_from_what_was_persisted() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let x = (numbers() * 3).persist_on(&cluster).unwrap();
    let kept = cluster.kept().unwrap();
    assert!(kept > 0);
    let explained = (&x + 1).sum(0).unwrap();
    let text = cluster.explain(&explained).unwrap().to_string();
    assert!(text.contains("persisted") && !text.contains("persisted >"), "{text}");
    let expected = (numbers() * 3 + 1).sum(0).unwrap().compute_on(&here()).unwrap();
    assert_eq!(explained.compute_on(&cluster).unwrap(), expected);
    // On another executor the blocks are brought here.
    assert_eq!(explained.compute_on(&here()).unwrap(), expected);
    assert_eq!(x.compute_on(&cluster).unwrap(), (numbers() * 3).compute_on(&here()).unwrap());
    // Persisted again from what is there.
    let y = (&x - 1).persist_on(&cluster).unwrap();
    assert!(cluster.kept().unwrap() > kept);
    drop((x, explained));
    assert_eq!(y.compute_on(&cluster).unwrap(), (numbers() * 3 - 1).compute_on(&here()).unwrap());
    drop(y);
    assert_eq!(cluster.kept().unwrap(), 0);
}

#[test]
fn lengths_that_are_known_when_computed() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let x = numbers().ravel().unwrap();
    let even = x.compress(&(&x % 2).equal(0), 0).unwrap();
    let kept = even.persist_on(&cluster).unwrap();
    assert_eq!(kept.shape().unwrap(), [300]);
    assert_eq!(kept.sum(..).unwrap().item().unwrap().compute_on(&cluster).unwrap(), (0..600).step_by(2).sum::<i64>());
}

/// What is here goes once to where it is read, and later computes find it there.
#[test]
fn what_is_here_can_be_persisted_there() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(2).unwrap();
    let data = numbers().compute_on(&here()).unwrap();
    let x = talatat::array::from_ndarray(data.clone(), [7, 9]).unwrap().persist_on(&cluster).unwrap();
    assert!(cluster.kept().unwrap() > 0);
    assert_eq!((&x + x.t().t()).compute_on(&cluster).unwrap(), &data * 2);
}
