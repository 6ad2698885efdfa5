//! Partitions as bytes: how they go to the disk when memory is short, and come back.
//!
//! ```text
//! the type's name (length in 4 bytes, text), the number of items (8 bytes), then pieces: bytes (4), items (4), the items one after the other
//! ```
//!
//! The [`Registry`] knows partitions of all types by one name. Of which type the items are stands in the bytes, and how they are read was noted when
//! the type's [`Codec`] was made, which is before anything of it can have been written.

mod json;

use std::any::{Any, TypeId, type_name};
use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use talatat_graph::{Block, KernelError, KernelResult, Registry};

use self::json::{read_json, write_json};
use super::items::Items;
use crate::delayed::Payload;

/// The name of all partitions in the registry.
pub(super) const ITEMS: &str = "bag.items";
/// A piece ends with the item that makes it this long.
const PIECE: usize = 64 << 10;

pub(crate) fn register(registry: Registry) -> Registry {
    let decode = |mut bytes: &[u8]| {
        let length = bytes.len() as u64;
        read(&mut bytes, length)
    };
    registry.block(ITEMS, decode).block_reader(ITEMS, read)
}

type WriteItem<T> = dyn Fn(&T, &mut Vec<u8>) -> KernelResult<()> + Send + Sync;
type ReadItem<T> = dyn Fn(&mut &[u8]) -> KernelResult<T> + Send + Sync;

/// How items of a type are written as bytes, and read.
pub(crate) struct Codec<T> {
    write: Arc<WriteItem<T>>,
    read: Arc<ReadItem<T>>,
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        Codec { write: self.write.clone(), read: self.read.clone() }
    }
}

fn cannot<T>(error: impl std::fmt::Display) -> KernelError {
    KernelError::new(format!("a {} cannot be written as bytes and read again: {error}", type_name::<T>()))
}

fn cut_short() -> KernelError {
    KernelError::new("the bytes of a partition are cut short or damaged")
}

impl<T: Serialize + DeserializeOwned + 'static> Codec<T> {
    /// What serde makes of items, in postcard's format.
    pub(crate) fn serde() -> Codec<T> {
        Codec {
            write: Arc::new(|item, out| {
                *out = postcard::to_extend(item, std::mem::take(out)).map_err(cannot::<T>)?;
                Ok(())
            }),
            read: Arc::new(|bytes| {
                let (item, rest) = postcard::take_from_bytes(bytes).map_err(cannot::<T>)?;
                *bytes = rest;
                Ok(item)
            }),
        }
    }
}

/// Codecs of the usual types.
static USUAL: LazyLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>> = LazyLock::new(|| {
    let mut usual: HashMap<TypeId, Box<dyn Any + Send + Sync>> = HashMap::new();
    fn add<T: 'static>(usual: &mut HashMap<TypeId, Box<dyn Any + Send + Sync>>, codec: Codec<T>) {
        usual.insert(TypeId::of::<T>(), Box::new(codec));
    }
    macro_rules! add {
        ($($leaf:ty),*) => {$(
            add::<$leaf>(&mut usual, Codec::serde());
            add::<Vec<$leaf>>(&mut usual, Codec::serde());
            add::<Option<$leaf>>(&mut usual, Codec::serde());
            add::<(String, $leaf)>(&mut usual, Codec::serde());
            add::<($leaf, String)>(&mut usual, Codec::serde());
            add::<($leaf, $leaf)>(&mut usual, Codec::serde());
            add::<(String, Vec<$leaf>)>(&mut usual, Codec::serde());
            add::<($leaf, Vec<$leaf>)>(&mut usual, Codec::serde());
        )*};
    }
    add!(String, bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);
    let json = || -> Codec<Json> { Codec { write: Arc::new(write_json), read: Arc::new(read_json) } };
    add::<()>(&mut usual, Codec::serde());
    add::<Json>(&mut usual, json());
    add::<Vec<Json>>(&mut usual, json().listed());
    add::<(String, Json)>(&mut usual, Codec::serde().pair(json()));
    usual
});

impl<T: 'static> Codec<T> {
    /// The codec of one of the usual types.
    pub(crate) fn known() -> Option<Codec<T>> {
        USUAL.get(&TypeId::of::<T>())?.downcast_ref::<Codec<T>>().cloned()
    }

    /// Items and others, side by side.
    pub(crate) fn pair<U: 'static>(self, other: Codec<U>) -> Codec<(T, U)> {
        let (one, two) = (self.clone(), other.clone());
        Codec {
            write: Arc::new(move |(a, b), out| {
                (self.write)(a, out)?;
                (other.write)(b, out)
            }),
            read: Arc::new(move |bytes| Ok(((one.read)(bytes)?, (two.read)(bytes)?))),
        }
    }

    /// The same with a number before.
    pub(crate) fn entry<U: 'static>(self, other: Codec<U>) -> Codec<(u64, T, U)> {
        let (one, two) = (self.clone(), other.clone());
        Codec {
            write: Arc::new(move |(number, a, b), out| {
                out.extend(number.to_le_bytes());
                (self.write)(a, out)?;
                (other.write)(b, out)
            }),
            read: Arc::new(move |bytes| {
                Ok((u64::from_le_bytes(taken(bytes)?), (one.read)(bytes)?, (two.read)(bytes)?))
            }),
        }
    }

    /// Vectors of items.
    pub(crate) fn listed(self) -> Codec<Vec<T>> {
        let one = self.clone();
        Codec {
            write: Arc::new(move |list, out| {
                out.extend((list.len() as u64).to_le_bytes());
                list.iter().try_for_each(|item| (self.write)(item, out))
            }),
            read: Arc::new(move |bytes| {
                let count = u64::from_le_bytes(taken(bytes)?);
                // Items that take no bytes end no loop.
                if size_of::<T>() == 0 && count > u64::from(u32::MAX) {
                    return Err(cut_short());
                }
                (0..count).map(|_| (one.read)(bytes)).collect()
            }),
        }
    }

    /// Whether what is written of an item can be read.
    ///
    /// # Errors
    /// If it cannot: serde's `untagged`, `flatten` and the like need formats that say what they hold.
    pub(crate) fn check(&self, item: &T) -> KernelResult<()> {
        let mut bytes = Vec::new();
        (self.write)(item, &mut bytes)?;
        let mut rest = bytes.as_slice();
        (self.read)(&mut rest)?;
        if rest.is_empty() { Ok(()) } else { Err(cannot::<T>("something is left over")) }
    }

    /// Writes a partition.
    pub(super) fn write(&self, items: &[T], out: &mut dyn Write) -> io::Result<()> {
        let name = type_name::<T>().as_bytes();
        out.write_all(&(name.len() as u32).to_le_bytes())?;
        out.write_all(name)?;
        out.write_all(&(items.len() as u64).to_le_bytes())?;
        let (mut piece, mut count) = (Vec::with_capacity(PIECE), 0_u32);
        for item in items {
            (self.write)(item, &mut piece).map_err(io::Error::other)?;
            count += 1;
            if piece.len() >= PIECE || count == u32::MAX {
                write_piece(&piece, count, out)?;
                piece.clear();
                count = 0;
            }
        }
        if count > 0 { write_piece(&piece, count, out) } else { Ok(()) }
    }
}

fn write_piece(piece: &[u8], items: u32, out: &mut dyn Write) -> io::Result<()> {
    let length = u32::try_from(piece.len()).map_err(|_| io::Error::other("an item has more than 4 GiB"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&items.to_le_bytes())?;
    out.write_all(piece)
}

/// Makes a partition of what follows the type's name.
type ReadPartition = Arc<dyn Fn(&mut dyn Read, u64) -> KernelResult<Arc<dyn Block>> + Send + Sync>;

/// How partitions are read, by the names of their items' types.
static READERS: RwLock<Option<HashMap<&'static str, (TypeId, ReadPartition)>>> = RwLock::new(None);

impl<T: Payload> Codec<T> {
    /// Notes how partitions of the type are read. `None` if another type has the same name: then nobody could tell them apart.
    pub(crate) fn noted(self) -> Option<Codec<T>> {
        let (name, id) = (type_name::<T>(), TypeId::of::<T>());
        let same = READERS.read().as_ref().and_then(|readers| readers.get(name)).map(|(known, _)| *known == id);
        let same = same.unwrap_or_else(|| {
            let codec = self.clone();
            let read: ReadPartition = Arc::new(move |bytes: &mut dyn Read, nbytes: u64| {
                let items = codec.items(bytes, nbytes)?;
                let block: Arc<dyn Block> = Arc::new(Items::back(items, nbytes, codec.clone()));
                Ok(block)
            });
            let mut readers = READERS.write();
            readers.get_or_insert_default().entry(name).or_insert((id, read)).0 == id
        });
        same.then_some(self)
    }

    fn items(&self, bytes: &mut dyn Read, nbytes: u64) -> KernelResult<Vec<T>> {
        let count = u64::from_le_bytes(exactly(bytes)?);
        // No more room is made than the items had.
        let room = count.min(nbytes / (size_of::<T>() as u64).max(1));
        let mut items = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        let mut piece = Vec::new();
        while (items.len() as u64) < count {
            let (length, some) = (u32::from_le_bytes(exactly(bytes)?), u32::from_le_bytes(exactly(bytes)?));
            piece.clear();
            let read = bytes.take(u64::from(length)).read_to_end(&mut piece).map_err(KernelError::from_source)?;
            if read as u64 != u64::from(length) || some == 0 || u64::from(some) > count - items.len() as u64 {
                return Err(cut_short());
            }
            let mut rest = piece.as_slice();
            for _ in 0..some {
                items.push((self.read)(&mut rest)?);
            }
            if !rest.is_empty() {
                return Err(cut_short());
            }
        }
        Ok(items)
    }
}

/// Reads a partition of any type.
fn read(bytes: &mut dyn Read, nbytes: u64) -> KernelResult<Arc<dyn Block>> {
    const LONGEST: u32 = 1 << 16;
    let length = u32::from_le_bytes(exactly(bytes)?);
    if length > LONGEST {
        return Err(cut_short());
    }
    let mut name = vec![0; length as usize];
    bytes.read_exact(&mut name).map_err(KernelError::from_source)?;
    let name = std::str::from_utf8(&name).map_err(|_| cut_short())?;
    let reader = READERS.read().as_ref().and_then(|readers| readers.get(name)).map(|(_, read)| read.clone());
    let reader = reader.ok_or_else(|| {
        KernelError::new(format!(
            "this program has not said how a {name} is read from bytes: say `.storable()` on the bag"
        ))
    })?;
    reader(bytes, nbytes)
}

fn exactly<const N: usize>(bytes: &mut dyn Read) -> KernelResult<[u8; N]> {
    let mut number = [0; N];
    bytes.read_exact(&mut number).map_err(KernelError::from_source)?;
    Ok(number)
}

fn taken<const N: usize>(bytes: &mut &[u8]) -> KernelResult<[u8; N]> {
    let (number, rest) = bytes.split_first_chunk::<N>().ok_or_else(cut_short)?;
    *bytes = rest;
    Ok(*number)
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::*;
    use proptest::prelude::*;

    fn bytes_of<T: Payload>(items: Vec<T>) -> Vec<u8> {
        let value = Items::value(items, &Facts::known());
        let mut bytes = Vec::new();
        Registry::new().encode_value(&value, &mut bytes).unwrap();
        bytes
    }

    fn round<T: Payload + PartialEq + std::fmt::Debug>(items: Vec<T>) {
        let bytes = bytes_of(items.clone());
        let value = register(Registry::new()).decode_value(&mut bytes.as_slice()).unwrap();
        assert_eq!(value.get::<Items<T>>().unwrap().as_slice(), items);
    }

    #[test]
    fn the_usual_types_come_back() {
        round::<u8>(Vec::new());
        round(vec!["a".to_string(), String::new(), "\u{1F980}".into()]);
        round((0..100_000_u64).collect::<Vec<_>>());
        round(vec![("k".to_string(), vec![1.5_f64, -0.0, f64::MAX])]);
        round(vec![Some(3_i64), None]);
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        round(vec![
            json(r#"{"a": [1, -2, 0.1, null, true], "b": {"c": "d"}}"#),
            json("18446744073709551615"),
            json("1e-300"),
        ]);
    }

    #[test]
    fn what_is_made_of_them_is_composed() {
        let entry = Codec::<String>::known().unwrap().entry(Codec::<u64>::known().unwrap().listed());
        let item = (7, "key".to_string(), vec![1, 2]);
        entry.check(&item).unwrap();
        let mut bytes = Vec::new();
        (entry.write)(&item, &mut bytes).unwrap();
        assert_eq!((entry.read)(&mut bytes.as_slice()).unwrap(), item);
        assert!((entry.read)(&mut &bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn what_serde_cannot_read_again_is_found() {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
        }
        let error = Codec::serde().check(&Either::Text("a".into())).unwrap_err().to_string();
        assert!(error.contains("cannot be written as bytes and read again"), "{error}");
    }

    proptest! {
        /// Garbage is an error and no panic, and takes no more memory than it says.
        #[test]
        fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, change: u8) {
            let _ = read(&mut bytes.as_slice(), bytes.len() as u64);
            let good = Items::value(vec!["some".to_string(), "texts".into()], &Facts::known());
            let mut out = Vec::new();
            if let talatat_graph::Value::Block(block) = &good {
                block.encode(&mut out).unwrap();
            }
            if let Some(byte) = out.get_mut(at) {
                *byte ^= change;
            }
            let _ = read(&mut out.as_slice(), out.len() as u64);
            let _ = read_json(&mut bytes.as_slice());
        }
    }
}
