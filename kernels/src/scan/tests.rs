//! Running sums in blocks, against those of the whole.

use proptest::prelude::*;

use super::*;

fn bits(block: &Block) -> Vec<u64> {
    block.view::<f64>().unwrap().iter().map(|x| x.to_bits()).collect()
}

/// A row through all three steps, in blocks.
fn in_blocks(op: ScanOp, x: &[f64], cuts: &[usize], inner: usize) -> Vec<u64> {
    let rows = x.len() / inner;
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (rows + 1)).chain([0, rows]).collect();
    bounds.sort_unstable();
    let (mut state, mut all) = (None::<Block>, Vec::new());
    for pair in bounds.windows(2) {
        let part = &x[pair[0] * inner..pair[1] * inner];
        let block = Block::from_vec(&[pair[1] - pair[0], inner], part.to_vec()).unwrap();
        let carried = (!op.is_chained(DType::F64)).then(|| {
            let totals = totals(op, &block, 0, pair[0]).unwrap();
            carry(op, state.as_ref(), &totals, &block, 0, pair[0]).unwrap()
        });
        let [found, next] = scan(op, Arg::Dying(block), state.as_ref(), 0, pair[0]).unwrap();
        // Both ways hand on the same.
        if let Some(carried) = carried {
            assert_eq!(bits(&carried), bits(&next));
        }
        state = Some(next);
        all.extend(bits(&found));
    }
    all
}

proptest! {
    #[test]
    fn blocks_do_not_matter(
        length in 0_usize..3000,
        cuts in prop::collection::vec(0_usize..3000, 0..6),
        inner in prop::sample::select(vec![1_usize, 2, 3]),
        op in prop::sample::select(vec![ScanOp::Sum, ScanOp::Prod]),
    ) {
        let value = |at: usize| ((at * 7919) % 1013) as f64 * 0.37e-3 * 10f64.powi((at % 5) as i32) - 1.0;
        let x: Vec<f64> = (0..length * inner).map(value).collect();
        let whole = in_blocks(op, &x, &[], inner);
        prop_assert_eq!(&in_blocks(op, &x, &cuts, inner), &whole);
        // One element after the other, in twice the precision.
        for column in 0..inner {
            let (mut hi, mut lo, mut size) = (0.0_f64, 0.0_f64, 0.0_f64);
            for row in 0..length {
                let at = row * inner + column;
                if op == ScanOp::Prod {
                    break;
                }
                (hi, lo) = <Sums as Rule<f64>>::close(hi, lo, x[at]);
                size += x[at].abs();
                let bound = (SEGMENT as f64) * f64::EPSILON * size;
                prop_assert!((f64::from_bits(whole[at]) - hi).abs() <= bound);
            }
        }
    }
}

#[test]
fn infinities_zeros_and_the_first_elements() {
    let mut x = vec![-0.0; 400];
    let sums = in_blocks(ScanOp::Sum, &x, &[100], 1);
    assert!(sums.iter().all(|&bits| bits == (-0.0_f64).to_bits()));
    x[200] = f64::INFINITY;
    let sums = in_blocks(ScanOp::Sum, &x, &[7, 250], 1);
    assert!(sums[200..].iter().all(|&bits| f64::from_bits(bits) == f64::INFINITY));
    x[300] = f64::NEG_INFINITY;
    let sums = in_blocks(ScanOp::Sum, &x, &[7, 250], 1);
    assert!(f64::from_bits(sums[299]) == f64::INFINITY && sums[300..].iter().all(|&b| f64::from_bits(b).is_nan()));
}
