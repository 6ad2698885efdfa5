//! What flows along the edges: small scalars in place, blocks behind an [`Arc`].

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::error::{KernelError, KernelResult, Result};
use crate::key::{Key, KeyBuilder};
use crate::memory::Spilled;
use crate::registry::Registry;

/// A block of data that tasks make and read: an array's chunk, a frame's partition, a user's value.
///
/// A block that can leave the process names its decoder in [`codec`](Block::codec); the decoder is
/// registered in the [`Registry`](crate::Registry) under that name.
pub trait Block: Any + Send + Sync {
    /// Bytes of memory the block holds.
    fn nbytes(&self) -> usize;

    /// What the block is and its extents, for errors: made before a kernel runs, so it must not allocate.
    fn brief(&self) -> Brief;

    /// A short description for errors and diagnostics, e.g. `float64[3, 4]`.
    fn describe(&self) -> String {
        self.brief().to_string()
    }

    /// The name under which the registry knows how to read this block back, or `None` if it cannot leave the process.
    fn codec(&self) -> Option<&'static str> {
        None
    }

    /// Appends the block's bytes to `out`; only called if [`codec`](Block::codec) names a decoder.
    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        let _ = out;
        Err(KernelError::new(format!("{} cannot be serialized", self.describe())))
    }

    /// The bytes of [`encode`](Block::encode) as a head and what lies in memory as it is, if they are such: then they are sent without
    /// a copy. The same bytes each time; only asked for if [`codec`](Block::codec) names a decoder.
    fn raw(&self) -> Option<(Vec<u8>, &[u8])> {
        None
    }

    /// Writes the bytes of [`encode`](Block::encode), which go to a file because memory is short: without a copy of them,
    /// if the type can. Only called if [`codec`](Block::codec) names a decoder.
    ///
    /// # Errors
    /// What `out` fails with.
    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes).map_err(std::io::Error::other)?;
        out.write_all(&bytes)
    }
}

/// A value that is not here: on another machine, in a store.
pub trait Remote: Any + Send + Sync {
    /// Bytes that it takes there, and would take here.
    fn nbytes(&self) -> u64;

    /// What it is.
    fn brief(&self) -> Brief;

    /// Brings it here.
    ///
    /// # Errors
    /// If the machine cannot be reached, or has lost it.
    fn fetch(&self) -> Result<Value>;

    /// Where it is, in words.
    fn place(&self) -> &str {
        "on another machine"
    }

    /// What it is, by a name that another run knows, too.
    fn content(&self) -> Option<Key> {
        None
    }
}

/// What a block is, in a few words that can be copied: a kind and at most four extents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    kind: &'static str,
    ndim: u8,
    extents: [u64; 4],
}

impl Brief {
    /// A brief of a kind of block with the given extents; those beyond the fourth are shown as `...`.
    pub fn new(kind: &'static str, extents: &[usize]) -> Brief {
        let mut brief = Brief { kind, ndim: extents.len().min(255) as u8, extents: [0; 4] };
        for (slot, &extent) in brief.extents.iter_mut().zip(extents) {
            *slot = extent as u64;
        }
        brief
    }

    /// The kind of block.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The extents, at most the first four.
    pub fn extents(&self) -> &[u64] {
        &self.extents[..usize::from(self.ndim).min(4)]
    }
}

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.kind)?;
        for (position, extent) in self.extents.iter().take(self.ndim as usize).enumerate() {
            write!(f, "{}{extent}", if position > 0 { ", " } else { "" })?;
        }
        f.write_str(if self.ndim > 4 { ", ...]" } else { "]" })
    }
}

/// A task's result, or one part of it.
///
/// Cloning is O(1): scalars are copied, blocks are shared.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing yet, or nothing to say.
    #[default]
    Unit,
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating-point number.
    F64(f64),
    /// A block.
    Block(Arc<dyn Block>),
    /// Several outputs of one task; an edge can name one of them.
    Parts(Box<[Value]>),
    /// A block that is on disk. Executors read it back before a kernel sees it.
    Spilled(Arc<Spilled>),
    /// A value that is on another machine or in a store. An executor of that machine uses it where it is; others bring it here before a kernel
    /// sees it.
    Remote(Arc<dyn Remote>),
}

impl Value {
    /// Wraps a block.
    pub fn block<B: Block>(block: B) -> Value {
        Value::Block(Arc::new(block))
    }

    /// Bytes of memory held, the value itself not counted.
    #[inline]
    pub fn nbytes(&self) -> usize {
        match self {
            Value::Block(block) => block.nbytes(),
            Value::Parts(parts) => parts.iter().map(Value::nbytes).sum(),
            _ => 0,
        }
    }

    /// What the value is, without allocating.
    #[inline]
    pub fn brief(&self) -> Brief {
        match self {
            Value::Block(block) => block.brief(),
            Value::Parts(parts) => Brief::new("parts", &[parts.len()]),
            Value::Spilled(spilled) => spilled.brief(),
            Value::Remote(remote) => remote.brief(),
            _ => Brief::new("scalar", &[]),
        }
    }

    /// A short description for errors.
    pub fn describe(&self) -> String {
        match self {
            Value::Unit => "()".into(),
            Value::Bool(value) => value.to_string(),
            Value::I64(value) => value.to_string(),
            Value::U64(value) => value.to_string(),
            Value::F64(value) => value.to_string(),
            Value::Block(block) => block.describe(),
            Value::Parts(parts) => format!("{} parts", parts.len()),
            Value::Spilled(spilled) => format!("{} on disk", spilled.brief()),
            Value::Remote(remote) => format!("{} {}", remote.brief(), remote.place()),
        }
    }

    /// The value with its blocks in memory: those on disk are read back, those on other machines are brought here.
    ///
    /// # Errors
    /// If the disk or the other machine fails.
    pub fn loaded(self) -> Result<Value> {
        Ok(match self {
            Value::Spilled(spilled) => Value::Block(spilled.read()?),
            Value::Remote(remote) => remote.fetch()?.loaded()?,
            Value::Parts(parts) => Value::Parts(parts.into_iter().map(|part| part.loaded()).collect::<Result<_>>()?),
            value => value,
        })
    }

    /// A hash of what the value is: equal in every process for equal values. Blocks are read once, without a copy of them.
    ///
    /// ```
    /// use talatat_graph::Value;
    /// assert_eq!(Value::I64(3).content()?, Value::I64(3).content()?);
    /// assert_ne!(Value::I64(3).content()?, Value::U64(3).content()?);
    /// # Ok::<(), talatat_graph::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// If it is a block whose type cannot be written as bytes, or cannot be read where it is.
    pub fn content(&self) -> KernelResult<Key> {
        match self {
            Value::Block(block) => {
                let codec = block.codec().ok_or_else(|| {
                    KernelError::new(format!("{} cannot be written as bytes: its type has no codec", block.describe()))
                })?;
                let mut bytes = Digest(Xxh3::new());
                block.write(&mut bytes).map_err(KernelError::from_source)?;
                Ok(Key::of(codec, &bytes.0.digest128().to_le_bytes()))
            }
            Value::Parts(parts) => {
                let named = KeyBuilder::new("parts").number(parts.len() as u64).finish();
                parts.iter().try_fold(named, |key, part| Ok(key.combine(part.content()?.bits())))
            }
            Value::Spilled(spilled) => Value::Block(spilled.read().map_err(KernelError::from_source)?).content(),
            Value::Remote(remote) => remote.content().ok_or_else(|| {
                KernelError::new(format!(
                    "{} is {} under a name that only this run knows: persist it to a store instead",
                    remote.brief(),
                    remote.place()
                ))
            }),
            scalar => {
                let mut bytes = Vec::new();
                Registry::new().encode_value(scalar, &mut bytes).map_err(KernelError::from_source)?;
                Ok(Key::of("scalar", &bytes))
            }
        }
    }

    /// Whether the value, or a part of it, is on disk or on another machine.
    #[inline]
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Value::Spilled(_) | Value::Remote(_) => true,
            Value::Parts(parts) => parts.iter().any(Value::is_away),
            _ => false,
        }
    }

    /// Bytes that the value would take in memory beside those that it takes.
    pub fn on_disk(&self) -> u64 {
        match self {
            Value::Spilled(spilled) => spilled.nbytes(),
            Value::Remote(remote) => remote.nbytes(),
            Value::Parts(parts) => parts.iter().map(Value::on_disk).sum(),
            _ => 0,
        }
    }

    /// The block inside, if it is of type `B`.
    pub fn get<B: Block>(&self) -> KernelResult<&B> {
        match self {
            Value::Block(block) => {
                let any: &dyn Any = &**block;
                any.downcast_ref().ok_or_else(|| self.wrong_type::<B>())
            }
            _ => Err(self.wrong_type::<B>()),
        }
    }

    /// Takes the block out, leaving [`Value::Unit`].
    pub fn take<B: Block>(&mut self) -> KernelResult<Arc<B>> {
        match std::mem::take(self) {
            Value::Block(block) => {
                let any: Arc<dyn Any + Send + Sync> = block.clone();
                any.downcast::<B>().map_err(|_| Value::Block(block).wrong_type::<B>())
            }
            other => Err(other.wrong_type::<B>()),
        }
    }

    /// The part with the given number; a value without parts is its own part 0.
    pub fn part(&self, part: u32) -> Option<&Value> {
        match self {
            Value::Parts(parts) => parts.get(part as usize),
            _ => (part == 0).then_some(self),
        }
    }

    fn wrong_type<B>(&self) -> KernelError {
        KernelError::new(format!("expected a {}, got {}", std::any::type_name::<B>(), self.describe()))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Hashes what is written.
struct Digest(Xxh3);

impl std::io::Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
