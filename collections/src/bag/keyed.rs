//! What brings equal keys together: parts by ranges of the keys' hashes, P + Q tasks.
//!
//! A part has a range of hashes, and within a part keys are in the order of their hashes (of equal ones, in the order in which they came first). So the
//! parts one after the other have an order that depends neither on how many they are nor on where the items came from.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use talatat_graph::{Kernel, Key, KeyBuilder, Value, closure_kernel};

use super::arrange::scatter;
use super::expr::{Op, Size};
use super::facts::Facts;
use super::items::{Items, Taken};
use super::{Bag, Step, named};
use crate::delayed::{Payload, identity, unique};

/// A key with its hash, and what belongs to it.
type Entry<K, S> = (u64, K, S);

/// The same in every run of a program.
fn hash_of<K: Hash>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The part whose range a hash is in.
fn part_of(hash: u64, parts: usize) -> usize {
    ((u128::from(hash) * parts as u128) >> 64) as usize
}

/// Keys with their states, in the order in which they came first.
struct Groups<K, S> {
    index: HashTable<usize>,
    entries: Vec<Entry<K, S>>,
}

impl<K: Eq, S> Groups<K, S> {
    fn new() -> Self {
        Groups { index: HashTable::new(), entries: Vec::new() }
    }

    /// Where a key's entry stands, if it has one.
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        let same = |&at: &usize| self.entries.get(at).is_some_and(|(other, known, _)| *other == hash && known == key);
        self.index.find(hash, same).copied()
    }

    /// Adds something to a key's state, or begins one with it.
    fn add<V>(&mut self, hash: u64, key: K, value: V, begin: impl FnOnce(V) -> S, add: impl FnOnce(&mut S, V)) {
        match self.find(hash, &key).and_then(|at| self.entries.get_mut(at)) {
            Some((_, _, state)) => add(state, value),
            None => {
                let Groups { index, entries } = self;
                let hashes = |&at: &usize| entries.get(at).map_or(0, |(hash, _, _)| *hash);
                index.insert_unique(hash, entries.len(), hashes);
                entries.push((hash, key, begin(value)));
            }
        }
    }

    /// The entries in the order of their hashes.
    fn sorted(mut self) -> Vec<Entry<K, S>> {
        self.entries.sort_by_key(|(hash, _, _)| *hash);
        self.entries
    }
}

/// How items become states of keys.
struct How<E, B, A, M> {
    /// The key of an item, and what goes into the state.
    enter: E,
    begin: B,
    add: A,
    merge: M,
}

impl<T: Payload> Bag<T> {
    /// Each distinct item with how often it is there, in the order of hashes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let mut letters = Bag::from_sequence("abracadabra".chars(), 3).frequencies().compute()?;
    /// letters.sort();
    /// assert_eq!(letters, [('a', 5), ('b', 2), ('c', 1), ('d', 1), ('r', 2)]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn frequencies(&self) -> Bag<(T, u64)>
    where
        T: Hash + Eq,
    {
        let how = How {
            enter: |item| (item, 1),
            begin: |one| one,
            add: |count: &mut u64, one| *count += one,
            merge: |count: &mut u64, more| *count += more,
        };
        self.grouped("bag.frequencies", Key::from_bits(0), how, self.facts.clone(), Facts::known())
    }

    /// Each distinct item once, in the order of hashes.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence([7, 7, 7], 2).distinct().compute()?, [7]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn distinct(&self) -> Bag<T>
    where
        T: Hash + Eq,
    {
        let how =
            How { enter: |item| (item, ()), begin: |()| (), add: |_: &mut (), ()| (), merge: |_: &mut (), ()| () };
        let pairs = self.grouped("bag.distinct", Key::from_bits(0), how, self.facts.clone(), Facts::known());
        let size = pairs.node.size;
        pairs.each("bag.distinct keys".into(), Key::from_bits(0), self.facts.clone(), size, |_, pairs| {
            Ok(pairs.into_iter().map(|(item, ())| item).collect())
        })
    }

    /// The items of each key, in the order of the bag; the keys in the order of their hashes. All items move, and those of one key must fit into memory
    /// together: where a sum or the like is wanted, [`foldby`](Bag::foldby) moves less.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let groups = Bag::from_sequence(0..10, 3).groupby(|x| x % 2 == 0);
    /// let mut groups = groups.compute()?;
    /// groups.sort();
    /// assert_eq!(groups, [(false, vec![1, 3, 5, 7, 9]), (true, vec![0, 2, 4, 6, 8])]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn groupby<K, F>(&self, key: F) -> Bag<(K, Vec<T>)>
    where
        K: Payload + Hash + Eq,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        let how = How {
            enter: move |item| (key(&item), item),
            begin: |item| vec![item],
            add: |group: &mut Vec<T>, item| group.push(item),
            merge: |group: &mut Vec<T>, mut more| group.append(&mut more),
        };
        self.grouped(&named::<F>("bag.groupby"), identity::<F>(), how, Facts::known(), self.facts.listed())
    }

    /// The items of each key folded into a state that begins as `init`; states are combined in the order of the bag, and the keys are in the order of their
    /// hashes. What moves is a state for each key and partition. As in [`fold`](Bag::fold), `init` must change nothing and `combine` be associative.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let sums = Bag::from_sequence(0..10, 3).foldby(|x| x % 2, 0, |sum, x| sum + x, |a, b| a + b);
    /// let mut sums = sums.compute()?;
    /// sums.sort();
    /// assert_eq!(sums, [(0, 20), (1, 25)]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn foldby<K, S, F, A, C>(&self, key: F, init: S, fold: A, combine: C) -> Bag<(K, S)>
    where
        K: Payload + Hash + Eq,
        S: Payload,
        F: Fn(&T) -> K + Send + Sync + 'static,
        A: Fn(S, T) -> S + Send + Sync + 'static,
        C: Fn(S, S) -> S + Send + Sync + 'static,
    {
        // A state is taken out of its place while it is folded; what stands there meanwhile is nobody's.
        let (first, fold) = (init.clone(), Arc::new(fold));
        let (blank, empty, more) = (init.clone(), init, fold.clone());
        let how = How {
            enter: move |item| (key(&item), item),
            begin: move |item| fold(first.clone(), item),
            add: move |state: &mut S, item| *state = more(std::mem::replace(state, blank.clone()), item),
            merge: move |state: &mut S, other| *state = combine(std::mem::replace(state, empty.clone()), other),
        };
        let function = KeyBuilder::new("foldby").number(unique()).finish();
        self.grouped(&named::<F>("bag.foldby"), function, how, Facts::known(), Facts::known())
    }

    /// Folds each partition's items by key, cuts the states into parts, and merges those of each part.
    #[track_caller]
    fn grouped<K, V, S, E, B, A, M>(
        &self,
        name: &str,
        function: Key,
        how: How<E, B, A, M>,
        keys: Facts<K>,
        states: Facts<S>,
    ) -> Bag<(K, S)>
    where
        K: Payload + Hash + Eq,
        S: Payload,
        E: Fn(T) -> (K, V) + Send + Sync + 'static,
        B: Fn(V) -> S + Send + Sync + 'static,
        A: Fn(&mut S, V) + Send + Sync + 'static,
        M: Fn(&mut S, S) + Send + Sync + 'static,
    {
        let parts = self.partitions();
        let How { enter, begin, add, merge } = how;
        let entries = keys.entry(&states);
        let cut = closure_kernel(format!("{name} cut"), move |_, inputs| {
            let mut groups = Groups::new();
            for item in Taken::<T>::take(inputs.first_mut())? {
                let (key, value) = enter(item);
                groups.add(hash_of(&key), key, value, &begin, &add);
            }
            scatter(groups.entries.into_iter().map(|entry| (part_of(entry.0, parts), entry)), parts, &entries)
        });
        let facts = keys.pair(&states);
        let given = facts.clone();
        let take = closure_kernel(name, move |_, inputs| {
            let mut groups = Groups::new();
            for input in inputs {
                for (hash, key, state) in Taken::<Entry<K, S>>::take(Some(input))? {
                    groups.add(hash, key, state, |state| state, &merge);
                }
            }
            Ok(Items::value(groups.sorted().into_iter().map(|(_, key, state)| (key, state)).collect(), &given))
        });
        let size = Size { items: self.node.size.items, bytes: self.node.size.bytes };
        let step = self.step(name.into(), function, size);
        let op = Op::Exchange { cut: vec![Arc::new(cut)], take: Arc::new(take) };
        Bag::of(step, op, vec![self.node.clone()], facts)
    }

    /// All pairs of an item of this bag and one of another bag whose keys are equal: in the order of the keys' hashes, then of this bag, then of the
    /// other. All items of both move.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let people = Bag::from_sequence([(1, "Ann"), (2, "Ben")], 2);
    /// let orders = Bag::from_sequence([(2, "tea"), (1, "ink"), (2, "jam")], 2);
    /// let bought = people.join(&orders, |person| person.0, |order| order.0);
    /// let mut bought = bought.map(|((_, who), (_, what))| (who, what)).compute()?;
    /// bought.sort();
    /// assert_eq!(bought, [("Ann", "ink"), ("Ben", "jam"), ("Ben", "tea")]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn join<U, K, F, G>(&self, other: &Bag<U>, key: F, other_key: G) -> Bag<(T, U)>
    where
        U: Payload,
        K: Payload + Hash + Eq,
        F: Fn(&T) -> K + Send + Sync + 'static,
        G: Fn(&U) -> K + Send + Sync + 'static,
    {
        let (left, parts) = (self.partitions(), self.partitions().max(other.partitions()));
        let facts = self.facts.pair(&other.facts);
        let given = facts.clone();
        let take = closure_kernel("bag.join", move |_, inputs| {
            let (ours, theirs) = inputs.split_at_mut_checked(left).unwrap_or_default();
            let mut right: Groups<K, Vec<U>> = Groups::new();
            for input in theirs {
                for (hash, key, item) in Taken::<Entry<K, U>>::take(Some(input))? {
                    right.add(hash, key, item, |item| vec![item], |list, item| list.push(item));
                }
            }
            let mut all: Vec<Entry<K, T>> = Vec::new();
            for input in ours {
                all.extend(Taken::take(Some(input))?);
            }
            all.sort_by_key(|(hash, _, _)| *hash);
            let mut pairs = Vec::new();
            for (hash, key, item) in all {
                let Some((_, _, partners)) = right.find(hash, &key).and_then(|at| right.entries.get(at)) else {
                    continue;
                };
                pairs.extend(partners.iter().map(|partner| (item.clone(), partner.clone())));
            }
            Ok(Items::value(pairs, &given))
        });
        let size = self.node.size.or_larger(other.node.size);
        let function = KeyBuilder::new("join").key(identity::<F>()).key(identity::<G>()).key(other.node.key).finish();
        let step = Step {
            partitions: parts,
            ..self.step("bag.join".into(), function, Size { items: size.items, bytes: size.bytes.saturating_mul(2) })
        };
        let cut = vec![cut_by(key, parts, &self.facts), cut_by(other_key, parts, &other.facts)];
        Bag::of(step, Op::Exchange { cut, take: Arc::new(take) }, vec![self.node.clone(), other.node.clone()], facts)
    }
}

/// Cuts partitions by the hash of a key.
fn cut_by<T, K, F>(key: F, parts: usize, facts: &Facts<T>) -> Arc<dyn Kernel>
where
    T: Payload,
    K: Payload + Hash + Eq,
    F: Fn(&T) -> K + Send + Sync + 'static,
{
    let entries = Facts::<K>::known().entry(facts);
    Arc::new(closure_kernel("bag.join cut", move |_, inputs| -> talatat_graph::KernelResult<Value> {
        let entry = |item| {
            let key = key(&item);
            let hash = hash_of(&key);
            (part_of(hash, parts), (hash, key, item))
        };
        scatter(Taken::<T>::take(inputs.first_mut())?.into_iter().map(entry), parts, &entries)
    }))
}
