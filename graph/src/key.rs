//! Names of results: 128-bit hashes of what makes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// The name of a result: a hash of the operation, its parameters and its inputs' keys.
///
/// The same call gives the same key, in every run of a program, so common work is found by comparing keys.
///
/// ```
/// use talatat_graph::Key;
/// let a = Key::of("sum", &[1, 2]);
/// assert_eq!(a, Key::of("sum", &[1, 2]));
/// assert_ne!(a, Key::of("sum", &[2, 1]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(u128);

impl Key {
    /// A key from an operation's name and the bytes of its parameters.
    pub fn of(operation: &str, parameters: &[u8]) -> Key {
        KeyBuilder::new(operation).bytes(parameters).finish()
    }

    /// The key with the given bits.
    pub const fn from_bits(bits: u128) -> Key {
        Key(bits)
    }

    /// The bits of the key.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The key of one block or part of what this key names.
    #[inline]
    pub fn block(self, index: u64) -> Key {
        self.combine(index as u128)
    }

    /// A key made of this one and a value, in O(1): the fast way for keys of tiny tasks.
    #[inline]
    pub fn combine(self, other: u128) -> Key {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.0.to_le_bytes());
        bytes[16..].copy_from_slice(&other.to_le_bytes());
        Key(xxh3_128_with_seed(&bytes, 0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", (self.0 >> 96) as u32)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:032x})", self.0)
    }
}

/// Builds a [`Key`] from several fields. Each field is preceded by its length, so that fields cannot run together.
///
/// ```
/// use talatat_graph::KeyBuilder;
/// let ab_c = KeyBuilder::new("op").bytes(b"ab").bytes(b"c").finish();
/// let a_bc = KeyBuilder::new("op").bytes(b"a").bytes(b"bc").finish();
/// assert_ne!(ab_c, a_bc);
/// ```
#[must_use]
pub struct KeyBuilder(Box<Xxh3>);

impl KeyBuilder {
    /// Starts a key for an operation.
    pub fn new(operation: &str) -> Self {
        KeyBuilder(Box::new(Xxh3::new())).bytes(operation.as_bytes())
    }

    /// Adds bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a number.
    pub fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// Adds the key of an input.
    pub fn key(mut self, key: Key) -> Self {
        self.0.update(&key.0.to_le_bytes());
        self
    }

    /// Adds anything that can be serialized. A value that cannot be (none of ours) counts as its type's name.
    pub fn value<T: Serialize + ?Sized>(self, value: &T) -> Self {
        match postcard::to_stdvec(value) {
            Ok(bytes) => self.bytes(&bytes),
            Err(_) => self.bytes(std::any::type_name::<T>().as_bytes()),
        }
    }

    /// The key.
    pub fn finish(self) -> Key {
        Key(self.0.digest128())
    }
}
