//! Names of kernels and blocks, and how to read them back.

use std::io::Read;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::de::DeserializeOwned;

use crate::after::{AFTER, After};
use crate::error::{Error, KernelError, KernelResult, Result};
use crate::optimize::{FUSED, Fused};
use crate::task::Kernel;
use crate::value::{Block, Value};

type DecodeKernel = fn(&[u8]) -> KernelResult<Arc<dyn Kernel>>;
type DecodeBlock = fn(&[u8]) -> KernelResult<Arc<dyn Block>>;
type ReadBlock = fn(&mut dyn Read, u64) -> KernelResult<Arc<dyn Block>>;

/// The table of operations and block types that can travel between processes.
///
/// Both sides of a wire need the same names; nothing else of a task travels than its operation's name,
/// its parameters and its edges.
#[derive(Clone, Default)]
pub struct Registry {
    kernels: HashMap<&'static str, DecodeKernel>,
    blocks: HashMap<&'static str, DecodeBlock>,
    readers: HashMap<&'static str, ReadBlock>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kernel type whose parameters are read with `serde`.
    pub fn kernel<K: Kernel + DeserializeOwned>(mut self, name: &'static str) -> Self {
        self.kernels.insert(name, |bytes| {
            let kernel: K = postcard::from_bytes(bytes).map_err(KernelError::from_source)?;
            Ok(Arc::new(kernel))
        });
        self
    }

    /// Adds a kernel with a decoder of its own.
    pub fn kernel_with(mut self, name: &'static str, decode: DecodeKernel) -> Self {
        self.kernels.insert(name, decode);
        self
    }

    /// Adds a block type.
    pub fn block(mut self, codec: &'static str, decode: DecodeBlock) -> Self {
        self.blocks.insert(codec, decode);
        self
    }

    /// Says how a block type is read from a stream, given about how many bytes it takes in memory: without a copy of the stream's
    /// bytes beside the block.
    pub fn block_reader(mut self, codec: &'static str, read: ReadBlock) -> Self {
        self.readers.insert(codec, read);
        self
    }

    /// Reads a block from a stream that holds it and nothing else.
    pub(crate) fn read_block(&self, codec: &str, bytes: &mut dyn Read, nbytes: u64) -> KernelResult<Arc<dyn Block>> {
        if let Some(read) = self.readers.get(codec) {
            return read(bytes, nbytes);
        }
        let decode = self.blocks.get(codec).ok_or_else(|| KernelError::new(format!("no block codec {codec:?}")))?;
        // Of what is said to come no more than this is believed.
        let mut all = Vec::with_capacity(usize::try_from(nbytes.min(1 << 28)).unwrap_or(0));
        bytes.read_to_end(&mut all).map_err(KernelError::from_source)?;
        decode(&all)
    }

    /// The names of all kernels, sorted.
    pub fn kernel_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.kernels.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Reads a kernel back from its name and parameters.
    pub fn decode_kernel(&self, name: &str, parameters: &[u8]) -> Result<Arc<dyn Kernel>> {
        if name == FUSED {
            return Ok(Arc::new(Fused::decode(self, parameters)?));
        }
        if name == AFTER {
            return Ok(Arc::new(After::decode(self, parameters)?));
        }
        let decode = self.kernels.get(name).ok_or_else(|| Error::NotPortable {
            operation: name.to_string(),
            reason: "no kernel of this name is registered here".into(),
        })?;
        decode(parameters)
            .map_err(|error| Error::NotPortable { operation: name.to_string(), reason: error.to_string() })
    }

    /// Appends a value's bytes to `out`.
    pub fn encode_value(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match value {
            Value::Unit => out.push(0),
            Value::Bool(value) => out.extend([1, u8::from(*value)]),
            Value::I64(value) => number(out, 2, value.to_le_bytes()),
            Value::U64(value) => number(out, 3, value.to_le_bytes()),
            Value::F64(value) => number(out, 4, value.to_le_bytes()),
            Value::Block(block) => {
                let codec = block.codec().ok_or_else(|| Error::NotPortable {
                    operation: block.describe(),
                    reason: "its type has no codec".into(),
                })?;
                out.push(5);
                sized(out, codec.as_bytes());
                // The length is known when the bytes are there: they are not written twice.
                let length = out.len();
                out.extend([0; 8]);
                block
                    .encode(out)
                    .map_err(|error| Error::NotPortable { operation: block.describe(), reason: error.to_string() })?;
                let bytes = (out.len() - length - 8) as u64;
                if let Some(place) = out.get_mut(length..length + 8) {
                    place.copy_from_slice(&bytes.to_le_bytes());
                }
            }
            Value::Spilled(spilled) => self.encode_value(&Value::Block(spilled.read()?), out)?,
            Value::Remote(remote) => self.encode_value(&remote.fetch()?.loaded()?, out)?,
            Value::Parts(parts) => {
                number(out, 6, (parts.len() as u64).to_le_bytes());
                for part in parts {
                    self.encode_value(part, out)?;
                }
            }
        }
        Ok(())
    }

    /// What goes before a block's memory, if its bytes lie there as they are ([`Block::raw`]): both together are the bytes of
    /// [`encode_value`](Registry::encode_value).
    pub fn encode_head(&self, block: &dyn Block) -> Option<Vec<u8>> {
        let (codec, (head, body)) = (block.codec()?, block.raw()?);
        let mut out = vec![5];
        sized(&mut out, codec.as_bytes());
        out.extend(((head.len() + body.len()) as u64).to_le_bytes());
        out.extend(head);
        Some(out)
    }

    /// Reads a value from a stream that holds it and nothing else, blocks without a copy of their bytes if their type can
    /// ([`block_reader`](Registry::block_reader)). Garbage gives an error, never a panic.
    ///
    /// # Errors
    /// If the bytes are not a value's, the stream fails, or a block is of a type that is not registered here.
    pub fn read_value(&self, bytes: &mut dyn Read) -> Result<Value> {
        let malformed = |reason: String| Error::NotPortable { operation: "value".into(), reason };
        let failed = |error: std::io::Error| malformed(format!("its bytes cannot be read: {error}"));
        let mut tag = [0];
        bytes.read_exact(&mut tag).map_err(failed)?;
        if tag != [5] {
            let mut all = tag.to_vec();
            bytes.read_to_end(&mut all).map_err(failed)?;
            return self.decode_value(&mut all.as_slice());
        }
        let mut number = [0; 8];
        bytes.read_exact(&mut number).map_err(failed)?;
        let mut codec = Vec::new();
        bytes.take(u64::from_le_bytes(number).min(1 << 16)).read_to_end(&mut codec).map_err(failed)?;
        let codec = std::str::from_utf8(&codec).map_err(|_| malformed("malformed bytes: codec is not text".into()))?;
        bytes.read_exact(&mut number).map_err(failed)?;
        let length = u64::from_le_bytes(number);
        let block = self.read_block(codec, &mut bytes.take(length), length);
        block.map(Value::Block).map_err(|error| malformed(error.to_string()))
    }

    /// Reads a value from the front of `bytes` and moves past it. Garbage gives an error, never a panic.
    pub fn decode_value(&self, bytes: &mut &[u8]) -> Result<Value> {
        self.decode_nested(bytes, 0)
    }

    fn decode_nested(&self, bytes: &mut &[u8], depth: u32) -> Result<Value> {
        let malformed = |reason: &str| Error::NotPortable {
            operation: "value".into(),
            reason: format!("malformed bytes: {reason}"),
        };
        let [tag] = take::<1>(bytes).ok_or_else(|| malformed("no tag"))?;
        let short = || malformed("too short");
        Ok(match tag {
            0 => Value::Unit,
            1 => Value::Bool(take::<1>(bytes).ok_or_else(short)? != [0]),
            2 => Value::I64(i64::from_le_bytes(take(bytes).ok_or_else(short)?)),
            3 => Value::U64(u64::from_le_bytes(take(bytes).ok_or_else(short)?)),
            4 => Value::F64(f64::from_le_bytes(take(bytes).ok_or_else(short)?)),
            5 => {
                let codec = take_sized(bytes).ok_or_else(short)?;
                let codec = std::str::from_utf8(codec).map_err(|_| malformed("codec is not text"))?;
                let body = take_sized(bytes).ok_or_else(short)?;
                let decode = self.blocks.get(codec).ok_or_else(|| malformed(&format!("no block codec {codec:?}")))?;
                Value::Block(decode(body).map_err(|error| malformed(&error.to_string()))?)
            }
            6 => {
                let count = u64::from_le_bytes(take(bytes).ok_or_else(short)?);
                if count > bytes.len() as u64 || depth > 8 {
                    return Err(malformed("too many parts"));
                }
                Value::Parts((0..count).map(|_| self.decode_nested(bytes, depth + 1)).collect::<Result<_>>()?)
            }
            other => return Err(malformed(&format!("tag {other}"))),
        })
    }
}

fn number(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    out.push(tag);
    out.extend(bytes);
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).ok()?;
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}
