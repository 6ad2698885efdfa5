//! What was pushed down into a scan: the columns that are wanted and the rows that are.

use std::sync::Arc;

use polars::prelude::{Expr, Field, PlSmallStr, Schema, SchemaRef, col};
use serde::{Deserialize, Serialize};
use talatat_graph::KeyBuilder;

use crate::frame::expr::{Columns, names};
use crate::frame::step::{Step, columns_of};
use crate::frame::wire::{Wire, add_to_key};
use crate::storage::ObjectRef;

/// Columns and rows that leave a reader.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pushed {
    /// The columns that are wanted, in the files' order; `None` for all.
    pub(crate) projection: Option<Arc<[String]>>,
    /// Rows for which it is not true never leave the reader.
    pub(crate) predicate: Option<Arc<Wire<Expr>>>,
}

impl Pushed {
    /// Whether a column comes out.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.projection.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name))
    }

    /// The columns that the filter reads, each once.
    pub(crate) fn filters_by(&self) -> Vec<PlSmallStr> {
        let mut names = self.predicate.as_ref().map_or_else(Vec::new, |predicate| columns_of(&predicate.0));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The columns that come out, of all.
    pub(crate) fn schema(&self, all: &SchemaRef) -> SchemaRef {
        if self.projection.is_none() {
            return all.clone();
        }
        let kept = all.iter().filter(|(name, _)| self.wants(name));
        Arc::new(kept.map(|(name, dtype)| Field::new(name.clone(), dtype.clone())).collect())
    }

    /// The columns that are read: those that come out, and those of the filter.
    pub(crate) fn read(&self, all: &Schema) -> Schema {
        let filtered = self.filters_by();
        let read = all.iter().filter(|(name, _)| self.wants(name) || filtered.contains(name));
        read.map(|(name, dtype)| Field::new(name.clone(), dtype.clone())).collect()
    }

    /// The same with these columns alone, if they are fewer.
    pub(crate) fn projected(&self, all: &SchemaRef, columns: &Columns) -> Option<Pushed> {
        let names = self.schema(all);
        let kept: Arc<[String]> =
            names.iter_names().filter(|name| columns.contains(*name)).map(PlSmallStr::to_string).collect();
        (kept.len() < names.len()).then(|| Pushed { projection: Some(kept), ..self.clone() })
    }

    /// The same with one more condition.
    pub(crate) fn filtered(&self, condition: &Expr) -> Pushed {
        let predicate = match &self.predicate {
            Some(known) => known.0.clone().and(condition.clone()),
            None => condition.clone(),
        };
        Pushed { predicate: Some(Arc::new(Wire(predicate))), ..self.clone() }
    }

    /// A guess at the rows that are left of so many.
    pub(crate) fn rows(&self, rows: u64) -> u64 {
        if self.predicate.is_some() { rows.div_ceil(2) } else { rows }
    }

    pub(crate) fn add_to_key(&self, key: KeyBuilder) -> KeyBuilder {
        let predicate = self.predicate.as_ref().map(|predicate| &predicate.0);
        add_to_key(key.value(&self.projection), &predicate)
    }

    /// What polars does to the columns of [`Pushed::read`]: the filter, without the columns that only it reads.
    pub(crate) fn steps(&self, all: &Schema) -> Vec<Step> {
        let mut steps: Vec<Step> = self.predicate.iter().map(|predicate| Step::Filter(predicate.0.clone())).collect();
        let kept: Vec<Expr> = all.iter_names().filter(|name| self.wants(name)).map(|name| col(name.clone())).collect();
        // With nothing but the filter's columns there are no others to keep, and the rows still count.
        let more = self.filters_by().iter().any(|name| !self.wants(name));
        steps.extend((more && !kept.is_empty()).then_some(Step::Select(kept)));
        steps
    }

    /// For plans: the columns and the condition.
    pub(crate) fn describe(&self, all: &SchemaRef) -> String {
        let columns = match &self.projection {
            None => format!("all {} columns", all.len()),
            Some(_) => format!("columns [{}] of {}", names(&self.schema(all)), all.len()),
        };
        let filter = self.predicate.as_ref().map_or_else(String::new, |predicate| format!(" where {}", predicate.0));
        format!("{columns}{filter}")
    }
}

/// For plans: the first file, and how many more there are.
pub(crate) fn files_described<'a>(mut files: impl ExactSizeIterator<Item = &'a ObjectRef>) -> String {
    let more = match files.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let first = files.next().map_or_else(String::new, |file| file.location().to_string());
    format!("{}{more}", first.rsplit('/').next().unwrap_or_default())
}

/// Adds the versions of files to a key.
pub(crate) fn files_to_key<'a>(key: KeyBuilder, files: impl Iterator<Item = &'a ObjectRef>) -> KeyBuilder {
    files.fold(key, |key, file| {
        let location = file.location().to_string();
        key.bytes(location.as_bytes()).number(file.size()).bytes(file.version().as_bytes())
    })
}
