//! How states are written: postcard, with small vectors as plain sequences.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{Array, SmallVec};

/// Serde's functions for a [`SmallVec`].
pub(super) mod small {
    use super::*;

    pub(in super::super) fn serialize<A, S>(values: &SmallVec<A>, serializer: S) -> Result<S::Ok, S::Error>
    where
        A: Array<Item: Serialize>,
        S: Serializer,
    {
        serializer.collect_seq(values)
    }

    pub(in super::super) fn deserialize<'de, A, D>(deserializer: D) -> Result<SmallVec<A>, D::Error>
    where
        A: Array<Item: Deserialize<'de>>,
        D: Deserializer<'de>,
    {
        Vec::deserialize(deserializer).map(SmallVec::from_vec)
    }
}
