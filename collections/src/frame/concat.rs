//! Several frames as one.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{Expr, NULL, PlSmallStr, col, lit};

use super::Frame;
use super::expr::FrameExpr;
use super::merge::common_type;
use super::step::{Step, columns};
use crate::error::{Error, Result};
use crate::lower::frame::{Beside, Concat};

/// Which columns [`concat()`] gives: pandas' `join`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcatColumns {
    /// Those of all frames; values are missing where a frame does not have the column.
    #[default]
    Outer,
    /// Those that all frames have, in the order of the first one.
    Inner,
}

/// Frames one below the other; pandas' `concat`. The partitions are those of the frames, and nothing moves.
///
/// A column that is of several types gets one that holds all values: the wider integer, float64 for integers and floats. Types that have none
/// in common are an error, where pandas falls back to objects.
///
/// # Errors
/// If there is no frame, no common column, or types do not go together.
///
/// ```
/// use talatat_collections::frame::{ConcatColumns, Frame, concat, df};
/// let (a, b) = (Frame::from_polars(df!("x" => [1]).unwrap(), 1), Frame::from_polars(df!("y" => [2]).unwrap(), 1));
/// assert_eq!(concat([&a, &b], ConcatColumns::Outer)?.column_names(), ["x", "y"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn concat<'a>(frames: impl IntoIterator<Item = &'a Frame>, columns: ConcatColumns) -> Result<Frame> {
    let location = Location::caller();
    let frames: Vec<&Frame> = frames.into_iter().collect();
    let Some(first) = frames.first() else {
        return Err(Error::invalid_at("concat", "there is no frame; give at least one", location));
    };
    let mut names: Vec<PlSmallStr> = Vec::new();
    match columns {
        ConcatColumns::Inner => {
            let in_all = |name: &&PlSmallStr| frames.iter().all(|frame| frame.node.schema.contains(name));
            names.extend(first.node.schema.iter_names().filter(in_all).cloned());
        }
        ConcatColumns::Outer => {
            for name in frames.iter().flat_map(|frame| frame.node.schema.iter_names()) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    if names.is_empty() {
        let reason =
            "the frames have no column in common; keep all columns with `ConcatColumns::Outer`, or rename some";
        return Err(Error::invalid_at("concat", reason, location));
    }
    let mut types = Vec::with_capacity(names.len());
    for name in &names {
        let mut found = frames.iter().filter_map(|frame| frame.node.schema.get(name));
        let start = found.next().cloned();
        let merged = found.try_fold(start, |known, dtype| Some(common_type(known.as_ref()?, dtype))).flatten();
        types.push(merged.ok_or_else(|| {
            let all: Vec<String> =
                frames.iter().filter_map(|frame| frame.node.schema.get(name)).map(|dtype| dtype.to_string()).collect();
            let reason =
                format!("the column `{name}` is of the types {}, which have none in common; cast it", all.join(", "));
            Error::invalid_at("concat", reason, location)
        })?);
    }
    let mut nodes = Vec::with_capacity(frames.len());
    for frame in &frames {
        let schema = &frame.node.schema;
        let expr = |(name, dtype): (&PlSmallStr, &polars::prelude::DataType)| -> Expr {
            match schema.get(name) {
                Some(known) if known == dtype => col(name.clone()),
                Some(_) => col(name.clone()).cast(dtype.clone()),
                None => lit(NULL).cast(dtype.clone()).alias(name.clone()),
            }
        };
        let same = schema.iter_names().eq(names.iter()) && schema.iter_values().eq(types.iter());
        nodes.push(match same {
            true => frame.node.clone(),
            false => {
                let exprs: Vec<Expr> = names.iter().zip(&types).map(expr).collect();
                FrameExpr::step(frame.node.clone(), Step::Select(exprs), location)?
            }
        });
    }
    Ok(Frame { node: FrameExpr::custom(Arc::new(Concat), nodes, location)? })
}

/// Frames side by side; pandas' `concat` with `axis=1`, for frames whose partitions have the same lengths, as those have that stand on one
/// frame. Rows meet by their place.
///
/// # Errors
/// If there is no frame, a column is there twice, or the partitions are not as many or are known not to be as long; if that is
/// not known, it is an error of the run that names the partition.
///
/// ```
/// use talatat_collections::frame::{Frame, concat_columns, df};
/// let (a, b) = (Frame::from_polars(df!("x" => [1]).unwrap(), 1), Frame::from_polars(df!("y" => [2]).unwrap(), 1));
/// assert_eq!(concat_columns([&a, &b])?.column_names(), ["x", "y"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn concat_columns<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Result<Frame> {
    let location = Location::caller();
    let invalid = |reason: String| Error::invalid_at("concat_columns", reason, location);
    let frames: Vec<&Frame> = frames.into_iter().collect();
    let Some(first) = frames.first() else {
        return Err(invalid("there is no frame; give at least one".into()));
    };
    for (number, frame) in frames.iter().enumerate() {
        let before = frames.get(..number).unwrap_or_default();
        let twice =
            frame.node.schema.iter_names().find(|name| before.iter().any(|other| other.node.schema.contains(name)));
        if let Some(name) = twice {
            return Err(invalid(format!("the column `{name}` is there twice; rename one before")));
        }
        if frame.node.schema.is_empty() {
            return Err(invalid(format!("frame {number} has no columns ({})", columns(&frame.node.schema))));
        }
        let (have, want) = (&frame.node, &first.node);
        let known_to_differ = match (&have.facts.lengths, &want.facts.lengths) {
            (Some(have), Some(want)) => have != want,
            _ => have.partitions != want.partitions,
        };
        if known_to_differ {
            return Err(invalid(format!(
                "frame {number} has {} partitions and the first one {}, or they are of other lengths; cut both alike with `repartition`",
                have.partitions, want.partitions
            )));
        }
    }
    let nodes = frames.iter().map(|frame| frame.node.clone()).collect();
    Ok(Frame { node: FrameExpr::custom(Arc::new(Beside), nodes, location)? })
}
