//! Arrays whose blocks are kept in a store.

use std::sync::Arc;

use talatat::Compute;
use talatat::array::arange;
use talatat::graph::testing::Count;

use crate::common::{builder, sessions};

#[test]
fn blocks_of_arrays_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("kept").to_string_lossy().into_owned();
    let count = Count::default();
    let counting = builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    let numbers = || arange::<f64>(0.0, 1200.0, 1.0).unwrap().rechunk(300).unwrap();
    let roots = || numbers().reshape([40, 30]).unwrap().rechunk([10, 30]).unwrap().sqrt();
    let expected = roots().compute().unwrap();
    for (number, session) in sessions().iter().chain([&counting]).enumerate() {
        let array = roots();
        let durable = array.durable(&place).unwrap();
        assert_eq!(durable.compute_on(session).unwrap(), expected);
        assert_eq!(durable.survey().found, if number == 0 { 0 } else { 4 });
        let kept = roots().persist_to_on(&place, session).unwrap();
        assert_eq!((&kept * 2.0).compute_on(session).unwrap(), &expected * 2.0);
    }
    let ran = count.counter.counts();
    assert!(ran.keys().all(|name| !name.contains("sqrt") && !name.contains("arange")), "{ran:?}");
    // Other numbers have other names.
    let other = numbers().sqrt();
    let other = other.durable(&place).unwrap();
    other.compute_on(&counting).unwrap();
    assert_eq!(other.survey().found, 0);
}
