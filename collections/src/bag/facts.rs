//! What is known of the items of a bag by their type: how much memory they own, and how they are written as bytes.

use super::codec::Codec;
use super::weigh::Weigh;
use crate::delayed::Payload;

/// What is known of items of a type.
pub(crate) struct Facts<T> {
    weigh: Weigh<T>,
    codec: Option<Codec<T>>,
}

impl<T> Clone for Facts<T> {
    fn clone(&self) -> Self {
        Facts { weigh: self.weigh.clone(), codec: self.codec.clone() }
    }
}

impl<T: Payload> Facts<T> {
    fn new(weigh: Weigh<T>, codec: Option<Codec<T>>) -> Facts<T> {
        Facts { weigh, codec: codec.and_then(Codec::noted) }
    }

    /// What the type itself tells.
    pub(crate) fn known() -> Facts<T> {
        Facts::new(Weigh::known(), Codec::known())
    }

    /// Nothing.
    pub(crate) fn unknown() -> Facts<T> {
        Facts { weigh: Weigh::Unknown, codec: None }
    }

    /// The same with another weight.
    pub(crate) fn weighed(&self, weigh: Weigh<T>) -> Facts<T> {
        Facts { weigh, codec: self.codec.clone() }
    }

    /// The same with another codec.
    pub(crate) fn written(&self, codec: Codec<T>) -> Facts<T> {
        Facts::new(self.weigh.clone(), Some(codec))
    }

    /// How items are written as bytes, if it is known.
    pub(crate) fn codec(&self) -> Option<&Codec<T>> {
        self.codec.as_ref()
    }

    /// Bytes that the items own beside their own.
    pub(crate) fn beside(&self, items: &[T]) -> usize {
        self.weigh.beside(items)
    }

    /// Whether it is known how much memory items own.
    pub(crate) fn is_known(&self) -> bool {
        self.weigh.is_known()
    }

    /// Bytes that an item is taken to need before one has been seen.
    pub(crate) fn guess(&self) -> u64 {
        self.weigh.guess()
    }

    /// Of pairs of these and others.
    pub(crate) fn pair<U: Payload>(&self, other: &Facts<U>) -> Facts<(T, U)> {
        let codec = self.codec.clone().zip(other.codec.clone()).map(|(one, other)| one.pair(other));
        Facts::new(self.weigh.with(&other.weigh, |(a, b): &(T, U)| (a, b)), codec)
    }

    /// Of pairs of these and others with a number before.
    pub(crate) fn entry<U: Payload>(&self, other: &Facts<U>) -> Facts<(u64, T, U)> {
        let codec = self.codec.clone().zip(other.codec.clone()).map(|(one, other)| one.entry(other));
        Facts::new(self.weigh.with(&other.weigh, |(_, a, b): &(u64, T, U)| (a, b)), codec)
    }

    /// Of vectors of them.
    pub(crate) fn listed(&self) -> Facts<Vec<T>> {
        Facts::new(self.weigh.listed(), self.codec.clone().map(Codec::listed))
    }
}
