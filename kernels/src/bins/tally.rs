//! How often each bin was met, or where the weights go.

use crate::block::Block;
use crate::dtype::DType;
use crate::error::Result;
use crate::reduce::{Accumulator, ReduceOp, Slab};

/// Tables that are counted in by turns: an element need not wait for the count of the one before.
const TABLES: usize = 4;

/// The slots of a small table: with so many, no place has to be checked.
const SMALL: usize = 256;

/// Counts, or the places of the weights. What lies in no bin goes to the slot behind the last.
pub(super) enum Tally {
    Small { lanes: usize, tables: Box<[[u64; SMALL]; TABLES]> },
    Counts { lanes: usize, table: Vec<u64> },
    Places { lanes: usize, of: Vec<usize> },
}

impl Tally {
    pub(super) fn new(lanes: usize, weights: Option<usize>) -> Tally {
        match weights {
            Some(count) => Tally::Places { lanes, of: Vec::with_capacity(count) },
            None if lanes < SMALL => Tally::Small { lanes, tables: Box::new([[0; SMALL]; TABLES]) },
            None => Tally::Counts { lanes, table: vec![0; lanes + 1] },
        }
    }

    /// Takes the bins of some elements.
    pub(super) fn add(&mut self, places: &[u32]) {
        match self {
            Tally::Small { tables, .. } => {
                let [a, b, c, d] = &mut **tables;
                let (fours, rest) = places.as_chunks::<TABLES>();
                let slot = |place: u32| place as usize % SMALL;
                for &[i, j, k, l] in fours {
                    a[slot(i)] += 1;
                    b[slot(j)] += 1;
                    c[slot(k)] += 1;
                    d[slot(l)] += 1;
                }
                rest.iter().for_each(|&i| a[slot(i)] += 1);
            }
            wide => places.iter().for_each(|&place| wide.bump(place as usize)),
        }
    }

    /// Takes the bins of some elements, of which there may be more than 2^32.
    pub(super) fn add_wide(&mut self, places: &[usize]) {
        places.iter().for_each(|&place| self.bump(place));
    }

    #[inline(always)]
    fn bump(&mut self, place: usize) {
        match self {
            Tally::Small { tables, .. } => tables[0][place % SMALL] += 1,
            Tally::Counts { table, .. } => {
                if let Some(count) = table.get_mut(place) {
                    *count += 1;
                }
            }
            Tally::Places { of, .. } => of.push(place),
        }
    }

    /// The state of a sum over all bins.
    pub(super) fn finish(self, weights: Option<&Block>) -> Result<Accumulator> {
        let of_counts = |counts: Vec<i64>| {
            let mut state = Accumulator::new(ReduceOp::Sum, DType::I64, counts.len())?;
            state.columns(0, Slab::row(&counts), 0, 0)?;
            Ok(state)
        };
        match self {
            Tally::Small { lanes, tables } => {
                of_counts((0..lanes).map(|lane| tables.iter().map(|table| table[lane] as i64).sum()).collect())
            }
            Tally::Counts { lanes, table } => of_counts(table.iter().take(lanes).map(|&count| count as i64).collect()),
            Tally::Places { lanes, of } => weighed(lanes, &of, weights),
        }
    }
}

/// The sums of weights by lane. They are sorted by lane, so that each takes one run.
fn weighed(lanes: usize, of: &[usize], weights: Option<&Block>) -> Result<Accumulator> {
    let mut state = Accumulator::new(ReduceOp::Sum, DType::F64, lanes)?;
    let weights = weights.map(|weights| weights.cast(DType::F64));
    let view = weights.as_ref().map(|weights| weights.view::<f64>()).transpose()?;
    let weights = view.as_ref().and_then(|view| view.as_slice()).unwrap_or_default();
    let mut starts = vec![0_usize; lanes + 2];
    of.iter().for_each(|&lane| starts[lane.min(lanes) + 1] += 1);
    for lane in 0..=lanes {
        starts[lane + 1] += starts[lane];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0.0; of.len()];
    for (&lane, &weight) in of.iter().zip(weights) {
        let next = &mut next[lane.min(lanes)];
        if let Some(slot) = sorted.get_mut(*next) {
            *slot = weight;
        }
        *next += 1;
    }
    for lane in 0..lanes {
        let run = &sorted[starts[lane]..starts[lane + 1]];
        if !run.is_empty() {
            state.runs(lane, Slab::row(run), 0)?;
        }
    }
    Ok(state)
}
