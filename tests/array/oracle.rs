//! The oracle: computes an array on every executor and with every rule and pass left out, and checks the promise of each block
//! (shape and type) before the values.

use std::sync::LazyLock;

use ndarray::ArrayD;
use talatat::array::kernels::{Block, Scalar};
use talatat::array::{Array, C64, C128, Element, RULES, f16};
use talatat::graph::PASSES;
use talatat::{Collection, ExecutorChoice, Result, Session};

use crate::common::{builder, cluster_session, is_elsewhere};

/// A session with the words that say what is special about it.
pub struct Named {
    pub name: String,
    pub session: Session,
}

fn session(choice: ExecutorChoice, skip: Option<&str>) -> Named {
    let builder = builder().executor(choice).threads(2);
    let builder = skip.into_iter().fold(builder, |builder, name| builder.skip(name));
    let name = format!("{choice:?}{}", skip.map(|name| format!(" without {name}")).unwrap_or_default());
    Named { name, session: builder.build().expect("a session") }
}

/// A session that rewrites nothing.
fn as_written() -> Named {
    let builder = builder().executor(ExecutorChoice::Synchronous);
    let builder = RULES.iter().fold(builder, |builder, rule| builder.skip(rule.name));
    Named { name: "no rewrites".into(), session: builder.build().expect("a session") }
}

/// Every executor with all rewrites and with each rule and each pass left out. On a cluster, that and the plainest one beside it.
pub static SESSIONS: LazyLock<Vec<Named>> = LazyLock::new(|| {
    if let Some(cluster) = cluster_session() {
        let plain = session(ExecutorChoice::Synchronous, None);
        return vec![plain, Named { name: "cluster".into(), session: cluster }];
    }
    let executors = [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize];
    let rules = RULES.iter().map(|rule| rule.name);
    let passes = PASSES.iter().map(|pass| pass.name).chain(["order"]);
    let skips: Vec<Option<&str>> = [None].into_iter().chain(rules.chain(passes).map(Some)).collect();
    let sessions = executors.into_iter().flat_map(|choice| skips.iter().map(move |skip| session(choice, *skip)));
    sessions.chain([as_written()]).collect()
});

/// Runs an array, checks every block's shape and type against what the handle promised, and gathers.
pub fn run<T: Element>(array: &Array<T>, session: &Session) -> Result<ArrayD<T>> {
    let blocks = session.run(session.plan(array)?)?;
    assert_eq!(blocks.len(), array.npartitions(), "blocks of {array}");
    let counts = array.numblocks();
    let chunks = array.chunks();
    for (number, value) in blocks.iter().enumerate() {
        let block = value.get::<Block>().unwrap_or_else(|error| panic!("block {number} of {array}: {error}"));
        assert_eq!(block.dtype(), T::DTYPE, "type of block {number} of {array}");
        assert_eq!(block.ndim(), counts.len(), "axes of block {number} of {array}");
        let mut rest = number;
        for axis in (0..counts.len()).rev() {
            let at = rest % counts[axis];
            rest /= counts[axis];
            if let Some(lengths) = &chunks[axis] {
                assert_eq!(block.shape()[axis], lengths[at], "axis {axis} of block {number} of {array}");
            }
        }
    }
    array.gather(blocks)
}

/// The bits of an element; all NaN are one.
pub fn bits<T: Element>(value: T) -> Scalar {
    match value.into() {
        Scalar::F32(x) if x.is_nan() => Scalar::F32(f32::NAN),
        Scalar::F64(x) if x.is_nan() => Scalar::F64(f64::NAN),
        Scalar::F16(x) if x.is_nan() => Scalar::F16(f16::NAN),
        Scalar::C64(x) => Scalar::C64(C64::new(one_nan(x.re, f32::NAN), one_nan(x.im, f32::NAN))),
        Scalar::C128(x) => Scalar::C128(C128::new(one_nan(x.re, f64::NAN), one_nan(x.im, f64::NAN))),
        other => other,
    }
}

// Only NaN differs from itself.
#[allow(clippy::eq_op)]
fn one_nan<P: PartialEq + Copy>(x: P, nan: P) -> P {
    if x == x { x } else { nan }
}

pub fn all_bits<T: Element>(array: &ArrayD<T>) -> Vec<Scalar> {
    array.iter().map(|&value| bits(value)).collect()
}

/// Computes in every session; all must give the same bits, which are returned.
#[track_caller]
pub fn everywhere<T: Element>(array: &Array<T>) -> ArrayD<T> {
    let mut first: Option<(ArrayD<T>, &str)> = None;
    for Named { name, session } in SESSIONS.iter() {
        let found = run(array, session).unwrap_or_else(|error| panic!("{name}: {error}\n{array}"));
        match &first {
            None => first = Some((found, name)),
            Some((first, other)) => {
                assert_eq!(first.shape(), found.shape(), "{other} and {name}: {array}");
                assert_eq!(all_bits(first), all_bits(&found), "{other} and {name}: {array}");
            }
        }
    }
    first.expect("there are sessions").0
}

/// Computes everywhere and compares with what is expected, bit by bit (-0.0 and 0.0 are equal, NaN equals NaN).
#[track_caller]
pub fn check<T: Element>(array: &Array<T>, expected: ArrayD<T>) {
    let found = everywhere(array);
    assert_eq!(found.shape(), expected.shape(), "{array}");
    assert_eq!(array.shape().expect("a known shape"), expected.shape());
    for ((index, found), expected) in found.indexed_iter().zip(&expected) {
        let same = found == expected || bits(*found) == bits(*expected);
        assert!(same, "{found} where {expected} is right, at {index:?} of {array}");
    }
}

/// Computes a function of the user's, which cannot be serialized, with each rewrite and pass left out.
#[track_caller]
pub fn check_local<T: Element>(array: &Array<T>, expected: &ArrayD<T>) {
    let local = |named: &&Named| !named.name.starts_with("Serialize") && !is_elsewhere(&named.session);
    for named in SESSIONS.iter().filter(local) {
        let found = run(array, &named.session).unwrap_or_else(|error| panic!("{}: {error}\n{array}", named.name));
        assert_eq!(&found, expected, "{}", named.name);
    }
}
