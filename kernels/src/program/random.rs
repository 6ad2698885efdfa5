//! Random numbers by index: element `i` of a sequence is computed from the seed and `i` alone, so
//! neither chunks nor threads change it.
//!
//! The generator is ChaCha with 8 rounds (Bernstein, *ChaCha, a variant of Salsa20*, 2008), which
//! can be set to any place. Element `i` owns the 64-bit word `i` of the stream; where a number takes more words, now and then or
//! always, element `i` owns the stream `i + 1` of the seed.

mod family;
mod permutation;

pub use family::Family;
pub use permutation::shuffled;

use self::permutation::Permutation;
use rand::SeedableRng;
use rand::rand_core::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::super::error::{KernelError, Result};
use super::super::lane::{Lane, Slice, SliceMut};
use super::super::scalar::Scalar;
use super::super::{loops, math};
use crate::dtype::DType;

/// A distribution of random numbers.
///
/// Equality and hash are those of the bits of the parameters.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Distribution {
    /// `float64` from `low` (included) to `high` (excluded, but for rounding).
    Uniform {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// `float64` of the normal distribution.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation; not negative.
        deviation: f64,
    },
    /// `int64` from `low` (included) to `high` (excluded).
    Integers {
        /// The lower bound.
        low: i64,
        /// The upper bound; more than `low`.
        high: i64,
    },
    /// One of a table of distributions.
    Family {
        /// Which one.
        family: Family,
        /// Its parameters; those that it does not take are 0.
        parameters: [f64; 3],
    },
    /// `int64`: where index `i` goes in a permutation of the numbers below `length`.
    Permutation {
        /// How many numbers there are.
        length: u64,
    },
}

impl Distribution {
    /// The type of its numbers.
    pub fn dtype(self) -> DType {
        match self {
            Distribution::Uniform { .. } | Distribution::Normal { .. } => DType::F64,
            Distribution::Integers { .. } | Distribution::Permutation { .. } => DType::I64,
            Distribution::Family { family, .. } => family.dtype(),
        }
    }

    /// Whether the parameters make sense.
    ///
    /// # Errors
    /// [`KernelError::Parameter`].
    pub fn check(self) -> Result<()> {
        let fail = |operation, reason: String| Err(KernelError::Parameter { operation, reason });
        match self {
            Distribution::Uniform { low, high } if low > high || !(high - low).is_finite() => fail(
                "uniform",
                format!("the bounds {low} and {high} must be finite, the lower one first, and so must their distance"),
            ),
            Distribution::Normal { mean, deviation }
                if !(mean.is_finite() && (0.0..f64::INFINITY).contains(&deviation)) =>
            {
                fail("normal", format!("mean {mean} must be finite, deviation {deviation} finite and not negative"))
            }
            Distribution::Integers { low, high } if low >= high => {
                fail("integers", format!("the range {low}..{high} is empty; high must be more than low"))
            }
            Distribution::Family { family, parameters } if family.sampler(parameters).is_none() => {
                fail(family.name(), format!("the parameters {parameters:?} must be {}", family.wanted()))
            }
            Distribution::Permutation { length } if i64::try_from(length).is_err() => {
                fail("permutation", format!("a length of {length} is more than indices can count"))
            }
            _ => Ok(()),
        }
    }

    fn key(self) -> ([Scalar; 3], u8) {
        let none = Scalar::from(false);
        match self {
            Distribution::Uniform { low, high } => ([low.into(), high.into(), none], 0),
            Distribution::Normal { mean, deviation } => ([mean.into(), deviation.into(), none], 1),
            Distribution::Integers { low, high } => ([low.into(), high.into(), none], 2),
            Distribution::Permutation { length } => ([length.into(), none, none], 3),
            Distribution::Family { family, parameters } => (parameters.map(Scalar::from), 4 + family as u8),
        }
    }
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Distribution {}

impl std::hash::Hash for Distribution {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Words made at a time; even, so that pairs stay together.
const BATCH: usize = 256;

/// Fills `out` with the numbers at the places in `index`.
pub(super) fn run_random(distribution: Distribution, seed: u64, index: Slice<'_>, out: &mut SliceMut<'_>) {
    let Some(index) = i64::slice(&index) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut words = [0_u64; BATCH];
    match distribution {
        Distribution::Family { family, parameters } => run_family(family, parameters, rng, index, out),
        Distribution::Permutation { length } => {
            let permutation = Permutation::new(seed, length);
            if let Some(out) = i64::slice_mut(out) {
                loops::map1(index, out, |place| permutation.at(place as u64) as i64);
            }
        }
        Distribution::Uniform { low, high } => {
            let Some(out) = f64::slice_mut(out) else {
                return;
            };
            for_each_run(index, BATCH, |start, at| {
                let (words, out) = (&mut words[..at.len()], &mut out[at]);
                fill(&mut rng, start, words);
                loops::map1(words, out, |word| low + (high - low) * unit(word));
            });
        }
        Distribution::Integers { low, high } => {
            let Some(out) = i64::slice_mut(out) else {
                return;
            };
            let width = high.wrapping_sub(low) as u64;
            for_each_run(index, BATCH, |start, at| {
                let (words, out) = (&mut words[..at.len()], &mut out[at]);
                fill(&mut rng, start, words);
                // The high word of the product; the bias is at most width / 2^64.
                loops::map1(words, out, |word| low.wrapping_add(((u128::from(word) * u128::from(width)) >> 64) as i64));
            });
        }
        Distribution::Normal { mean, deviation } => {
            let Some(out) = f64::slice_mut(out) else {
                return;
            };
            // Whole pairs around the run: at most two words more.
            for_each_run(index, BATCH - 2, |start, at| {
                let skip = (start & 1) as usize;
                let pairs = (skip + at.len()).div_ceil(2);
                let words = &mut words[..2 * pairs];
                fill(&mut rng, start & !1, words);
                let mut normal = [0.0; BATCH];
                box_muller(words, &mut normal);
                let normal = &normal[skip..skip + at.len()];
                loops::map1(normal, &mut out[at], |x| mean + deviation * x);
            });
        }
    }
}

/// Numbers of a stream of each element's own.
fn run_family(family: Family, parameters: [f64; 3], mut rng: ChaCha8Rng, index: &[i64], out: &mut SliceMut<'_>) {
    let Some(sample) = family.sampler(parameters) else {
        return;
    };
    let mut draw = |place: &i64| {
        rng.set_stream((*place as u64).wrapping_add(1));
        rng.set_word_pos(0);
        sample(&mut rng)
    };
    if let Some(out) = f64::slice_mut(out) {
        out.iter_mut().zip(index).for_each(|(out, place)| *out = draw(place));
    } else if let Some(out) = i64::slice_mut(out) {
        out.iter_mut().zip(index).for_each(|(out, place)| *out = draw(place) as i64);
    }
}

/// Splits the places into runs of consecutive ones, of at most `longest`.
fn for_each_run(index: &[i64], longest: usize, mut f: impl FnMut(u64, std::ops::Range<usize>)) {
    let mut start = 0;
    while let Some(&first) = index.get(start) {
        let length = index[start..]
            .iter()
            .take(longest)
            .enumerate()
            .take_while(|&(i, &place)| place == first.wrapping_add(i as i64))
            .count();
        f(first as u64, start..start + length);
        start += length;
    }
}

/// The words of the stream from place `start` on.
fn fill(rng: &mut ChaCha8Rng, start: u64, words: &mut [u64]) {
    rng.set_word_pos(u128::from(start) * 2);
    let mut bytes = [0; 8 * BATCH];
    let bytes = &mut bytes[..8 * words.len()];
    rng.fill_bytes(bytes);
    for (word, &bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(bytes);
    }
}

/// A word as a number from 0 (included) to 1 (excluded), by its 53 highest bits.
#[inline(always)]
fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Standard normal numbers from pairs of words (Box & Muller, 1958): word `2j` gives the radius,
/// word `2j + 1` the angle, of elements `2j` and `2j + 1`.
fn box_muller(words: &[u64], out: &mut [f64; BATCH]) {
    const HALF: usize = BATCH / 2;
    let pairs = words.as_chunks::<2>().0;
    let count = pairs.len();
    let (mut radius, mut angle, mut scratch) = ([0.0; HALF], [0.0; HALF], [0.0; HALF]);
    for ((radius, angle), &[first, second]) in radius.iter_mut().zip(&mut angle).zip(pairs) {
        // From 0 (excluded) to 1 (included), so that the logarithm is finite.
        *radius = 1.0 - unit(first);
        *angle = std::f64::consts::TAU * unit(second);
    }
    math::log(&radius[..count], &mut scratch[..count]);
    loops::map1(&scratch[..count], &mut radius[..count], |log| (-2.0 * log).sqrt());
    for (odd, function) in [math::cos::<f64>, math::sin::<f64>].into_iter().enumerate() {
        function(&angle[..count], &mut scratch[..count]);
        for ((pair, radius), part) in out.as_chunks_mut::<2>().0.iter_mut().zip(&radius[..count]).zip(&scratch) {
            pair[odd] = radius * part;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn floats(distribution: Distribution, index: &[i64]) -> Vec<f64> {
        let mut out = vec![0.0; index.len()];
        run_random(distribution, 42, Slice::I64(index), &mut SliceMut::F64(&mut out));
        out
    }

    fn integers(low: i64, high: i64, count: i64) -> Vec<i64> {
        let index: Vec<i64> = (0..count).collect();
        let mut out = vec![0; index.len()];
        run_random(Distribution::Integers { low, high }, 7, Slice::I64(&index), &mut SliceMut::I64(&mut out));
        out
    }

    const NORMAL: Distribution = Distribution::Normal { mean: 2.0, deviation: 3.0 };
    const UNIFORM: Distribution = Distribution::Uniform { low: -1.0, high: 3.0 };

    proptest! {
        #[test]
        fn an_element_depends_on_its_place_alone(places in prop::collection::vec(0_i64..600, 0..50)) {
            let all: Vec<i64> = (0..600).collect();
            for distribution in [NORMAL, UNIFORM] {
                let expected = floats(distribution, &all);
                for (place, x) in places.iter().zip(floats(distribution, &places)) {
                    prop_assert_eq!(x.to_bits(), expected[*place as usize].to_bits());
                }
                let (from, to) = (places.len() / 3, 600 - places.len());
                prop_assert_eq!(&floats(distribution, &all[from..to])[..], &expected[from..to]);
            }
        }
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let index: Vec<i64> = (1_000_000..1_200_000).collect();
        let moments = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            (mean, (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt())
        };
        // Five standard errors of 200,000 draws.
        let (mean, deviation) = moments(&floats(NORMAL, &index));
        assert!((mean - 2.0).abs() < 0.034 && (deviation - 3.0).abs() < 0.024, "{mean} {deviation}");
        let (mean, deviation) = moments(&floats(UNIFORM, &index));
        assert!((mean - 1.0).abs() < 0.013 && (deviation - 16_f64.sqrt() / 12_f64.sqrt()).abs() < 0.01);
        assert!(floats(UNIFORM, &index).iter().all(|x| (-1.0..3.0).contains(x)));
    }

    #[test]
    fn normal_pairs_are_not_correlated() {
        let index: Vec<i64> = (0..200_000).collect();
        let x = floats(Distribution::Normal { mean: 0.0, deviation: 1.0 }, &index);
        let product = x.as_chunks::<2>().0.iter().map(|[a, b]| a * b).sum::<f64>() / 100_000.0;
        assert!(product.abs() < 0.016, "{product}");
    }

    #[test]
    fn integers_cover_their_range() {
        let x = integers(-3, 4, 10_000);
        for value in -3..4 {
            let count = x.iter().filter(|&&x| x == value).count();
            assert!((1250..1610).contains(&count), "{value}: {count}");
        }
        assert!(x.iter().all(|x| (-3..4).contains(x)));
        assert!(integers(i64::MIN, i64::MAX, 100).iter().any(|x| *x < 0));
    }

    #[test]
    fn extreme_places_do_not_fail() {
        let places = [i64::MAX, i64::MIN, -1, 0, -2, -1, 0, 1];
        let x = floats(NORMAL, &places);
        assert_eq!(x[2].to_bits(), x[5].to_bits());
        assert_eq!(x[3].to_bits(), x[6].to_bits());
        assert!(x.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn bad_parameters_are_errors() {
        for bad in [
            Distribution::Uniform { low: 0.0, high: f64::NAN },
            Distribution::Uniform { low: f64::MIN, high: f64::MAX },
            Distribution::Normal { mean: 0.0, deviation: -1.0 },
            Distribution::Normal { mean: f64::INFINITY, deviation: 1.0 },
            Distribution::Integers { low: 3, high: 3 },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        assert!(NORMAL.check().is_ok());
    }
}
