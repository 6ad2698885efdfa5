//! `.npy` arrays that several tasks write, each its blocks.

use std::io::Write;

use ndarray::ArrayViewD;
use serde::{Deserialize, Serialize};

use super::header::NpyHeader;
use super::runs::Runs;
use super::write::write_elements;
use crate::array::dtype::{DType, Element};
use crate::array::range::StepRange;
use crate::storage::error::{Result, Source, StorageError};
use crate::storage::location::Location;
use crate::storage::unfinished::{Guard, UnfinishedFile, UnfinishedUpload};
use crate::storage::write::{check_writable, write_atomic};

/// Bytes of one part of an upload. Stores want at least 5 MiB for all but the last.
const PART: u64 = 8 << 20;
/// Stores take at most 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// Bytes written at a time.
pub(crate) const BUFFER: u64 = 256 << 10;

/// An array on its way, as tasks know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum NpyOutput {
    /// A local file, in any order; the header is there.
    File(UnfinishedFile, NpyHeader),
    /// A large object, in parts of this many elements of the flat array; the header goes with the first.
    Parts(UnfinishedUpload, NpyHeader, usize),
    /// A small object, at once.
    Whole(Location, NpyHeader),
}

impl NpyOutput {
    /// Begins an array: makes sure that it can be written, too.
    pub(crate) fn begin(
        location: &Location,
        dtype: DType,
        shape: &[usize],
        fortran: bool,
    ) -> Result<(NpyOutput, Option<Guard>)> {
        let header = NpyHeader::new(dtype, shape, fortran);
        let size = header.offset.saturating_add(header.data_bytes());
        if let Some((file, guard)) = UnfinishedFile::begin(location, &header.to_bytes()?, size)? {
            return Ok((NpyOutput::File(file, header), Some(guard)));
        }
        let header = NpyHeader { fortran: false, ..header };
        if size <= PART {
            check_writable(location)?;
            return Ok((NpyOutput::Whole(location.clone(), header), None));
        }
        let (upload, guard) = UnfinishedUpload::begin(location)?;
        let part = PART.max(size.div_ceil(MOST_PARTS)) / dtype.size() as u64;
        Ok((NpyOutput::Parts(upload, header, part as usize), Some(guard)))
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        match self {
            NpyOutput::File(file, _) => file.location(),
            NpyOutput::Parts(upload, ..) => upload.location(),
            NpyOutput::Whole(location, _) => location,
        }
    }

    /// Writes a block: of a file the region that begins at `origin`, of an object part `number` (or all of it). Gives what
    /// [`finish`](NpyOutput::finish) wants to know of it.
    pub(crate) fn write<T: Element>(
        &self,
        number: usize,
        origin: &[usize],
        block: &ArrayViewD<'_, T>,
    ) -> Result<String> {
        match self {
            NpyOutput::File(file, header) => write_region(file, header, origin, block).map(|()| String::new()),
            NpyOutput::Parts(upload, header, _) => {
                let mut bytes = if number == 0 { header.to_bytes()? } else { Vec::new() };
                bytes.reserve_exact(size_of::<T>() * block.len());
                write_elements(&mut bytes, block).map_err(|error| failed(self.location(), error))?;
                upload.put(number, bytes)
            }
            NpyOutput::Whole(location, header) => {
                write_atomic(location, |writer| {
                    writer.write_all(&header.to_bytes()?)?;
                    write_elements(writer, block)?;
                    Ok::<(), Source>(())
                })?;
                Ok(String::new())
            }
        }
    }

    /// Gives the object its name; `parts` is what the writes gave, in order.
    pub(crate) fn finish(&self, parts: Vec<String>) -> Result<()> {
        match self {
            NpyOutput::File(file, _) => file.finish(),
            NpyOutput::Parts(upload, ..) => upload.finish(parts),
            NpyOutput::Whole(..) => Ok(()),
        }
    }
}

fn failed(location: &Location, error: impl Into<Source>) -> StorageError {
    StorageError::Write { url: location.to_string(), source: error.into() }
}

/// Writes a block where it belongs in a file, run by run.
fn write_region<T: Element>(
    file: &UnfinishedFile,
    header: &NpyHeader,
    origin: &[usize],
    block: &ArrayViewD<'_, T>,
) -> Result<()> {
    let range = |(&start, &length): (&usize, &usize)| StepRange { start, step: 1, length };
    let ranges: Vec<StepRange> = origin.iter().zip(block.shape()).map(range).collect();
    let runs = Runs::new(header, &ranges, &file.location().to_string())?;
    let view = if header.fortran { block.view().reversed_axes() } else { block.view() };
    let (mut output, mut bytes) = (file.open()?, Vec::new());
    let encode = |elements: &[T], bytes: &mut Vec<u8>| {
        bytes.resize(size_of_val(elements), 0);
        T::write_le(elements, bytes);
    };
    // Elements of the block in the order of the file: in memory as they are, or gathered run by run.
    let slice = view.as_slice();
    let (mut elements, mut gathered, mut done) = (view.iter().copied(), Vec::new(), 0);
    for part in runs.parts(BUFFER, 0) {
        let count = (part.span.end - part.span.start) as usize / size_of::<T>();
        match slice.and_then(|slice| slice.get(done..done + count)) {
            Some(run) => encode(run, &mut bytes),
            None => {
                gathered.clear();
                gathered.extend(elements.by_ref().take(count));
                encode(&gathered, &mut bytes);
            }
        }
        done += count;
        output.write_at(part.span.start, &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read_array;
    use super::*;
    use crate::storage::ObjectRef;
    use ndarray::{Array, Axis, IxDyn, Slice};

    #[test]
    fn blocks_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::parse(folder.path().join("x.npy").to_str().unwrap()).unwrap();
        let array = Array::from_shape_fn(IxDyn(&[5, 4, 3]), |at| (at[0] * 100 + at[1] * 10 + at[2]) as f32);
        for fortran in [false, true] {
            let (output, guard) = NpyOutput::begin(&location, DType::F32, array.shape(), fortran).unwrap();
            for (number, rows) in [2..5, 0..2].into_iter().enumerate() {
                for columns in [0..1, 1..4] {
                    let (row, column) = (rows.start, columns.start);
                    let mut block = array.view();
                    block.slice_axis_inplace(Axis(0), Slice::from(rows.clone()));
                    block.slice_axis_inplace(Axis(1), Slice::from(columns));
                    output.write(number, &[row, column, 0], &block).unwrap();
                }
            }
            output.finish(Vec::new()).unwrap();
            drop(guard);
            assert_eq!(read_array::<f32>(&ObjectRef::open(&location).unwrap()).unwrap(), array);
        }
    }
}
