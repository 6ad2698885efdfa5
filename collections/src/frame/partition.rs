//! The block of frames: one partition.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::DataFrame;
use talatat_graph::{Block, Brief, KernelError, KernelResult, Value};

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
        let Some((height, stream)) = bytes.split_first_chunk::<8>() else {
            return Err(KernelError::new("a frame's bytes are too short"));
        };
        let height = usize::try_from(u64::from_le_bytes(*height)).map_err(KernelError::from_source)?;
        let frame = DataFrame::deserialize_from_reader(&mut Cursor::new(stream)).map_err(KernelError::from_source)?;
        // A stream without columns does not know its rows.
        match frame.width() {
            0 => Ok(DataFrame::empty_with_height(height)),
            _ if frame.height() == height => Ok(frame),
            _ => Err(KernelError::new(format!("a frame of {height} rows arrived with {}", frame.height()))),
        }
    }

    pub(crate) fn decode_block(bytes: &[u8]) -> KernelResult<Arc<dyn Block>> {
        Ok(Arc::new(Partition(Self::decode(bytes)?)))
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
