//! A checked aggregation: its stages.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, PlSmallStr, PolarsError, Schema, SchemaRef, col};
use talatat_graph::KeyBuilder;

use super::agg::{Agg, What};
use super::decompose::{Parts, Taken};
use super::state::StateOf;
use crate::error::{Error, Result};
use crate::frame::columns_named;
use crate::frame::expr::output_name;
use crate::frame::kernels::order::{Order, OrderKey};
use crate::frame::kernels::{GroupKernel, Pass};
use crate::frame::step::{self, Step};
use crate::frame::wire::{Wire, add_to_key};

/// An aggregation that has been checked: the expressions of its stages. Its input has the columns `key 0` ... and `in 0` ...
#[derive(Clone)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<String>,
    /// The names of the result's columns, keys first.
    names: Vec<String>,
    way: Way,
    /// What is done with all groups in the end.
    end: Vec<Pass>,
    /// By what the result is sorted, and whether descending.
    pub(crate) sorted: Vec<(String, bool)>,
    /// Into how many parts the groups are spread.
    pub(crate) parts: u32,
    /// How many groups there are, as a sample lets expect.
    groups: Option<u64>,
    /// Of so few groups, from a sample, that they are merged in a tree before they are spread: how many, and why that is thought.
    pub(crate) few: Option<String>,
    shown: (String, String),
    pub(crate) schema: SchemaRef,
}

/// How the groups come together.
#[derive(Clone, Debug, PartialEq)]
enum Way {
    /// Each partition is aggregated to states, and states are merged.
    States(Box<States>),
    /// The rows of a group come together, and are aggregated.
    Rows(Vec<Expr>),
}

/// The stages of states.
#[derive(Clone, Debug, PartialEq)]
struct States {
    partial: Pass,
    /// The states of rows, each a group of its own.
    rows: Option<Vec<Expr>>,
    combine: Pass,
    finish: Vec<Expr>,
}

/// What is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) keys: &'a [Expr],
    pub(crate) aggs: &'a [Agg],
    /// Whether the result is sorted by its keys.
    pub(crate) sort: bool,
}

fn key_name(number: usize) -> String {
    format!("key {number}")
}

impl Grouping {
    /// Checks keys and aggregations. Gives the stages, and the expressions that make their input.
    pub(crate) fn new(
        asked: &Asked<'_>,
        schema: &Schema,
        location: &'static Location<'static>,
    ) -> Result<(Grouping, Vec<Expr>)> {
        let invalid = |reason: String| Error::invalid_at("groupby", reason, location);
        let refused = |error: PolarsError| step::refused("groupby", schema, &error, location);
        let Asked { keys, aggs, sort } = *asked;
        let mut exprs = Vec::new();
        let mut names = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            columns_named("groupby", schema, key, location)?;
            names.push(output_name(key, schema).map_or_else(|| key_name(number), |name| name.to_string()));
            exprs.push(key.clone().alias(key_name(number)));
        }
        let mut taken = Parts::new(schema, location);
        let mut results = Vec::with_capacity(aggs.len());
        for agg in aggs {
            let (name, result) = take(&mut taken, agg, schema, location)?;
            names.push(name);
            results.push(result);
        }
        if let Some((at, name)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(invalid(format!(
                "column {at} of the result has the same name as another one, `{name}`; use `.alias(..)`"
            )));
        }
        let stages = |taken: &Parts<'_>, exprs: &[Expr]| -> std::result::Result<SchemaRef, PolarsError> {
            let inputs = inputs(exprs, taken);
            let mut frame = DataFrame::empty_with_schema(schema);
            if !inputs.is_empty() {
                frame = step::run_steps(frame, &[Step::Select(inputs)])?;
            }
            let partial = Pass::Group(taken.states.iter().map(partial).collect(), None);
            let kernel = kernel("frame.groupby.partial", key_names(keys.len()), vec![partial]);
            Ok(kernel.apply(vec![frame])?.schema().clone())
        };
        // A function in an expression may look at more than one row of what it is given; only the states' types tell.
        if aggs.iter().any(|agg| matches!(agg.what, What::Expr(_))) {
            let states = stages(&taken, &exprs).map_err(refused)?;
            for (agg, result) in aggs.iter().zip(&mut results) {
                if let (What::Expr(expr), Taken::States(finish)) = (&agg.what, &*result)
                    && step::check(Step::Select(vec![finish.clone()]), &states, location).is_err()
                {
                    *result = taken.rows(expr)?;
                }
            }
        }
        let mut finish: Vec<Expr> = names
            .iter()
            .take(keys.len())
            .enumerate()
            .map(|(number, name)| col(key_name(number)).alias(name.as_str()))
            .collect();
        let columns = names.iter().skip(keys.len());
        let merged = results.iter().all(|result| matches!(result, Taken::States(_)));
        let way = match merged {
            true => {
                finish.extend(
                    results.iter().zip(columns).map(|(result, name)| result.expr().clone().alias(name.as_str())),
                );
                let rows = taken.states.iter().map(|state| Some(state.row()?.alias(state.column()))).collect();
                Way::States(Box::new(States {
                    partial: Pass::Group(
                        taken.states.iter().map(partial).collect(),
                        taken.states.iter().map(StateOf::fold).collect(),
                    ),
                    rows,
                    combine: Pass::Group(
                        taken.states.iter().map(|state| state.combine().alias(state.column())).collect(),
                        taken.states.iter().map(StateOf::merge).collect(),
                    ),
                    finish,
                }))
            }
            false => {
                let whole = |result: &Taken| match result {
                    Taken::Rows(expr) => expr.clone(),
                    Taken::States(expr) => at_once(expr, &taken.states),
                };
                Way::Rows(
                    results.iter().zip(columns).map(|(result, name)| whole(result).alias(name.as_str())).collect(),
                )
            }
        };
        let exprs = inputs(&exprs, &taken);
        let shown: Vec<String> = aggs.iter().map(Agg::to_string).collect();
        let shown_keys: Vec<String> = keys.iter().map(|key| format!("{key}")).collect();
        let mut grouping = Grouping {
            keys: key_names(keys.len()),
            end: Vec::new(),
            sorted: if sort {
                names.iter().take(keys.len()).map(|name| (name.clone(), false)).collect()
            } else {
                Vec::new()
            },
            names,
            way,
            parts: 1,
            groups: None,
            few: None,
            shown: (shown_keys.join(", "), shown.join(", ")),
            schema: Arc::new(Schema::default()),
        };
        grouping.schema = grouping.result_schema(&exprs, schema).map_err(refused)?;
        Ok((grouping, exprs))
    }

    /// Passes over all groups in the end, and another order: the result is one partition.
    pub(crate) fn ended(
        mut self,
        end: Vec<Pass>,
        sorted: Vec<(String, bool)>,
        location: &'static Location<'static>,
    ) -> Result<Grouping> {
        (self.end, self.sorted) = (end, sorted);
        let groups = DataFrame::empty_with_schema(&self.schema);
        let ended = self.order_kernel().apply(vec![groups]);
        let ended = ended.map_err(|error| step::refused("groupby", &self.schema, &error, location))?;
        self.schema = ended.schema().clone();
        Ok(self)
    }

    /// The same for few groups.
    pub(crate) fn of_few(&self, why: String) -> Grouping {
        Grouping { few: Some(why), ..self.clone() }
    }

    /// The same for so many groups, if that is news.
    pub(crate) fn of_many(&self, groups: u64) -> Option<Grouping> {
        (self.groups != Some(groups)).then(|| Grouping { groups: Some(groups), ..self.clone() })
    }

    /// The same with all groups in one part.
    pub(crate) fn in_one(&self) -> Grouping {
        Grouping { parts: 1, ..self.clone() }
    }

    /// The columns of keys in the result.
    pub(crate) fn key_names(&self) -> &[String] {
        self.names.get(..self.keys.len()).unwrap_or_default()
    }

    /// Whether states are merged, so that a tree would do.
    pub(crate) fn merges(&self) -> bool {
        matches!(self.way, Way::States(_))
    }

    /// Whether all groups are put together in the end: passes over all of them need it, an order does not.
    pub(crate) fn gathers(&self) -> bool {
        !self.end.is_empty()
    }

    /// The order of the groups of several parts, if they are to be in one.
    pub(crate) fn order(&self) -> Option<Order> {
        let key = |(column, descending): &(String, bool)| OrderKey {
            column: column.clone(),
            descending: *descending,
            nulls_last: true,
        };
        let keys: Vec<OrderKey> = self.sorted.iter().map(key).collect();
        (!keys.is_empty()).then_some(Order { keys, ties: true })
    }

    /// A condition on the result in the names of the input, if it reads keys alone: groups of which it is not true need no rows. Passes
    /// over all groups see those that are left out, too.
    pub(crate) fn below(&self, condition: &Expr) -> Option<Expr> {
        let key = |name: &str| self.names.iter().take(self.keys.len()).position(|key| key == name);
        let reads = step::columns_of(condition);
        if !self.end.is_empty() || reads.is_empty() || !reads.iter().all(|name| key(name).is_some()) {
            return None;
        }
        Some(condition.clone().map_expr(|part| match &part {
            Expr::Column(name) => key(name).map_or_else(|| part.clone(), |number| col(key_name(number))),
            _ => part,
        }))
    }

    /// The result's columns: those of an aggregation of no rows.
    fn result_schema(&self, exprs: &[Expr], schema: &Schema) -> std::result::Result<SchemaRef, PolarsError> {
        let mut frame = DataFrame::empty_with_schema(schema);
        if !exprs.is_empty() {
            frame = step::run_steps(frame, &[Step::Select(exprs.to_vec())])?;
        }
        if let Some(partial) = self.partial_kernel() {
            frame = partial.apply(vec![frame])?;
        }
        Ok(self.finish_kernel().apply(vec![frame])?.schema().clone())
    }

    /// Aggregates one partition, if that can be done before groups come together.
    pub(crate) fn partial_kernel(&self) -> Option<GroupKernel> {
        let Way::States(states) = &self.way else { return None };
        let States { partial, rows, .. } = &**states;
        let kernel = kernel("frame.groupby.partial", self.keys.clone(), vec![partial.clone()]);
        if self.parts == 1 {
            return Some(kernel);
        }
        Some(GroupKernel { parts: Some(self.parts), rows: rows.clone().map(Wire), ..kernel })
    }

    /// Merges states of some partitions.
    pub(crate) fn combine_kernel(&self) -> Option<GroupKernel> {
        let Way::States(states) = &self.way else { return None };
        Some(kernel("frame.groupby.combine", self.keys.clone(), vec![states.combine.clone()]))
    }

    /// Makes results of the states of all partitions, or of all rows.
    pub(crate) fn finish_kernel(&self) -> GroupKernel {
        let (stage, mut passes) = match &self.way {
            Way::States(states) => {
                ("frame.groupby.finish", vec![states.combine.clone(), Pass::Select(states.finish.clone())])
            }
            Way::Rows(exprs) => {
                let named = self.keys.iter().zip(&self.names).map(|(key, name)| col(key.as_str()).alias(name.as_str()));
                let others = self.names.iter().skip(self.keys.len()).map(|name| col(name.as_str()));
                let select = Pass::Select(named.chain(others).collect());
                ("frame.groupby.rows", vec![Pass::Group(exprs.clone(), None), select])
            }
        };
        if self.parts == 1 {
            passes.extend(self.end.iter().cloned());
            return GroupKernel {
                skip_empty: false,
                sorted: self.sorted.clone(),
                ..kernel(stage, self.keys.clone(), passes)
            };
        }
        GroupKernel { skip_empty: false, ..kernel(stage, self.keys.clone(), passes) }
    }

    /// Puts the groups of all parts together.
    pub(crate) fn order_kernel(&self) -> GroupKernel {
        GroupKernel {
            sorted: self.sorted.clone(),
            ..kernel("frame.groupby.order", self.keys.clone(), self.end.clone())
        }
    }

    /// How many partitions the result has.
    pub(crate) fn partitions(&self) -> usize {
        if self.gathers() { 1 } else { self.parts as usize }
    }

    /// Cuts one partition's rows by their keys.
    pub(crate) fn split_kernel(&self) -> GroupKernel {
        GroupKernel { parts: Some(self.parts), ..kernel("frame.groupby.split", self.keys.clone(), Vec::new()) }
    }

    /// Mixes in what the result depends on besides the input.
    pub(crate) fn key(&self, key: KeyBuilder) -> KeyBuilder {
        let key = add_to_key(
            key.value(&self.keys)
                .value(&self.sorted)
                .number(u64::from(self.parts))
                .value(&self.few)
                .value(&self.groups),
            &self.end,
        );
        match &self.way {
            Way::States(states) => add_to_key(add_to_key(key, &states.partial), &states.finish),
            Way::Rows(exprs) => add_to_key(key.value(&self.names), exprs),
        }
    }

    /// The groups of one partition of the result, of partitions with so many rows: a guess if no sample was taken.
    pub(crate) fn rows(&self, rows: u64) -> u64 {
        match self.groups {
            Some(groups) => groups.div_ceil(u64::from(self.parts)),
            None => self.met(rows),
        }
    }

    /// The groups that so many rows have: a guess if no sample was taken.
    pub(crate) fn met(&self, rows: u64) -> u64 {
        if self.keys.is_empty() { 1 } else { rows.min(self.groups.unwrap_or(1 << 16)) }
    }

    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        let how = match (&self.way, self.parts) {
            (Way::States(_), 1) => String::new(),
            (Way::States(_), parts) => match &self.few {
                Some(why) => format!(" in a tree, then {parts} parts ({why})"),
                None => format!(" in {parts} parts"),
            },
            (Way::Rows(_), 1) => " from all rows".into(),
            (Way::Rows(_), parts) => format!(" from all rows in {parts} parts"),
        };
        format!("groupby [{}]{how}: {}", self.shown.0, self.shown.1)
    }

    /// The columns that the stages read.
    pub(crate) fn reads(&self) -> Vec<PlSmallStr> {
        let keys = self.keys.iter().map(|key| PlSmallStr::from(key.as_str()));
        let exprs = match &self.way {
            Way::Rows(exprs) => exprs.as_slice(),
            Way::States(states) => match &states.partial {
                Pass::Group(exprs, _) => exprs.as_slice(),
                _ => &[],
            },
        };
        keys.chain(exprs.iter().flat_map(step::columns_of)).collect()
    }
}

impl Taken {
    fn expr(&self) -> &Expr {
        let (Taken::States(expr) | Taken::Rows(expr)) = self;
        expr
    }
}

/// Takes an aggregation apart; gives the result's name, too.
fn take(
    taken: &mut Parts<'_>,
    agg: &Agg,
    schema: &Schema,
    location: &'static Location<'static>,
) -> Result<(String, Taken)> {
    match &agg.what {
        What::Row { row, inputs, parameter } => {
            inputs.iter().try_for_each(|input| columns_named(row.name, schema, input, location))?;
            let result = taken.row(row, inputs, parameter)?;
            let base = inputs.first().and_then(|input| output_name(input, schema));
            let name = base.map_or_else(|| row.name.to_string(), |base| format!("{base}_{}", row.name));
            Ok((agg.name.clone().unwrap_or(name), result))
        }
        What::Expr(expr) => {
            columns_named("agg", schema, expr, location)?;
            let result = taken.expr(expr)?;
            let base = output_name(expr, schema).map(|name| name.to_string());
            Ok((agg.name.clone().or(base).unwrap_or_else(|| "literal".into()), result))
        }
    }
}

fn partial(state: &StateOf) -> Expr {
    state.partial().alias(state.column())
}

/// The result of states of all rows of a group: without merging.
fn at_once(finish: &Expr, states: &[StateOf]) -> Expr {
    finish.clone().map_expr(|part| match &part {
        Expr::Column(name) => {
            states.iter().find(|state| state.column() == name.as_str()).map_or(part.clone(), StateOf::partial)
        }
        _ => part,
    })
}

fn inputs(keys: &[Expr], taken: &Parts<'_>) -> Vec<Expr> {
    let inputs = taken.inputs.iter().enumerate().map(|(at, (expr, _))| expr.clone().alias(format!("in {at}")));
    keys.iter().cloned().chain(inputs).collect()
}

fn key_names(count: usize) -> Vec<String> {
    (0..count).map(key_name).collect()
}

fn kernel(stage: &str, keys: Vec<String>, passes: Vec<Pass>) -> GroupKernel {
    GroupKernel { keys, passes: Wire(passes), ..GroupKernel::new(stage) }
}
