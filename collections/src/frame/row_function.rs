//! A Rust function over typed columns, row by row: compiled, in parallel, without a value ever boxed.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{
    BooleanChunked, BooleanType, ChunkSet, ChunkedArray, Column, DataFrame, DataType, Float32Type, Float64Type,
    Int32Type, Int64Type, IntoColumn, IntoSeries, NewChunkedArray, PlSmallStr, PolarsError, Schema, StringChunked,
    StringType, UInt32Type, UInt64Type,
};
use talatat_graph::{KernelResult, KeyBuilder};

use super::Frame;
use super::kernels::{MapKernel, failed};
use super::wire::unique;
use crate::error::{Error, Result};
use crate::lower::frame::{Adds, Map};

type Polars<T> = std::result::Result<T, PolarsError>;

/// A type that a row function takes: numbers, truth values, text ([`PlSmallStr`], which keeps short text in place), and
/// `Option` of those. A missing value for one that is no `Option` makes the result missing without a call.
pub trait Cell: Sized + 'static {
    /// The type of the column.
    const DTYPE: DataType;
    /// The column in one piece.
    #[doc(hidden)]
    type Held;
    /// What a row is read of.
    #[doc(hidden)]
    type Reader<'a>: Copy;
    #[doc(hidden)]
    fn hold(column: &Column) -> Polars<Self::Held>;
    #[doc(hidden)]
    fn reader(held: &Self::Held) -> Self::Reader<'_>;
    /// The value of a row; `None` if it is missing and the type cannot say so.
    #[doc(hidden)]
    fn get(reader: Self::Reader<'_>, row: usize) -> Option<Self>;
}

/// A type that a row function gives: as [`Cell`], and `String`.
pub trait Made: Sized + 'static {
    /// The type of the column.
    const DTYPE: DataType;
    #[doc(hidden)]
    fn column(name: PlSmallStr, rows: impl Iterator<Item = Option<Self>>) -> Column;
}

macro_rules! numbers {
    ($($native:ty, $polars:ident, $dtype:ident, $accessor:ident;)*) => {$(
        impl Cell for $native {
            const DTYPE: DataType = DataType::$dtype;
            type Held = ChunkedArray<$polars>;
            /// All values, if none is missing.
            type Reader<'a> = (Option<&'a [$native]>, &'a ChunkedArray<$polars>);

            fn hold(column: &Column) -> Polars<Self::Held> {
                Ok(column.as_materialized_series().rechunk().$accessor()?.clone())
            }

            fn reader(held: &Self::Held) -> Self::Reader<'_> {
                (held.cont_slice().ok(), held)
            }

            #[inline]
            fn get((all, array): Self::Reader<'_>, row: usize) -> Option<Self> {
                match all {
                    Some(values) => values.get(row).copied(),
                    None => array.get(row),
                }
            }
        }

        impl Made for $native {
            const DTYPE: DataType = DataType::$dtype;

            fn column(name: PlSmallStr, rows: impl Iterator<Item = Option<Self>>) -> Column {
                // Most results are there: a plain vector is filled, and what is missing is noted beside it.
                let mut missing = Vec::new();
                let mut values = Vec::with_capacity(rows.size_hint().0);
                values.extend(rows.enumerate().map(|(row, value)| {
                    value.unwrap_or_else(|| {
                        missing.push(row);
                        Self::default()
                    })
                }));
                let rows = values.len();
                let array = ChunkedArray::<$polars>::from_vec(name, values);
                if missing.is_empty() {
                    return array.into_series().into_column();
                }
                let mut holes = vec![false; rows];
                for row in missing {
                    if let Some(hole) = holes.get_mut(row) {
                        *hole = true;
                    }
                }
                let holes = BooleanChunked::from_slice(PlSmallStr::EMPTY, &holes);
                array.set(&holes, None).unwrap_or(array).into_series().into_column()
            }
        }
    )*};
}

numbers! {
    i32, Int32Type, Int32, i32;
    i64, Int64Type, Int64, i64;
    u32, UInt32Type, UInt32, u32;
    u64, UInt64Type, UInt64, u64;
    f32, Float32Type, Float32, f32;
    f64, Float64Type, Float64, f64;
}

macro_rules! others {
    ($($native:ty, $polars:ident, $dtype:ident, $accessor:ident;)*) => {$(
        impl Cell for $native {
            const DTYPE: DataType = DataType::$dtype;
            type Held = ChunkedArray<$polars>;
            type Reader<'a> = &'a ChunkedArray<$polars>;

            fn hold(column: &Column) -> Polars<Self::Held> {
                Ok(column.as_materialized_series().rechunk().$accessor()?.clone())
            }

            fn reader(held: &Self::Held) -> Self::Reader<'_> {
                held
            }

            #[inline]
            fn get(array: Self::Reader<'_>, row: usize) -> Option<Self> {
                array.get(row).map(Into::into)
            }
        }

        impl Made for $native {
            const DTYPE: DataType = DataType::$dtype;

            fn column(name: PlSmallStr, rows: impl Iterator<Item = Option<Self>>) -> Column {
                ChunkedArray::<$polars>::from_iter_options(name, rows).into_series().into_column()
            }
        }
    )*};
}

others! {
    bool, BooleanType, Boolean, bool;
    PlSmallStr, StringType, String, str;
}

impl Made for String {
    const DTYPE: DataType = DataType::String;

    fn column(name: PlSmallStr, rows: impl Iterator<Item = Option<Self>>) -> Column {
        StringChunked::from_iter_options(name, rows).into_series().into_column()
    }
}

impl<C: Cell> Cell for Option<C> {
    const DTYPE: DataType = C::DTYPE;
    type Held = C::Held;
    type Reader<'a> = C::Reader<'a>;

    fn hold(column: &Column) -> Polars<Self::Held> {
        C::hold(column)
    }

    fn reader(held: &Self::Held) -> Self::Reader<'_> {
        C::reader(held)
    }

    #[inline]
    fn get(reader: Self::Reader<'_>, row: usize) -> Option<Self> {
        Some(C::get(reader, row))
    }
}

impl<M: Made> Made for Option<M> {
    const DTYPE: DataType = M::DTYPE;

    fn column(name: PlSmallStr, rows: impl Iterator<Item = Option<Self>>) -> Column {
        M::column(name, rows.map(Option::flatten))
    }
}

/// A function or closure of up to eight [`Cell`]s that gives a [`Made`]: what [`Frame::map_rows`] takes. Nobody else implements it.
pub trait RowFunction<Args>: Send + Sync + 'static {
    /// The type of the result.
    #[doc(hidden)]
    const DTYPE: DataType;
    /// The types of the arguments.
    #[doc(hidden)]
    fn takes() -> Vec<DataType>;
    /// Calls it for each row.
    #[doc(hidden)]
    fn run(&self, name: PlSmallStr, columns: &[Column]) -> Polars<Column>;
}

macro_rules! row_functions {
    ($($arg:ident)*) => {
        impl<Function, Result, $($arg),*> RowFunction<($($arg,)*)> for Function
        where
            Function: Fn($($arg),*) -> Result + Send + Sync + 'static,
            Result: Made,
            $($arg: Cell,)*
        {
            const DTYPE: DataType = Result::DTYPE;

            fn takes() -> Vec<DataType> {
                vec![$($arg::DTYPE),*]
            }

            #[allow(non_snake_case)]
            fn run(&self, name: PlSmallStr, columns: &[Column]) -> Polars<Column> {
                let rows = columns.first().map_or(0, Column::len);
                let mut columns = columns.iter();
                $(let $arg = $arg::hold(columns.next().ok_or_else(few)?)?;)*
                $(let $arg = $arg::reader(&$arg);)*
                Ok(Result::column(name, (0..rows).map(|row| Some(self($($arg::get($arg, row)?),*)))))
            }
        }
    };
}

fn few() -> PolarsError {
    PolarsError::ComputeError("there are fewer columns than the function takes".into())
}

row_functions!(A);
row_functions!(A B);
row_functions!(A B C);
row_functions!(A B C D);
row_functions!(A B C D E);
row_functions!(A B C D E G);
row_functions!(A B C D E G H);
row_functions!(A B C D E G H I);

impl Frame {
    /// A column made by a Rust function of the row: of the columns given, in its order of arguments. It is compiled for the columns'
    /// types and runs in parallel over partitions, in a plain loop.
    ///
    /// Arguments are `i32 i64 u32 u64 f32 f64 bool` and `PlSmallStr` (text), each for a column of the same type, or `Option`s of them,
    /// which see missing values; without, a row with a missing value gets a missing result. The result is one of these, an `Option`, or a `String`.
    ///
    /// A closure cannot leave this process; for other processes use [`map_partitions_with`](Frame::map_partitions_with).
    ///
    /// # Errors
    /// If a column does not exist or is of another type, or their number is not that of the arguments.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("fare" => [10.0, 20.0], "people" => [Some(2_i64), None]).unwrap(), 1);
    /// let shared = frame.map_rows("share", ["fare", "people"], |fare: f64, people: Option<i64>| match people {
    ///     Some(people) if people > 0 => fare / people as f64,
    ///     _ => fare,
    /// })?;
    /// assert_eq!(shared.column_names(), ["fare", "people", "share"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn map_rows<Args, F: RowFunction<Args>>(
        &self,
        name: &str,
        columns: impl IntoIterator<Item = impl AsRef<str>>,
        function: F,
    ) -> Result<Frame> {
        let location = Location::caller();
        let wrong = |reason: String| Error::invalid_at("map_rows", reason, location);
        let fields = columns.into_iter().map(|name| self.field("map_rows", name.as_ref(), location));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let takes = F::takes();
        if takes.len() != fields.len() {
            return Err(wrong(format!("the function takes {} columns, not {}", takes.len(), fields.len())));
        }
        if let Some((field, takes)) = fields.iter().zip(&takes).find(|(field, takes)| field.dtype != **takes) {
            let (name, dtype) = (&field.name, &field.dtype);
            return Err(wrong(format!(
                "column `{name}` is of type {dtype}, the function takes {takes}; use `astype` first"
            )));
        }
        let reads: Vec<PlSmallStr> = fields.into_iter().map(|field| field.name).collect();
        let (made, inputs): (PlSmallStr, _) = (name.into(), reads.clone());
        let run = move |mut part: DataFrame| -> KernelResult<DataFrame> {
            let columns = inputs.iter().map(|name| part.column(name).cloned()).collect::<Polars<Vec<_>>>();
            let column = columns.and_then(|columns| function.run(made.clone(), &columns)).map_err(failed)?;
            part.with_column(column).map_err(failed)?;
            Ok(part)
        };
        let function = std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string();
        let mut schema: Schema = (*self.node.schema).clone();
        schema.with_column(name.into(), F::DTYPE);
        let map = Map {
            kernel: Arc::new(MapKernel { name: function, function: run, schema: None }),
            schema: Arc::new(schema),
            // A closure equals only itself.
            identity: KeyBuilder::new("closure").number(unique()).finish(),
            adds: Some(Adds { reads, name: name.into(), dtype: F::DTYPE }),
        };
        Ok(self.mapped(map, location))
    }
}
