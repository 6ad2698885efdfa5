//! The block of frames: one partition.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::DataFrame;
use talatat_graph::{Block, Brief, KernelError, KernelResult, Value};

use super::stream::Stream;

/// Bytes of a frame that are written at once.
const PIECE: usize = 8 << 20;

/// One partition of a frame: a [`DataFrame`] on its way along the edges of a graph.
///
/// ```
/// use talatat_collections::frame::{DataFrame, Partition};
/// use talatat_graph::{Block, Value};
/// let value = Value::block(Partition(DataFrame::empty_with_height(3)));
/// assert_eq!(value.get::<Partition>()?.describe(), "frame[3, 0]");
/// # Ok::<(), talatat_graph::KernelError>(())
/// ```
#[derive(Clone)]
pub struct Partition(
    /// The rows.
    pub DataFrame,
);

impl Partition {
    pub(crate) const CODEC: &'static str = "frame";

    /// Takes the frame out of an input; one that others hold, too, is shared.
    ///
    /// # Errors
    /// If the value is no partition.
    pub fn take(value: &mut Value) -> KernelResult<DataFrame> {
        Ok(match Arc::try_unwrap(value.take::<Partition>()?) {
            Ok(partition) => partition.0,
            Err(shared) => shared.0.clone(),
        })
    }

    /// Reads what [`Block::encode`] wrote: the number of rows, then an Arrow IPC stream.
    pub(crate) fn decode(bytes: &[u8]) -> KernelResult<DataFrame> {
        match bytes.split_first_chunk::<8>() {
            Some((&height, mut stream)) => Self::read(height, &mut stream),
            None => Err(KernelError::new("a frame's bytes are too short")),
        }
    }

    pub(crate) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Block>> {
        Ok(Arc::new(Partition(Self::decode(bytes)?)))
    }

    /// Reads what [`Block::write`] wrote, column after column: without a copy of the bytes beside them.
    pub(crate) fn read_block(bytes: &mut dyn Read, _: u64) -> KernelResult<Arc<dyn Block>> {
        let mut height = [0; 8];
        bytes.read_exact(&mut height).map_err(KernelError::from_source)?;
        Ok(Arc::new(Partition(Self::read(height, bytes)?)))
    }

    fn read(height: [u8; 8], bytes: &mut dyn Read) -> KernelResult<DataFrame> {
        let height = usize::try_from(u64::from_le_bytes(height)).map_err(KernelError::from_source)?;
        // Polars panics where values and lengths do not fit each other.
        let read = catch_unwind(AssertUnwindSafe(|| DataFrame::deserialize_from_reader(&mut Stream::new(bytes))));
        let read = read.map_err(|_| KernelError::new("a frame's bytes are damaged"))?;
        let frame = read.map_err(KernelError::from_source)?;
        // A stream without columns does not know its rows.
        match frame.width() {
            0 => Ok(DataFrame::empty_with_height(height)),
            _ if frame.height() == height => Ok(frame),
            _ => Err(KernelError::new(format!("a frame of {height} rows arrived with {}", frame.height()))),
        }
    }

    /// The rows in chunks that are written one by one, so that no more than a chunk is there twice meanwhile. A chunk of texts would
    /// take the texts of all rows with it: those stay together.
    fn in_pieces(&self) -> DataFrame {
        let frame = &self.0;
        let fixed = frame.dtypes().iter().all(|dtype| dtype.is_primitive() || dtype.is_temporal() || dtype.is_bool());
        let rows = (frame.height() * PIECE).checked_div(frame.estimated_size()).unwrap_or(0).max(1);
        if !fixed || rows >= frame.height() {
            return frame.clone();
        }
        let mut pieces = frame.slice(0, rows);
        for start in (rows..frame.height()).step_by(rows) {
            // Columns of one frame: they fit.
            if pieces.vstack_mut(&frame.slice(start as i64, rows)).is_err() {
                return frame.clone();
            }
        }
        pieces
    }
}

impl Block for Partition {
    fn nbytes(&self) -> usize {
        self.0.estimated_size()
    }

    fn brief(&self) -> Brief {
        Brief::new("frame", &[self.0.height(), self.0.width()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Self::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend((self.0.height() as u64).to_le_bytes());
        // Writing wants exclusive access to merge chunks; the columns themselves stay shared.
        self.0.clone().serialize_into_writer(out).map_err(KernelError::from_source)
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(&(self.0.height() as u64).to_le_bytes())?;
        self.in_pieces().serialize_into_writer(out).map_err(std::io::Error::other)
    }
}

/// Raw bytes of a file, between reading and parsing.
pub(crate) struct RawBytes(pub(crate) Bytes);

impl RawBytes {
    pub(crate) const CODEC: &'static str = "frame.bytes";

    pub(crate) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Block>> {
        Ok(Arc::new(RawBytes(Bytes::copy_from_slice(bytes))))
    }
}

impl Block for RawBytes {
    fn nbytes(&self) -> usize {
        self.0.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("bytes", &[self.0.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Self::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

/// The first rows so far, and whether the next block of the file begins inside of quotes.
pub(crate) struct HeadRows {
    pub(crate) frame: DataFrame,
    pub(crate) in_quotes: bool,
}

impl HeadRows {
    pub(crate) const CODEC: &'static str = "frame.head";

    pub(crate) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Block>> {
        let (quotes, rest) =
            bytes.split_first().ok_or_else(|| KernelError::new("the first rows' bytes are too short"))?;
        Ok(Arc::new(HeadRows { frame: Partition::decode(rest)?, in_quotes: *quotes != 0 }))
    }
}

impl Block for HeadRows {
    fn nbytes(&self) -> usize {
        self.frame.estimated_size()
    }

    fn brief(&self) -> Brief {
        Brief::new("frame", &[self.frame.height(), self.frame.width()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Self::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.push(u8::from(self.in_quotes));
        Partition(self.frame.clone()).encode(out)
    }
}

/// A partition that has been computed: in memory, on disk because memory is short, or elsewhere.
#[derive(Clone)]
pub(crate) struct Held(Value);

impl Held {
    /// A computed block, checked to be a partition.
    ///
    /// # Errors
    /// If it is something else.
    pub(crate) fn of(value: Value) -> KernelResult<Held> {
        if !matches!(value, Value::Spilled(_) | Value::Remote(_)) {
            value.get::<Partition>()?;
        }
        Ok(Held(value))
    }

    pub(crate) fn rows(&self) -> usize {
        self.0.brief().extents().first().map_or(0, |&rows| rows as usize)
    }

    /// The block, wherever it is.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// Whether it is on another machine or in a store.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.0, Value::Remote(_))
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.nbytes() as u64 + self.0.on_disk()
    }

    /// The rows; read back if they are on disk.
    pub(crate) fn frame(&self) -> KernelResult<DataFrame> {
        Partition::take(&mut self.0.clone().loaded().map_err(KernelError::from_source)?)
    }
}

impl From<DataFrame> for Held {
    fn from(frame: DataFrame) -> Held {
        Held(Value::block(Partition(frame)))
    }
}
