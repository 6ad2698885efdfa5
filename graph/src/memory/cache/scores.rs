//! What is worth its bytes: a pure state machine. Entries come, are used, and are dropped by score.
//!
//! The score is Cherkasova's "greedy dual size frequency" (1998): the cost of a byte times the number of uses, on top of a clock. The clock
//! is the score of what was dropped last, so what is used no more is overtaken by what is new, without any look at the time.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::key::Key;

/// Which entries stay within a number of bytes.
#[derive(Debug)]
pub(super) struct Scores {
    most: u64,
    bytes: u64,
    clock: f64,
    entries: HashMap<Key, Entry>,
    /// The entries by score, the lowest first.
    order: BTreeSet<(Score, Key)>,
}

/// A number that is not negative, in an order.
type Score = u64;

#[derive(Clone, Copy, Debug)]
struct Entry {
    bytes: u64,
    /// Cost a byte.
    worth: f64,
    uses: u32,
    score: Score,
}

impl Entry {
    fn scored(self, clock: f64) -> Entry {
        let score = clock + self.worth * f64::from(self.uses);
        // Bits of numbers that are not negative are in the order of the numbers.
        Entry { score: score.clamp(0.0, f64::MAX).to_bits(), ..self }
    }
}

impl Scores {
    /// No entries yet, of which at most so many bytes will stay.
    pub(super) fn new(most: u64) -> Scores {
        Scores { most, bytes: 0, clock: 0.0, entries: HashMap::new(), order: BTreeSet::new() }
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether an entry of these bytes and this cost would stay if it came now.
    pub(super) fn would_keep(&self, key: Key, cost: f64, bytes: u64) -> bool {
        self.entries.contains_key(&key) || self.place(cost, bytes).is_some()
    }

    /// The new entry, and how many of the lowest entries make room for it; `None` if one of them has a higher score.
    fn place(&self, cost: f64, bytes: u64) -> Option<(Entry, usize)> {
        let worth = cost / bytes.max(1) as f64;
        if bytes > self.most || !worth.is_finite() {
            return None;
        }
        let entry = Entry { bytes, worth: worth.max(0.0), uses: 1, score: 0 }.scored(self.clock);
        let (mut lacking, mut leaving) = ((self.bytes + bytes).saturating_sub(self.most), 0);
        let mut lowest = self.order.iter();
        while lacking > 0 {
            let (score, key) = lowest.next()?;
            if *score >= entry.score {
                return None;
            }
            lacking = lacking.saturating_sub(self.entries.get(key).map_or(0, |entry| entry.bytes));
            leaving += 1;
        }
        Some((entry, leaving))
    }

    /// An entry comes. Says whether it stays, and which ones leave for it; one that is there already counts as used.
    pub(super) fn put(&mut self, key: Key, cost: f64, bytes: u64) -> (bool, Vec<Key>) {
        if self.entries.contains_key(&key) {
            self.used(key);
            return (true, Vec::new());
        }
        let Some((entry, leaving)) = self.place(cost, bytes) else { return (false, Vec::new()) };
        let dropped = (0..leaving).filter_map(|_| self.drop_lowest()).collect();
        self.bytes += bytes;
        self.entries.insert(key, entry);
        self.order.insert((entry.score, key));
        (true, dropped)
    }

    /// An entry was used.
    pub(super) fn used(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        self.order.remove(&(entry.score, key));
        *entry = Entry { uses: entry.uses.saturating_add(1), ..*entry }.scored(self.clock);
        self.order.insert((entry.score, key));
    }

    /// Drops the lowest entries until no more than so many bytes are left.
    pub(super) fn shrink(&mut self, most: u64) -> Vec<Key> {
        let mut dropped = Vec::new();
        while self.bytes > most {
            match self.drop_lowest() {
                Some(key) => dropped.push(key),
                None => break,
            }
        }
        dropped
    }

    fn drop_lowest(&mut self) -> Option<Key> {
        let (score, key) = self.order.pop_first()?;
        let entry = self.entries.remove(&key)?;
        self.bytes -= entry.bytes;
        self.clock = self.clock.max(f64::from_bits(score));
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u64) -> Key {
        Key::of("entry", &[]).block(number)
    }

    #[test]
    fn what_costs_more_a_byte_stays() {
        let mut scores = Scores::new(100);
        assert!(scores.put(key(1), 100.0, 60).0);
        assert!(!scores.put(key(2), 60.0, 60).0, "worth less than what it would drive out");
        assert_eq!(scores.put(key(3), 200.0, 60), (true, vec![key(1)]));
        assert!(!scores.put(key(4), 1e9, 101).0, "larger than all there is");
        assert_eq!((scores.bytes(), scores.len()), (60, 1));
    }

    #[test]
    fn what_is_used_stays_and_what_was_used_once_grows_old() {
        let mut scores = Scores::new(2);
        scores.put(key(1), 10.0, 1);
        scores.put(key(2), 11.0, 1);
        scores.used(key(1));
        assert_eq!(scores.put(key(3), 12.0, 1), (true, vec![key(2)]), "one use of 11 is less than two of 10");
        // Each newcomer starts where the last one left, so a run of cheap ones overtakes in the end.
        let overtaken = (4..100).find(|&number| scores.put(key(number), 5.0, 1).1.contains(&key(1)));
        assert!(overtaken.is_some());
    }

    /// The same rules, told with a plain list.
    #[derive(Default)]
    struct Model {
        clock: f64,
        entries: Vec<(Key, u64, f64, u32, f64)>,
    }

    impl Model {
        fn bytes(&self) -> u64 {
            self.entries.iter().map(|entry| entry.1).sum()
        }

        fn lowest(&self) -> Option<usize> {
            (0..self.entries.len()).min_by(|&a, &b| {
                let of = |at: usize| (self.entries[at].4, self.entries[at].0);
                of(a).partial_cmp(&of(b)).unwrap()
            })
        }

        fn use_it(&mut self, at: usize) {
            let entry = &mut self.entries[at];
            entry.3 += 1;
            entry.4 = self.clock + entry.2 * f64::from(entry.3);
        }

        fn put(&mut self, key: Key, cost: f64, bytes: u64, most: u64) -> bool {
            if let Some(at) = self.entries.iter().position(|entry| entry.0 == key) {
                self.use_it(at);
                return true;
            }
            if bytes > most {
                return false;
            }
            let (before, clock) = (self.entries.clone(), self.clock);
            let score = clock + cost / bytes.max(1) as f64;
            while self.bytes() + bytes > most {
                let at = self.lowest().unwrap();
                if self.entries[at].4 >= score {
                    (self.entries, self.clock) = (before, clock);
                    return false;
                }
                self.clock = self.clock.max(self.entries.remove(at).4);
            }
            self.entries.push((key, bytes, cost / bytes.max(1) as f64, 1, score));
            true
        }

        fn shrink(&mut self, most: u64) {
            while self.bytes() > most {
                let at = self.lowest().unwrap();
                self.clock = self.clock.max(self.entries.remove(at).4);
            }
        }
    }

    proptest! {
        /// Whatever comes, is used and is taken away: no more bytes than allowed, and the same entries as by the plain list.
        #[test]
        fn as_the_model_says(
            most in 0_u64..200,
            events in prop::collection::vec((0_u8..8, 0_u64..20, 0_u32..1000, 0_u64..80), 0..200),
        ) {
            let (mut scores, mut model) = (Scores::new(most), Model::default());
            for (kind, number, cost, bytes) in events {
                let (key, cost) = (key(number), f64::from(cost));
                match kind {
                    0 => {
                        let dropped = scores.shrink(bytes * 2);
                        model.shrink(bytes * 2);
                        prop_assert!(dropped.iter().all(|key| !scores.entries.contains_key(key)));
                        prop_assert!(scores.bytes() <= bytes * 2);
                    }
                    1 => {
                        scores.used(key);
                        if let Some(at) = model.entries.iter().position(|entry| entry.0 == key) {
                            model.use_it(at);
                        }
                    }
                    _ => {
                        let would = scores.would_keep(key, cost, bytes);
                        let (kept, dropped) = scores.put(key, cost, bytes);
                        prop_assert_eq!(would, kept);
                        prop_assert_eq!(kept, model.put(key, cost, bytes, most));
                        prop_assert_eq!(kept, scores.entries.contains_key(&key));
                        prop_assert!(dropped.iter().all(|key| !scores.entries.contains_key(key)));
                    }
                }
                prop_assert!(scores.bytes() <= most);
                prop_assert_eq!(scores.bytes(), scores.entries.values().map(|entry| entry.bytes).sum::<u64>());
                prop_assert_eq!(scores.order.len(), scores.entries.len());
                let mut held: Vec<Key> = scores.entries.keys().copied().collect();
                let mut wanted: Vec<Key> = model.entries.iter().map(|entry| entry.0).collect();
                held.sort();
                wanted.sort();
                prop_assert_eq!(held, wanted);
            }
        }
    }
}
