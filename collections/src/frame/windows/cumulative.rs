//! Running results: `cumsum` and its like, and missing values filled from their neighbours.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::PlSmallStr;

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{Run, Running};
use crate::lower::frame::Carry;

macro_rules! running {
    ($($name:ident, $running:ident: $doc:literal;)*) => {
        impl Frame {$(
            #[doc = $doc]
            ///
            /// The partitions are gone through one after the other, each in one pass over its rows, while others are read or computed: the answer does not
            /// depend on the partitions. Missing values stay missing and are passed over.
            ///
            /// # Errors
            /// If a column does not exist or is not of a type that this makes sense for.
            ///
            /// ```
            /// use talatat_collections::frame::{Frame, df};
            /// let frame = Frame::from_polars(df!("x" => [3, 1, 2], "s" => ["a", "b", "c"]).unwrap(), 2);
            #[doc = concat!("assert_eq!(frame.", stringify!($name), "([\"x\"])?.column_names(), [\"x\", \"s\"]);")]
            /// # Ok::<(), talatat_collections::Error>(())
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                self.running(Running::$running, columns, Location::caller())
            }
        )*}
    };
}

running! {
    cumsum, Sum: "The running sum of each of these columns: int64 for integers and truth values (uint64 for unsigned ones), floats as they are.";
    cumprod, Prod: "The running product of each of these columns; types as for [`cumsum`](Frame::cumsum).";
    cummin, Min: "The smallest value so far in each of these columns. A float NaN is passed over.";
    cummax, Max: "The largest value so far in each of these columns. A float NaN is passed over.";
    ffill, Forward: "Missing values of these columns take the last value above them; at the start they stay missing.";
    bfill, Backward: "Missing values of these columns take the next value below them; at the end they stay missing.";
}

impl Frame {
    fn running<S: AsRef<str>>(
        &self,
        running: Running,
        columns: impl IntoIterator<Item = S>,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let mut named: Vec<PlSmallStr> = Vec::new();
        for name in columns {
            let field = self.field(&running.name(), name.as_ref(), location)?;
            if running.dtype(&field.dtype).is_none() {
                let reason =
                    format!("column `{}` is of type {}; cast it first, or leave it out", field.name, field.dtype);
                return Err(Error::invalid_at(running.name(), reason, location));
            }
            if !named.contains(&field.name) {
                named.push(field.name);
            }
        }
        if named.is_empty() {
            return Ok(self.clone());
        }
        let runs = named.iter().map(|name| Run::of(name)).collect();
        let carry = Carry { running, runs };
        Ok(Frame { node: FrameExpr::custom(Arc::new(carry), vec![self.node.clone()], location)? })
    }
}
