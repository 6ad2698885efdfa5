//! Reductions against slow references, and against themselves under other cuts.

use proptest::prelude::*;

use super::reference::Exact;
use super::*;

/// Floats of all kinds: everyday ones, wild exponents, cancelling pairs, the edges of the range.
fn tame() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0f64,
        2 => (-1.0..1.0f64, -300..300i32).prop_map(|(x, e)| x * 10f64.powi(e)),
        2 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, 1e16, -1e16, 1e300, -1e300, 5e-324, -5e-324, 2.5e-310, 1.0 + f64::EPSILON,
            f64::MIN_POSITIVE, f64::MAX, -f64::MAX, 1e200, 1e-200, 0.1,
        ]),
        1 => any::<f64>().prop_filter("finite", |x| x.is_finite()),
    ]
}

/// Floats whose exponents span two or three planes.
fn narrow() -> impl Strategy<Value = f64> {
    (-1.0..1.0f64, -20..0i32).prop_map(|(x, e)| x * 2f64.powi(e))
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => tame(),
        1 => prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

/// Lengths on both sides of the loops' widths.
fn rows<S: Strategy>(element: impl Fn() -> S) -> impl Strategy<Value = Vec<S::Value>>
where
    S::Value: Clone,
{
    prop_oneof![
        6 => prop::collection::vec(element(), 1..80),
        1 => prop::collection::vec(element(), 1000..1100),
        // Longer than a segment, from few random values.
        1 => (prop::collection::vec(element(), 5..20), 2100..2300usize)
            .prop_map(|(values, n)| values.iter().cloned().cycle().take(n).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_means_are_correctly_rounded(values in rows(tame)) {
        Exact::sum(&values).assert_f64(f64_of(ReduceOp::Sum, &values));
        Exact::mean(&values).assert_f64(f64_of(ReduceOp::Mean, &values));
    }

    #[test]
    fn narrow_rows_are_correctly_rounded_too(values in rows(narrow)) {
        Exact::sum(&values).assert_f64(f64_of(ReduceOp::Sum, &values));
        Exact::variance(&values, 0).assert_f64(f64_of(ReduceOp::Var { ddof: 0 }, &values));
    }

    #[test]
    fn sums_that_cancel_are_correctly_rounded(values in rows(tame), rest in tame(), turn in any::<usize>()) {
        let mut all: Vec<f64> = values.iter().copied().chain(values.iter().map(|x| -x)).chain([rest]).collect();
        let n = all.len();
        all.rotate_left(turn % n);
        prop_assert_eq!(f64_of(ReduceOp::Sum, &all), rest);
    }

    #[test]
    fn float32_is_rounded_once(values in rows(any::<f32>)) {
        let values: Vec<f32> = values.into_iter().filter(|x| x.is_finite()).chain([1.0]).collect();
        let wide: Vec<f64> = values.iter().map(|&x| x.into()).collect();
        match (whole(ReduceOp::Sum, &values), whole(ReduceOp::Mean, &values)) {
            (Ok(LaneValues::F32(sum)), Ok(LaneValues::F32(mean))) => {
                Exact::sum(&wide).assert_f32(sum[0]);
                Exact::mean(&wide).assert_f32(mean[0]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn variances_are_correctly_rounded(values in rows(tame), ddof in 0..2usize) {
        prop_assume!(values.len() > ddof);
        let variance = f64_of(ReduceOp::Var { ddof: ddof as u32 }, &values);
        Exact::variance(&values, ddof).assert_f64(variance);
        prop_assert_eq!(f64_of(ReduceOp::Std { ddof: ddof as u32 }, &values), variance.sqrt());
    }

    #[test]
    fn variance_survives_a_large_mean(shift in prop::sample::select(vec![1e8, 1e15, -3e200]), steps in prop::collection::vec(-50..50i32, 2..50)) {
        let values: Vec<f64> = steps.iter().map(|&k| shift * (1.0 + f64::from(k) * f64::EPSILON)).collect();
        Exact::variance(&values, 0).assert_f64(f64_of(ReduceOp::Var { ddof: 0 }, &values));
    }

    /// Any cut, any order of the parts, any tree of merges, either pattern, through encoding or not.
    #[test]
    fn the_cut_does_not_matter(
        values in rows(any_float),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<bool>()), 0..12),
        pairs in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 12),
        single in any::<bool>(),
    ) {
        for op in ALL {
            if op.is_ordered(DType::F64) {
                continue;
            }
            if single {
                let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
                check_cut(op, &values, &cuts, &pairs);
            } else {
                check_cut(op, &values, &cuts, &pairs);
            }
        }
    }

    #[test]
    fn lanes_are_independent(
        columns in 1..5usize,
        values in prop_oneof![prop::collection::vec(any_float(), 1..60), prop::collection::vec(narrow(), 1..60)],
        many in prop::bool::weighted(0.03),
    ) {
        // Columns of one row-major block, reduced row by row and, transposed, lane by lane.
        let columns = if many { columns + 1022 } else { columns };
        let rows = if many { 3 } else { values.len().div_ceil(columns) };
        let at = |i: usize, j: usize| values[(i * columns + j) * 7 % values.len()];
        for op in ALL {
            let mut by_row = Accumulator::new(op, DType::F64, columns)?;
            let mut by_lane = Accumulator::new(op, DType::F64, columns)?;
            for i in 0..rows {
                let row: Vec<f64> = (0..columns).map(|j| at(i, j)).collect();
                by_row.columns(0, Slab::row(&row), i as u64, 1)?;
            }
            for j in 0..columns {
                let column: Vec<f64> = (0..rows).map(|i| at(i, j)).collect();
                by_lane.runs(j, Slab::row(&column), 0)?;
            }
            let (a, b) = (by_row.finish(), by_lane.finish());
            prop_assert!(same(&a, &b), "{op}: {a:?} {b:?}");
        }
    }

    #[test]
    fn integers_wrap(values in prop::collection::vec(any::<i64>(), 1..100)) {
        let sum = values.iter().fold(0i64, |a, &b| a.wrapping_add(b));
        let product = values.iter().fold(1i64, |a, &b| a.wrapping_mul(b));
        prop_assert_eq!(whole(ReduceOp::Sum, &values), Ok(LaneValues::I64(vec![sum])));
        prop_assert_eq!(whole(ReduceOp::Prod, &values), Ok(LaneValues::I64(vec![product])));
        let narrow: Vec<i8> = values.iter().map(|&x| x as i8).collect();
        let sum = narrow.iter().map(|&x| i64::from(x)).sum();
        prop_assert_eq!(whole(ReduceOp::Sum, &narrow), Ok(LaneValues::I64(vec![sum])));
        let floats: Vec<f64> = narrow.iter().map(|&x| x.into()).collect();
        let op = ReduceOp::Var { ddof: 0 };
        prop_assert!(same(&whole(op, &narrow), &whole(op, &floats)));
        let floats: Vec<f64> = values.iter().map(|&x| x as f64).collect();
        let op = ReduceOp::Std { ddof: 1 };
        prop_assert!(same(&whole(op, &values), &whole(op, &floats)));
        let max = narrow.iter().copied().max().unwrap();
        prop_assert_eq!(whole(ReduceOp::Max, &narrow), Ok(LaneValues::I8(vec![max])));
        let first = narrow.iter().position(|&x| x == max).unwrap();
        prop_assert_eq!(whole(ReduceOp::ArgMax, &narrow), Ok(LaneValues::I64(vec![first as i64])));
    }

    #[test]
    fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(state) = Accumulator::decode(&bytes) {
            let _ = state.finish();
        }
    }

    #[test]
    fn damaged_states_do_not_panic(
        op in prop::sample::select(ALL.to_vec()),
        values in prop::collection::vec(any_float(), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        lanes in 1..4usize,
    ) {
        let mut state = Accumulator::new(op, DType::F64, lanes)?;
        state.runs(0, Slab::row(&values), 0)?;
        let mut bytes = Vec::new();
        state.encode(&mut bytes)?;
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(mut damaged) = Accumulator::decode(&bytes) {
            let _ = damaged.merge(&state);
            let _ = state.merge(&damaged);
            if damaged.input_dtype() == DType::F64 && damaged.lanes() > 0 {
                for j in 0..3 {
                    damaged.runs(0, Slab::row(&values), j)?;
                }
                let again = damaged.clone();
                let _ = damaged.merge(&again);
            }
            if damaged.lanes() < 1 << 20 {
                let _ = damaged.finish();
            }
            let _ = state.finish();
        }
    }
}

fn check_cut<T: Reducible>(
    op: ReduceOp,
    values: &[T],
    cuts: &[(prop::sample::Index, bool, bool)],
    pairs: &[(prop::sample::Index, prop::sample::Index)],
) {
    let expected = whole(op, values);
    let mut bounds: Vec<(usize, bool, bool)> =
        cuts.iter().map(|(at, one_by_one, coded)| (at.index(values.len()), *one_by_one, *coded)).collect();
    bounds.push((0, false, true));
    bounds.sort_unstable();
    let mut parts = Vec::new();
    for (k, &(start, one_by_one, coded)) in bounds.iter().enumerate() {
        let end = bounds.get(k + 1).map_or(values.len(), |next| next.0);
        let mut part = Accumulator::new(op, T::KIND, 1).unwrap();
        if one_by_one {
            for (j, x) in (start..).zip(&values[start..end]) {
                part.columns(0, Slab::row(std::slice::from_ref(x)), j as u64, 1).unwrap();
            }
        } else {
            part.runs(0, Slab::row(&values[start..end]), start as u64).unwrap();
        }
        if coded {
            let mut bytes = vec![7];
            part.encode(&mut bytes).unwrap();
            part = Accumulator::decode(&bytes[1..]).unwrap();
        }
        parts.push(part);
    }
    let mut pairs = pairs.iter().cycle();
    while parts.len() > 1 {
        let (a, b) = pairs.next().unwrap();
        let taken = parts.swap_remove(a.index(parts.len()));
        let into = b.index(parts.len());
        parts[into].merge(&taken).unwrap();
    }
    let found = parts.remove(0).finish();
    assert!(same(&expected, &found), "{op}: {expected:?} {found:?}");
}
