//! Permutations by index: where an index goes is computed from the seed, the length and the index alone, so that a permutation of any
//! length takes no memory.
//!
//! A Feistel network of keyed rounds permutes the numbers of an even number of bits; those that come out too large are sent through again
//! until they fit (cycle walking: Black & Rogaway, *Ciphers with arbitrary finite domains*, 2002), at most four times on average.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The numbers below a length in random order, every order equally likely (Durstenfeld, *Algorithm 235: random permutation*, 1964).
///
/// ```
/// use talatat_kernels::program::shuffled;
/// let mut order = shuffled(100, 7);
/// assert_ne!(order, shuffled(100, 8));
/// order.sort();
/// assert!(order.into_iter().eq(0..100));
/// ```
pub fn shuffled(length: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}

/// Rounds of the network: more than the four that make it hard to tell from chance.
const ROUNDS: u64 = 8;

/// A permutation of the numbers below a length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permutation {
    seed: u64,
    length: u64,
    half: u32,
}

impl Permutation {
    pub(super) fn new(seed: u64, length: u64) -> Permutation {
        let bits = u64::BITS - length.saturating_sub(1).leading_zeros();
        Permutation { seed, length, half: bits.div_ceil(2).max(1) }
    }

    /// Where a number goes. Those that are not below the length stay.
    pub(super) fn at(self, index: u64) -> u64 {
        if index >= self.length {
            return index;
        }
        let mut index = index;
        loop {
            index = self.encipher(index);
            if index < self.length {
                return index;
            }
        }
    }

    fn encipher(self, index: u64) -> u64 {
        let mask = u64::MAX >> (u64::BITS - self.half);
        let (mut left, mut right) = (index >> self.half, index & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mix(self.seed ^ mix(right ^ round << 56)) & mask));
        }
        left << self.half | right
    }
}

/// The finalizer of SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, 2014).
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_comes_once() {
        for length in [0, 1, 2, 3, 5, 16, 17, 1000, 4096, 4097] {
            for seed in [0, 1, u64::MAX] {
                let permutation = Permutation::new(seed, length);
                let mut all: Vec<u64> = (0..length).map(|index| permutation.at(index)).collect();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..length), "{length}");
            }
        }
        let largest = Permutation::new(7, i64::MAX as u64);
        assert!(largest.at(12345) < i64::MAX as u64);
        assert_ne!(largest.at(12345), largest.at(12346));
    }

    #[test]
    fn numbers_go_anywhere() {
        // Of 4096 numbers each sixteenth of the places gets its share of each sixteenth of the numbers: 16 of them, give or take five times 4.
        let permutation = Permutation::new(3, 4096);
        let mut counts = [[0_i64; 16]; 16];
        for index in 0..4096 {
            counts[(index / 256) as usize][(permutation.at(index) / 256) as usize] += 1;
        }
        assert!(counts.iter().flatten().all(|count| (count - 16).abs() < 20), "{counts:?}");
        let fixed = (0..4096).filter(|&index| permutation.at(index) == index).count();
        assert!(fixed < 8, "{fixed}");
        let other = Permutation::new(4, 4096);
        assert!((0..4096).filter(|&index| permutation.at(index) == other.at(index)).count() < 12);
    }
}
