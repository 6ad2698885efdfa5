//! Rows out of row groups: the columns of the filter first, the others only where it keeps rows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::{
    BooleanChunked, ChunkExpandAtIndex, ChunkFillNullValue, Column, DataFrame, DataType, Expr, IntoColumn, IntoLazy,
    PlSmallStr, PolarsError, Schema, Series,
};
use polars_buffer::Buffer;
use polars_io::parquet::read::_internal::{calc_prefilter_cost, to_deserializer};
use polars_parquet::read::{Filter, RowGroupMetadata};
use serde::{Deserialize, Serialize};

use super::footer::{Footer, bad, guarded};
use super::hive;
use super::pieces::Piece;
use crate::frame::csv::join;
use crate::frame::scan::Pushed;
use crate::frame::step::{Step, run_steps};
use crate::frame::wire::Wire;
use crate::storage::error::{Result, StorageError};
use crate::storage::{ObjectRef, read_many};

/// A file and the values of the columns that are the same in all its rows, in the order of the reader's `constants`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ParquetFile {
    pub(crate) object: ObjectRef,
    pub(crate) constants: Vec<Option<String>>,
}

/// What reading a partition needs to know; a part of a kernel's parameters. Footers are not: they are read again where they are not known.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ParquetReader {
    /// The number of the first partition here, for messages.
    pub(crate) first: u64,
    pub(crate) files: Arc<[ParquetFile]>,
    pub(crate) partitions: Arc<[Arc<[Piece]>]>,
    /// All columns as they come out, in order.
    pub(crate) schema: Arc<Wire<Schema>>,
    /// The names of those that are the same in all rows of a file.
    pub(crate) constants: Arc<[String]>,
    pub(crate) pushed: Pushed,
}

/// A piece with what is known of it.
struct Place<'a> {
    piece: Piece,
    file: &'a ParquetFile,
    footer: Arc<Footer>,
    number: u64,
}

/// A partition on its way.
struct Columns<'a> {
    reader: &'a ParquetReader,
    fetched: Fetched,
}

impl ParquetReader {
    /// The same for one partition alone: what travels with its task.
    pub(crate) fn only(&self, number: usize) -> ParquetReader {
        let pieces: Vec<Piece> = self.partitions.get(number).map(|pieces| pieces.to_vec()).unwrap_or_default();
        let mut files: Vec<ParquetFile> = Vec::new();
        let mut last = None;
        let pieces: Vec<Piece> = pieces
            .into_iter()
            .map(|piece| {
                if last != Some(piece.file) {
                    files.extend(self.files.get(piece.file as usize).cloned());
                    last = Some(piece.file);
                }
                Piece { file: files.len().saturating_sub(1) as u32, ..piece }
            })
            .collect();
        ParquetReader {
            first: self.first + number as u64,
            files: files.into(),
            partitions: [Arc::from(pieces)].into(),
            ..self.clone()
        }
    }

    /// The rows of partition `number` that the filter keeps, after `steps`. At least `limit` rows, if there are as many.
    ///
    /// # Errors
    /// If a file cannot be read, is damaged, or has changed.
    pub(crate) fn read(&self, number: usize, steps: &[Step], limit: usize) -> Result<DataFrame> {
        let pieces: &[Piece] = self.partitions.get(number).map_or(&[], |pieces| pieces);
        let failed = |error: PolarsError| {
            let first = error.to_string().lines().next().unwrap_or_default().to_string();
            match pieces.first().and_then(|piece| self.files.get(piece.file as usize)) {
                Some(file) => bad(&file.object, format!("partition {}: {first}", self.first + number as u64)),
                None => StorageError::BadParquet { url: String::new(), reason: first },
            }
        };
        // Who wants a few rows reads row group after row group, and no more of it.
        let batch = if limit == usize::MAX { pieces.len().max(1) } else { 1 };
        let exact = self.pushed.predicate.is_none() && steps.iter().all(Step::keeps_rows);
        let mut frames: Vec<DataFrame> = Vec::new();
        let mut rows = 0;
        for pieces in pieces.chunks(batch) {
            if rows >= limit {
                break;
            }
            let most = if exact { limit - rows } else { usize::MAX };
            let places = pieces.iter().map(|piece| self.place(*piece, number, most)).collect::<Result<Vec<_>>>()?;
            let made = self.batch(&places)?;
            if made.is_empty() {
                continue;
            }
            let frame = join(made).and_then(|frame| run_steps(frame, steps)).map_err(failed)?;
            rows += frame.height();
            frames.push(frame);
        }
        if frames.is_empty() {
            frames.push(run_steps(DataFrame::empty_with_schema(&self.wanted()), steps).map_err(failed)?);
        }
        join(frames).map_err(failed)
    }

    fn place(&self, piece: Piece, number: usize, limit: usize) -> Result<Place<'_>> {
        let Some(file) = self.files.get(piece.file as usize) else {
            return Err(StorageError::BadParquet {
                url: String::new(),
                reason: format!("file {} is not known", piece.file),
            });
        };
        let footer = Footer::of(&file.object)?;
        let rows = footer.metadata.row_groups.get(piece.group as usize).map(|group| group.num_rows() as u64);
        if rows.is_none_or(|rows| piece.end > rows || piece.start > piece.end) {
            return Err(bad(
                &file.object,
                format!("row group {} is not as it was when the file was opened", piece.group),
            ));
        }
        let end = piece.end.min(piece.start.saturating_add(limit as u64));
        Ok(Place { piece: Piece { end, ..piece }, file, footer, number: self.first + number as u64 })
    }

    /// The columns that come out, in order.
    fn wanted(&self) -> Schema {
        self.schema.0.iter().filter(|(name, _)| self.pushed.wants(name)).map(own).collect()
    }

    /// Frames of pieces that are fetched together.
    fn batch(&self, places: &[Place<'_>]) -> Result<Vec<DataFrame>> {
        let wanted = self.wanted();
        let mut columns = Columns { reader: self, fetched: Fetched::default() };
        let Some(predicate) = &self.pushed.predicate else {
            columns.fetch(places, &wanted)?;
            return places.iter().map(|place| columns.frame(place, &wanted, None)).collect();
        };
        let reads = self.pushed.filters_by();
        let early: Schema = self.schema.0.iter().filter(|(name, _)| reads.contains(name)).map(own).collect();
        let late: Schema = wanted.iter().filter(|(name, _)| !reads.contains(name)).map(own).collect();
        // A request to a store far away takes as long as fetching megabytes: all that may be needed is fetched at once.
        if places.iter().any(|place| place.file.object.location().scheme().is_remote()) {
            columns.fetch(places, &early.iter().chain(late.iter()).map(own).collect())?;
        } else {
            columns.fetch(places, &early)?;
        }
        // One condition on all pieces: with many small ones asking costs more than answering.
        let firsts = places.iter().map(|place| columns.frame(place, &early, None)).collect::<Result<Vec<_>>>()?;
        let Some(last) = places.last() else { return Ok(Vec::new()) };
        let first = join(firsts).map_err(|error| last.failed(&error))?;
        let mask = mask(&first, &predicate.0).map_err(|error| last.failed(&error))?;
        let first = match mask.all() {
            true => first,
            false => first.filter(&mask).map_err(|error| last.failed(&error))?,
        };
        let (mut row, mut kept_row) = (0, 0);
        let mut alive = Vec::with_capacity(places.len());
        for place in places {
            let own = mask.slice(row, place.piece.rows() as usize);
            let kept = own.num_trues();
            if kept > 0 {
                alive.push((place.again(), first.slice(kept_row, kept), own, kept));
            }
            row += place.piece.rows() as i64;
            kept_row += kept as i64;
        }
        columns.fetch(alive.iter().map(|(place, ..)| place), &late)?;
        let mut frames = Vec::with_capacity(alive.len());
        for (place, first, mask, kept) in alive {
            let rest = columns.frame(&place, &late, Some((&mask, kept)))?;
            let all = wanted.iter_names().map(|name| first.column(name).or_else(|_| rest.column(name)).cloned());
            let all = all.collect::<std::result::Result<Vec<Column>, PolarsError>>();
            frames.push(all.and_then(|all| DataFrame::new(kept, all)).map_err(|error| place.failed(&error))?);
        }
        Ok(frames)
    }
}

fn own((name, dtype): (&PlSmallStr, &DataType)) -> (PlSmallStr, DataType) {
    (name.clone(), dtype.clone())
}

/// Which rows a condition keeps: those for which it is true, not those for which it is missing.
fn mask(frame: &DataFrame, condition: &Expr) -> std::result::Result<BooleanChunked, PolarsError> {
    let result = frame.clone().lazy().select([condition.clone().alias("kept")]).collect()?;
    let kept = result.column("kept")?.bool()?.rechunk().into_owned();
    let kept = if kept.len() == 1 && frame.height() != 1 { kept.new_from_index(0, frame.height()) } else { kept };
    if kept.null_count() == 0 { Ok(kept) } else { kept.fill_null_with_values(false) }
}

/// Whether decoding some rows is less work than decoding all and filtering: few are left, or they stand together.
fn leaves_out(mask: &BooleanChunked, kept: usize) -> bool {
    kept.saturating_mul(4) <= mask.len() || calc_prefilter_cost(mask.rechunk().downcast_as_array().values()) <= 0.01
}

impl<'a> Place<'a> {
    fn again(&self) -> Place<'a> {
        Place { footer: self.footer.clone(), ..*self }
    }

    /// The row group; its number was checked.
    fn group(&self) -> Option<&RowGroupMetadata> {
        self.footer.metadata.row_groups.get(self.piece.group as usize)
    }

    /// An error with the file, the partition and the row group.
    fn wrong(&self, what: &str) -> StorageError {
        bad(&self.file.object, format!("partition {}, row group {}: {what}", self.number, self.piece.group))
    }

    fn failed(&self, error: &PolarsError) -> StorageError {
        self.wrong(error.to_string().lines().next().unwrap_or_default())
    }
}

impl Columns<'_> {
    /// Fetches the bytes of columns, those that are not there yet.
    fn fetch<'a>(&mut self, places: impl IntoIterator<Item = &'a Place<'a>>, columns: &Schema) -> Result<()> {
        let mut wanted = Vec::new();
        for place in places {
            let groups = place.group();
            for name in columns.iter_names().filter(|name| !self.is_constant(name)) {
                let chunks = groups.and_then(|group| group.columns_under_root_iter(name));
                wanted.extend(chunks.into_iter().flatten().map(|chunk| (place.piece.file, chunk.byte_range())));
            }
        }
        self.fetched.fetch(&self.reader.files, wanted)
    }

    fn is_constant(&self, name: &str) -> bool {
        self.reader.constants.iter().any(|constant| constant == name)
    }

    /// Columns of a piece; with a mask those rows alone.
    fn frame(&self, place: &Place<'_>, columns: &Schema, mask: Option<(&BooleanChunked, usize)>) -> Result<DataFrame> {
        let rows = mask.map_or(place.piece.rows() as usize, |(_, kept)| kept);
        let mut made = Vec::with_capacity(columns.len());
        for (name, dtype) in columns.iter() {
            let column = match self.reader.constants.iter().position(|constant| constant == name.as_str()) {
                Some(at) => {
                    let value = place.file.constants.get(at).and_then(|value| value.as_deref());
                    hive::column(name, value, dtype, rows).map_err(|error| place.failed(&error))?
                }
                None => self.column(place, name, dtype, mask, rows)?,
            };
            made.push(column);
        }
        DataFrame::new(rows, made).map_err(|error| place.failed(&error))
    }

    fn column(
        &self,
        place: &Place<'_>,
        name: &PlSmallStr,
        dtype: &DataType,
        mask: Option<(&BooleanChunked, usize)>,
        rows: usize,
    ) -> Result<Column> {
        let chunks = place.group().and_then(|group| Some((group.num_rows(), group.columns_under_root_iter(name)?)));
        let (Some(field), Some((total, chunks))) = (place.footer.arrow.get(name), chunks) else {
            return Ok(Column::full_null(name.clone(), rows, dtype));
        };
        let chunks: Vec<_> = chunks.collect();
        let start = chunks.first().map_or(0, |chunk| chunk.byte_range().start);
        let wrong = |what: String| place.wrong(&format!("column `{name}` (from byte {start}): {what}"));
        let bytes = chunks.iter().map(|chunk| Some((*chunk, self.fetched.get(place.piece.file, &chunk.byte_range())?)));
        let bytes = bytes.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("its bytes were not fetched".into()))?;
        let range = place.piece.start as usize..place.piece.end as usize;
        let whole = range.len() == total;
        // What is made of pages one by one can leave out rows; nested columns are filtered when they are there.
        let masked = mask.filter(|(mask, kept)| *kept < mask.len());
        let (filter, after) = match masked {
            None => ((!whole).then_some(Filter::Range(range)), None),
            Some((mask, kept)) if whole && !field.dtype.is_nested() && leaves_out(mask, kept) => {
                (Some(Filter::Mask(mask.rechunk().downcast_as_array().values().clone())), None)
            }
            Some((mask, _)) => ((!whole).then_some(Filter::Range(range)), Some(mask)),
        };
        let series = guarded(|| {
            let (arrays, _) = to_deserializer(bytes, field.clone(), filter).map_err(|error| error.to_string())?;
            let series = Series::try_from((field, arrays)).map_err(|error| error.to_string())?;
            let series = match after {
                Some(mask) => series.filter(mask).map_err(|error| error.to_string())?,
                None => series,
            };
            if series.len() != rows {
                return Err(format!("{} values where {rows} were promised", series.len()));
            }
            Ok(series)
        });
        let series = series.map_err(|what| wrong(format!("it cannot be decoded: {what}; the file is damaged")))?;
        if series.dtype() == dtype {
            return Ok(series.into_column());
        }
        let cast = series.strict_cast(dtype).map_err(|error| {
            wrong(format!("a value does not fit {dtype}: {}", error.to_string().lines().next().unwrap_or_default()))
        })?;
        Ok(cast.into_column())
    }
}

/// Bytes between two ranges that are read with them rather than with another request.
const GAP_LOCAL: u64 = 64 << 10;
const GAP_REMOTE: u64 = 1 << 20;
/// Ranges are not joined beyond this, so that several requests are under way.
const REQUEST: u64 = 16 << 20;

/// Bytes of files, by file and range.
#[derive(Default)]
struct Fetched {
    chunks: HashMap<(u32, u64), Bytes>,
}

impl Fetched {
    /// Fetches ranges of files; near ones with one request.
    fn fetch(&mut self, files: &[ParquetFile], mut wanted: Vec<(u32, Range<u64>)>) -> Result<()> {
        wanted.retain(|(file, range)| !self.chunks.contains_key(&(*file, range.start)));
        wanted.sort_unstable_by_key(|(file, range)| (*file, range.start, range.end));
        let mut requests: Vec<(u32, Range<u64>)> = Vec::new();
        for (file, range) in &wanted {
            let remote = files.get(*file as usize).is_some_and(|file| file.object.location().scheme().is_remote());
            let gap = if remote { GAP_REMOTE } else { GAP_LOCAL };
            match requests.last_mut() {
                Some((last, whole))
                    if last == file
                        && range.start <= whole.end.saturating_add(gap)
                        && range.end.max(whole.end) - whole.start <= REQUEST =>
                {
                    whole.end = whole.end.max(range.end);
                }
                _ => requests.push((*file, range.clone())),
            }
        }
        let asked = requests
            .iter()
            .filter_map(|(file, range)| Some((files.get(*file as usize)?.object.clone(), range.clone())));
        let bytes = read_many(asked.collect())?;
        let mut whole = requests.iter().zip(&bytes).peekable();
        for (file, range) in wanted {
            let holds = |request: &(u32, Range<u64>)| {
                request.0 == file && request.1.start <= range.start && range.end <= request.1.end
            };
            while whole.peek().is_some_and(|(request, _)| !holds(request)) {
                whole.next();
            }
            if let Some((request, bytes)) = whole.peek() {
                let start = (range.start - request.1.start) as usize;
                let end = (range.end - request.1.start) as usize;
                if end <= bytes.len() {
                    self.chunks.insert((file, range.start), bytes.slice(start..end));
                }
            }
        }
        Ok(())
    }

    fn get(&self, file: u32, range: &Range<u64>) -> Option<Buffer<u8>> {
        let bytes = self.chunks.get(&(file, range.start))?;
        (bytes.len() as u64 == range.end - range.start).then(|| Buffer::from_owner(bytes.clone()))
    }
}
