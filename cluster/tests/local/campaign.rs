//! The short form of the campaign: each fault once, and two graphs in which the seed says what happens.

use talatat_cluster::testing::campaign::{Fault, Field, Table};

use crate::support::python;

#[test]
fn nothing_hangs_and_no_answer_is_wrong() {
    let Some(python) = python() else { return };
    let field = Field::start(python, 3).unwrap();
    let mut table = Table::default();
    for seed in 0..8 {
        let round = field.round(seed, Fault::ALL.get(seed as usize).copied()).unwrap();
        assert!(round.is_good(), "{round:?}");
        table.add(&round);
    }
    println!("{table}");
}
