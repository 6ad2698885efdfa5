//! One result in one file.
//!
//! ```text
//! the value's bytes, as the registry writes them | Head (postcard) | its length u32 | its checksum u64 | version u32 | magic, 8 bytes
//! ```
//!
//! What a file holds stands at its end, so it is written in one go, and one short read tells whether it is whole. The last twelve bytes
//! mean the same in all versions.

use std::io::Write;

use serde::{Deserialize, Serialize};
use talatat_graph::{Brief, Key, Registry, Value};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::storage::{ObjectRef, StorageError};

const MAGIC: &[u8; 8] = b"talatatR";
/// Changes when older programs could not read what is written.
const VERSION: u32 = 1;
/// What stands behind the head.
const TAIL: usize = 4 + 8 + 4 + 8;
/// Heads are seldom longer.
const GUESS: u64 = 256;
/// No head is longer: what says so is no head.
const LONGEST: u64 = 1 << 16;

/// What a file says of the value in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    key: Key,
    /// Bytes of the value in the file, and their checksum.
    length: u64,
    sum: u128,
    /// Bytes of the value in memory.
    pub(crate) nbytes: u64,
    pub(crate) kind: String,
    pub(crate) extents: Vec<u64>,
}

impl Head {
    /// The name of the result.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    fn of(key: Key, value: &Value, length: u64, sum: u128) -> Head {
        let brief = value.brief();
        let (kind, extents) = (brief.kind().to_string(), brief.extents().to_vec());
        Head { key, length, sum, nbytes: value.nbytes() as u64, kind, extents }
    }
}

/// Counts and hashes what is written.
struct Counting<'a, W> {
    out: &'a mut W,
    length: u64,
    sum: Xxh3,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sum.update(bytes.get(..count).unwrap_or_default());
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes a value; blocks that lie in memory as they are written are not copied.
///
/// # Errors
/// If it cannot be written as bytes, or `out` fails.
pub(super) fn write(out: &mut impl Write, key: Key, value: &Value) -> std::io::Result<Head> {
    let registry = Registry::new();
    let mut body = Counting { out, length: 0, sum: Xxh3::new() };
    let raw = match value {
        Value::Block(block) => registry.encode_head(&**block).zip(block.raw()),
        _ => None,
    };
    match raw {
        Some((head, (own, memory))) => {
            body.write_all(&head)?;
            // The block's own head is part of what goes before its memory.
            debug_assert!(head.ends_with(&own));
            body.write_all(memory)?;
        }
        None => {
            let mut bytes = Vec::new();
            registry.encode_value(value, &mut bytes).map_err(std::io::Error::other)?;
            body.write_all(&bytes)?;
        }
    }
    let head = Head::of(key, value, body.length, body.sum.digest128());
    let bytes = postcard::to_stdvec(&head).map_err(std::io::Error::other)?;
    out.write_all(&bytes)?;
    out.write_all(&(bytes.len() as u32).to_le_bytes())?;
    out.write_all(&xxh3_64(&bytes).to_le_bytes())?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(MAGIC)?;
    Ok(head)
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It does not hold what it should; in words.
    Damaged(String),
    /// It cannot be read.
    Storage(StorageError),
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Trouble {
        Trouble::Storage(error)
    }
}

/// Reads what a file says of its value: one short read, seldom two.
///
/// # Errors
/// If the file is cut short, of another version, or of something else.
pub(super) fn look(object: &ObjectRef, key: Key) -> Result<Head, Trouble> {
    let end = |length: u64| object.read_range(object.size().saturating_sub(length)..object.size());
    let bytes = end(GUESS)?;
    let length = head_length(&bytes).map_err(Trouble::Damaged)?;
    let whole = length + TAIL as u64;
    if whole > object.size() || length > LONGEST {
        return Err(Trouble::Damaged("is damaged".into()));
    }
    let bytes = if whole > GUESS { end(whole)? } else { bytes };
    head(&bytes, object.size(), key).map_err(Trouble::Damaged)
}

/// The length of the head, from the last bytes of a file.
fn head_length(bytes: &[u8]) -> Result<u64, String> {
    let cut = || "is cut short, or no file of this kind".to_string();
    let (rest, magic) = bytes.split_last_chunk::<8>().ok_or_else(cut)?;
    let (rest, version) = rest.split_last_chunk::<4>().ok_or_else(cut)?;
    if magic != MAGIC {
        return Err(cut());
    }
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(format!("is of version {version} of the format, and this library reads version {VERSION}"));
    }
    let (rest, _sum) = rest.split_last_chunk::<8>().ok_or_else(cut)?;
    let (_, length) = rest.split_last_chunk::<4>().ok_or_else(cut)?;
    Ok(u64::from(u32::from_le_bytes(*length)))
}

/// The head, from the last bytes of a file of the given size, which hold all of it.
fn head(bytes: &[u8], size: u64, key: Key) -> Result<Head, String> {
    let damaged = || "is damaged".to_string();
    let length = usize::try_from(head_length(bytes)?).map_err(|_| damaged())?;
    let start = bytes.len().checked_sub(TAIL + length).ok_or_else(damaged)?;
    let own = bytes.get(start..start + length).ok_or_else(damaged)?;
    let sum = bytes.get(start + length + 4..).and_then(|tail| tail.first_chunk::<8>()).ok_or_else(damaged)?;
    if xxh3_64(own) != u64::from_le_bytes(*sum) {
        return Err(damaged());
    }
    let head: Head = postcard::from_bytes(own).map_err(|_| damaged())?;
    if head.key != key {
        return Err("holds another result than its name says".into());
    }
    if head.length.checked_add((TAIL + length) as u64) != Some(size) {
        return Err("is cut short".into());
    }
    Ok(head)
}

/// Reads the value of a file that was looked at.
///
/// # Errors
/// If the bytes are not those that were written, or the registry does not know the block's type.
pub(super) fn read(object: &ObjectRef, head: &Head, registry: &Registry) -> Result<Value, Trouble> {
    let bytes = object.read_range(0..head.length)?;
    value(&bytes, head, registry).map_err(Trouble::Damaged)
}

fn value(bytes: &[u8], head: &Head, registry: &Registry) -> Result<Value, String> {
    if xxhash_rust::xxh3::xxh3_128(bytes) != head.sum {
        return Err("is damaged: its checksum is wrong".into());
    }
    let mut rest = bytes;
    registry.read_value(&mut rest).map_err(|error| format!("cannot be read: {error}"))
}

/// What the value is, without reading it.
pub(super) fn brief(head: &Head) -> Brief {
    let extents: Vec<usize> =
        head.extents.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
    Brief::new(interned(&head.kind), &extents)
}

/// The same text for ever. There are few kinds of blocks; what is beyond the first ones is only a block.
fn interned(kind: &str) -> &'static str {
    use parking_lot::Mutex;
    static KINDS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    const MOST: usize = 256;
    let mut kinds = KINDS.lock();
    match kinds.iter().find(|known| **known == kind) {
        Some(known) => known,
        None if kinds.len() >= MOST || kind.len() > 200 => "block",
        None => {
            kinds.push(Box::leak(kind.to_string().into_boxed_str()));
            kinds.last().copied().unwrap_or("block")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Location, write_atomic};
    use proptest::prelude::*;

    fn key() -> Key {
        Key::of("test", b"key")
    }

    fn values() -> Vec<Value> {
        let parts = Value::Parts(vec![Value::F64(1.5), Value::Unit].into());
        vec![Value::Unit, Value::Bool(true), Value::I64(-3), Value::U64(7), Value::F64(f64::NAN), parts]
    }

    fn bytes_of(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, key(), value).unwrap();
        bytes
    }

    /// What is in a file of these bytes, and what is wrong with it.
    fn decode(bytes: &[u8]) -> Result<Value, String> {
        let end = &bytes[bytes.len().saturating_sub(GUESS as usize)..];
        let head = head(end, bytes.len() as u64, key())?;
        value(&bytes[..head.length as usize], &head, &crate::registry())
    }

    #[test]
    fn what_is_written_is_read() {
        for value in values() {
            assert_eq!(format!("{:?}", decode(&bytes_of(&value)).unwrap()), format!("{value:?}"));
        }
        let location = Location::parse("memory://durable-tests/file").unwrap();
        write_atomic(&location, |out| write(out, key(), &Value::I64(5)).map(drop)).unwrap();
        let object = ObjectRef::open(&location).unwrap();
        let head = look(&object, key()).unwrap();
        assert!(matches!(read(&object, &head, &crate::registry()).unwrap(), Value::I64(5)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = bytes_of(&Value::I64(12));
        let problem = |bytes: &[u8]| decode(bytes).unwrap_err();
        let version = good.len() - 12;
        let mut newer = good.clone();
        newer[version] = 9;
        assert_eq!(problem(&newer), "is of version 9 of the format, and this library reads version 1");
        assert_eq!(problem(&good[..good.len() - 1]), "is cut short, or no file of this kind");
        assert_eq!(problem(b""), "is cut short, or no file of this kind");
        assert_eq!(problem(b"%PDF-1.7 and so on, for a while"), "is cut short, or no file of this kind");
        assert_eq!(problem(&good[1..]), "is cut short");
        let mut body = good.clone();
        body[3] ^= 1;
        assert_eq!(problem(&body), "is damaged: its checksum is wrong");
        let end = &good[good.len().saturating_sub(GUESS as usize)..];
        let other = head(end, good.len() as u64, Key::of("other", b"")).unwrap_err();
        assert_eq!(other, "holds another result than its name says");
    }

    proptest! {
        /// Whatever is in the file: no panic, and no byte can be changed without being noticed.
        #[test]
        fn any_bytes(which in 0_usize..6, at in 0_usize..200, byte: u8, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let good = bytes_of(&values()[which]);
            let mut changed = good.clone();
            let at = at % changed.len();
            changed[at] = byte;
            prop_assert_eq!(decode(&changed).is_err(), changed != good);
            // Even with the right sums.
            let mut own = Vec::new();
            let head = Head { key: key(), length: bytes.len() as u64, sum: xxhash_rust::xxh3::xxh3_128(&bytes), nbytes: 1, kind: "x".into(), extents: vec![u64::MAX] };
            let _ = value(&bytes, &head, &crate::registry());
            let said = postcard::to_stdvec(&head).unwrap();
            own.extend(&bytes);
            own.extend(&said);
            own.extend((said.len() as u32).to_le_bytes());
            own.extend(xxh3_64(&said).to_le_bytes());
            own.extend(VERSION.to_le_bytes());
            own.extend(MAGIC);
            let _ = decode(&own);
        }
    }
}
