//! A user's function with the rows around.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, SchemaRef};
use talatat_graph::{KernelError, KernelResult, KeyBuilder};

use super::Span;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::OverlapKernel;
use crate::frame::wire::unique;
use crate::lower::frame::{Neighbours, Overlap};

impl Frame {
    /// A function on each partition with the rows before and after it that it asks for; it must give a row for each that it gets, and
    /// what it gives for the rows around is cut off. Its columns are found by calling it once on a frame without rows.
    ///
    /// # Errors
    /// If the function fails on a frame without rows, or a column of time does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{IntoLazy, PolarsError, col, lit};
    /// use talatat_collections::frame::{DataFrame, Frame, Span, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 4, 9, 16]).unwrap(), 2);
    /// let next = |part: DataFrame| part.lazy().select([col("x").shift(lit(-1))]).collect();
    /// assert_eq!(frame.map_overlap(next, Span::none(), Span::rows(1))?.partitions(), 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn map_overlap<F, E>(&self, function: F, before: Span, after: Span) -> Result<Frame>
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: std::fmt::Display,
    {
        let location = Location::caller();
        self.check_span("map_overlap", &before.0, location)?;
        self.check_span("map_overlap", &after.0, location)?;
        let empty = function(DataFrame::empty_with_schema(&self.node.schema)).map_err(|error| {
            let reason = format!("the function failed on a frame without rows: {error}");
            Error::invalid_at("map_overlap", reason, location)
        })?;
        let schema: SchemaRef = empty.schema().clone();
        let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string();
        let function = Arc::new(move |part| -> KernelResult<DataFrame> {
            function(part).map_err(|error| KernelError::new(error.to_string()))
        });
        let promised = schema.clone();
        let overlap = Overlap {
            kernel: Arc::new(move |around| {
                let (function, schema) = (function.clone(), (*promised).clone());
                Arc::new(OverlapKernel { around, name: name.clone(), function: move |part| function(part), schema })
            }),
            schema,
            // A closure equals only itself.
            identity: KeyBuilder::new("closure").number(unique()).finish(),
            neighbours: Neighbours { before: before.0, after: after.0, keys: Vec::new() },
        };
        Ok(Frame { node: FrameExpr::custom(Arc::new(overlap), vec![self.node.clone()], location)? })
    }
}
