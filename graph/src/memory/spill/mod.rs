//! Blocks on disk.
//!
//! A session has one [`SpillSpace`]: an unlinked temporary file, made when the first block goes to it, so that the system
//! frees it however the process ends. A [`Spilled`] block is a handle on its bytes there; the last handle's drop gives them back.
//! Blocks write themselves ([`Block::write`]): arrays as raw elements, frames as Arrow IPC.

mod extents;
mod file;

use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::executor::invoke_layer;
use crate::layer::Layer;
use crate::registry::Registry;
use crate::value::{Block, Brief, Value};
use file::{ExtentReader, ExtentWriter, SpillFile};

/// Small writes are gathered up to this size; larger ones go to the file as they are.
const BUFFER: usize = 64 << 10;

/// How blocks are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are in memory.
    #[default]
    None,
    /// LZ4: worth it where the disk is slower than about 1 GB/s and the data repeats itself.
    Lz4,
}

/// Where blocks go that do not fit into memory: a folder, a quota, and the file there, once it is needed. Clones share the file.
///
/// ```
/// use std::sync::Arc;
/// use talatat_graph::{Registry, memory::SpillSpace};
/// let space = SpillSpace::new(std::env::temp_dir(), Arc::new(Registry::new())).quota(1 << 30);
/// assert_eq!(space.used(), 0);
/// ```
#[derive(Clone)]
pub struct SpillSpace {
    folder: PathBuf,
    registry: Arc<Registry>,
    quota: Option<u64>,
    compression: Compression,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    file: Mutex<Option<Arc<SpillFile>>>,
    written: AtomicU64,
    read: AtomicU64,
}

impl SpillSpace {
    /// A space in a folder, for blocks that the registry can read back. Nothing is made there before the first block is written.
    pub fn new(folder: impl Into<PathBuf>, registry: Arc<Registry>) -> SpillSpace {
        SpillSpace {
            folder: folder.into(),
            registry,
            quota: None,
            compression: Compression::None,
            shared: Arc::default(),
        }
    }

    /// The most bytes of disk that may be used at once.
    pub fn quota(mut self, bytes: impl Into<Option<u64>>) -> SpillSpace {
        self.quota = bytes.into();
        self
    }

    /// How blocks are written.
    pub fn compression(mut self, compression: Compression) -> SpillSpace {
        self.compression = compression;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of the disk in use.
    pub fn used(&self) -> u64 {
        self.shared.file.lock().as_ref().map_or(0, |file| file.used())
    }

    /// Bytes written and read so far.
    pub fn traffic(&self) -> (u64, u64) {
        (self.shared.written.load(Relaxed), self.shared.read.load(Relaxed))
    }

    /// Makes the file: for whoever wants to know before a long run that it can be made.
    ///
    /// # Errors
    /// [`Error::Spill`] if the folder does not exist or cannot be written to.
    pub fn prepare(&self) -> Result<()> {
        self.file().map(drop)
    }

    fn file(&self) -> Result<Arc<SpillFile>> {
        let mut slot = self.shared.file.lock();
        if let Some(file) = &*slot {
            return Ok(file.clone());
        }
        let file = SpillFile::create(&self.folder, self.quota).map_err(|error| self.failed(error))?;
        Ok(slot.insert(Arc::new(file)).clone())
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::Spill { path: self.folder.display().to_string(), source: Arc::new(error) }
    }

    /// Writes a block; `None` if it is of a kind that cannot be written.
    ///
    /// # Errors
    /// [`Error::Spill`] if the disk or the quota is full, or the disk fails. The block is as it was.
    pub fn write(&self, block: &Arc<dyn Block>) -> Result<Option<Value>> {
        let Some(codec) = block.codec() else { return Ok(None) };
        let file = self.file()?;
        let mut out = BufWriter::with_capacity(BUFFER, ExtentWriter::new(file, block.nbytes() as u64));
        let written = match self.compression {
            Compression::None => block.write(&mut out),
            Compression::Lz4 => {
                let mut frame = lz4_flex::frame::FrameEncoder::new(&mut out);
                let written = block.write(&mut frame);
                written.and_then(|()| frame.finish().map(drop).map_err(std::io::Error::other))
            }
        };
        written.and_then(|()| out.flush()).map_err(|error| self.failed(error))?;
        let stored = out.into_inner().map_err(|error| self.failed(error.into_error()))?.finish();
        self.shared.written.fetch_add(stored.length(), Relaxed);
        Ok(Some(Value::Spilled(Arc::new(Spilled {
            nbytes: block.nbytes() as u64,
            brief: block.brief(),
            place: Place::File(Stored { extents: stored, codec, space: self.clone() }),
            back: Mutex::default(),
        }))))
    }
}

impl std::fmt::Debug for SpillSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SpillSpace({})", self.folder.display())
    }
}

/// A block that is on disk. Dropping the last handle frees its place there.
#[derive(Debug)]
pub struct Spilled {
    nbytes: u64,
    brief: Brief,
    place: Place,
    /// The block while somebody holds it who has read it back.
    back: Mutex<Option<Weak<dyn Block>>>,
}

/// Where a block is.
enum Place {
    /// In the file of a space.
    File(Stored),
    /// Where its task, one without inputs, has read it.
    Source(Box<Layer>, u64),
    /// In a forecast.
    Nowhere,
}

/// A block in a file, and what it is there.
struct Stored {
    extents: file::Stored,
    codec: &'static str,
    space: SpillSpace,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::File(stored) => stored.extents.fmt(f),
            Place::Source(layer, block) => write!(f, "block {block} of {}", layer.kernel.describe()),
            Place::Nowhere => f.write_str("nowhere"),
        }
    }
}

impl Spilled {
    /// A block that is on no disk: for playing through what would happen.
    pub(super) fn nowhere(nbytes: u64) -> Spilled {
        Spilled { nbytes, brief: Brief::default(), place: Place::Nowhere, back: Mutex::default() }
    }

    /// A block that its task, one without inputs, reads again.
    pub(crate) fn at_source((layer, task): (Layer, u64), block: &Arc<dyn Block>) -> Spilled {
        let place = Place::Source(Box::new(layer), task);
        Spilled { nbytes: block.nbytes() as u64, brief: block.brief(), place, back: Mutex::default() }
    }

    /// Bytes that the block takes in memory.
    pub fn nbytes(&self) -> u64 {
        self.nbytes
    }

    /// Bytes of the spill space that it takes.
    pub fn stored_bytes(&self) -> u64 {
        match &self.place {
            Place::File(stored) => stored.extents.length(),
            _ => 0,
        }
    }

    /// What the block is.
    pub fn brief(&self) -> Brief {
        self.brief
    }

    /// Asks the system to have the bytes at hand soon.
    pub fn prefetch(&self) {
        if let Place::File(stored) = &self.place {
            stored.extents.prefetch();
        }
    }

    /// Reads the block back. Of several who ask at once one reads; the others wait and share what it read.
    ///
    /// # Errors
    /// [`Error::Spill`] if the disk fails or the registry does not know the block's kind; what the task fails with that reads it again.
    pub fn read(&self) -> Result<Arc<dyn Block>> {
        let mut back = self.back.lock();
        if let Some(block) = back.as_ref().and_then(Weak::upgrade) {
            return Ok(block);
        }
        let block = self.read_anew()?;
        *back = Some(Arc::downgrade(&block));
        Ok(block)
    }

    fn read_anew(&self) -> Result<Arc<dyn Block>> {
        let Stored { extents, codec, space } = match &self.place {
            Place::File(stored) => stored,
            Place::Source(layer, task) => return self.read_again(layer, *task),
            Place::Nowhere => return Err(Error::InvalidGraph("a block of a forecast was read".into())),
        };
        let mut bytes = BufReader::with_capacity(BUFFER, ExtentReader::new(extents));
        let block = match space.compression {
            Compression::None => space.registry.read_block(codec, &mut bytes, self.nbytes),
            Compression::Lz4 => {
                let mut frame = lz4_flex::frame::FrameDecoder::new(&mut bytes);
                space.registry.read_block(codec, &mut frame, self.nbytes)
            }
        };
        space.shared.read.fetch_add(extents.length(), Relaxed);
        block.map_err(|error| space.failed(std::io::Error::other(error)))
    }

    fn read_again(&self, layer: &Layer, task: u64) -> Result<Arc<dyn Block>> {
        match invoke_layer(layer, task, &mut [], &Cancel::new())? {
            Value::Block(block) if block.nbytes() as u64 == self.nbytes => Ok(block),
            other => Err(Error::InvalidGraph(format!(
                "{} gave a block of {} bytes, and when it was asked again {}",
                layer.kernel.describe(),
                self.nbytes,
                other.nbytes()
            ))),
        }
    }
}
