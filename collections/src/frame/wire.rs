//! Polars' own types as bytes inside of kernels' parameters.

use polars::prelude::{DataType, Expr, PolarsResult, QuantileMethod, Schema};
use polars_utils::pl_serialize::{deserialize_from_reader, serialize_to_bytes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use talatat_graph::KeyBuilder;

/// A polars value that travels as MessagePack, polars' own format for plans: expressions and schemas are not made for formats
/// that do not describe themselves. An expression that holds a closure cannot be written.
#[derive(Clone, Debug)]
pub(crate) struct Wire<T>(pub(crate) T);

impl<T: Serialize> Serialize for Wire<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = serialize_to_bytes::<_, true>(&self.0).map_err(serde::ser::Error::custom)?;
        bytes.serialize(serializer)
    }
}

/// What has to be done with a value that came as bytes.
pub(crate) trait Arrives: Sized {
    /// The value as it was sent.
    fn arrived(self) -> PolarsResult<Self> {
        Ok(self)
    }
}

impl Arrives for DataType {}
impl Arrives for QuantileMethod {}
impl Arrives for Schema {}

impl Arrives for Expr {
    fn arrived(self) -> PolarsResult<Self> {
        super::functions::arrived(self)
    }
}

impl<T: Arrives> Arrives for Vec<T> {
    fn arrived(self) -> PolarsResult<Self> {
        self.into_iter().map(T::arrived).collect()
    }
}

impl<'de, T: DeserializeOwned + Arrives> Deserialize<'de> for Wire<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let value = deserialize_from_reader::<_, _, true>(bytes.as_slice()).map_err(serde::de::Error::custom)?;
        Ok(Wire(T::arrived(value).map_err(serde::de::Error::custom)?))
    }
}

/// Adds a polars value to a key. One that cannot be written (it holds a closure) gets an identity of its own: it equals only itself.
pub(crate) fn add_to_key<T: Serialize>(key: KeyBuilder, value: &T) -> KeyBuilder {
    match serialize_to_bytes::<_, true>(value) {
        Ok(bytes) => key.bytes(&bytes),
        Err(_) => key.bytes(b"closure").number(unique()),
    }
}

/// A number that no other call gets.
pub(crate) fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl<T: PartialEq> PartialEq for Wire<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A data type as bytes.
pub(crate) type WireDtype = Wire<DataType>;
