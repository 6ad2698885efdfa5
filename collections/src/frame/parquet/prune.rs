//! Which row groups cannot hold a row that a condition keeps: from their smallest and largest values, and from the folders they lie in.

use std::sync::Arc;

use polars::prelude::{
    ArrowDataType, ArrowField, ArrowTimeUnit, Column, DataFrame, DataType, Expr, IDX_DTYPE, IdxSize, IntoColumn,
    IntoLazy, NamedFrom, PlSmallStr, PolarsError, Schema, Series, col,
};
use polars_io::parquet::read::FileMetadata;
use polars_parquet::read::statistics::deserialize_all;
use polars_plan::plans::predicates::aexpr_to_skip_batch_predicate;
use polars_plan::plans::{IR, node_to_expr};

use super::footer::{Footer, guarded};
use super::hive;
use super::hive::Constant;
use crate::frame::step::columns_of;

/// For each row group of each file, in order, whether the condition is known to keep none of its rows. What cannot be known is not skipped.
pub(crate) fn skipped(footers: &[Arc<Footer>], constants: &[Constant], schema: &Schema, condition: &Expr) -> Vec<bool> {
    let groups: usize = footers.iter().map(|footer| footer.metadata.row_groups.len()).sum();
    let nothing = || vec![false; groups];
    if groups == 0 {
        return Vec::new();
    }
    let mut reads = columns_of(condition);
    reads.sort_unstable();
    reads.dedup();
    let skip = guarded(|| {
        let Some(predicate) = skip_predicate(condition, schema).map_err(|error| error.to_string())? else {
            return Ok(nothing());
        };
        let statistics = statistics(footers, constants, schema, &reads, groups).map_err(|error| error.to_string())?;
        evaluate(statistics, predicate).map_err(|error| error.to_string())
    });
    let mut skip = skip.ok().filter(|skip| skip.len() == groups).unwrap_or_else(nothing);
    if let Some(files) = files_skipped(constants, schema, condition, &reads, footers.len()) {
        let of_file = footers.iter().zip(files);
        let by_group = of_file.flat_map(|(footer, skip)| std::iter::repeat_n(skip, footer.metadata.row_groups.len()));
        skip.iter_mut().zip(by_group).for_each(|(skip, of_file)| *skip |= of_file);
    }
    skip
}

/// The condition on `x_min`, `x_max`, `x_nc` (missing values) and `len` under which a batch can be skipped.
fn skip_predicate(condition: &Expr, schema: &Schema) -> Result<Option<Expr>, PolarsError> {
    // The planner gives both sides of a comparison one type.
    let query = DataFrame::empty_with_schema(schema).lazy().select([condition.clone()]);
    let mut plan = query.to_alp()?;
    let IR::Select { expr, .. } = plan.lp_arena.get(plan.lp_top) else { return Ok(None) };
    let Some(node) = expr.first().map(|expr| expr.node()) else { return Ok(None) };
    let skip = aexpr_to_skip_batch_predicate(node, &mut plan.expr_arena, schema);
    Ok(skip.map(|skip| node_to_expr(skip, &plan.expr_arena)))
}

fn evaluate(statistics: DataFrame, predicate: Expr) -> Result<Vec<bool>, PolarsError> {
    let rows = statistics.height();
    let result = statistics.lazy().select([predicate.alias("skip")]).collect()?;
    let skip = result.column("skip")?.bool()?.clone();
    if skip.len() == 1 && rows != 1 {
        return Ok(vec![skip.get(0).unwrap_or(false); rows]);
    }
    Ok(skip.iter().map(|skip| skip.unwrap_or(false)).collect())
}

/// A row for each row group.
fn statistics(
    footers: &[Arc<Footer>],
    constants: &[Constant],
    schema: &Schema,
    reads: &[PlSmallStr],
    groups: usize,
) -> Result<DataFrame, PolarsError> {
    let lengths = footers.iter().flat_map(|footer| &footer.metadata.row_groups);
    let lengths: Vec<IdxSize> = lengths.map(|group| group.num_rows() as IdxSize).collect();
    let mut columns = vec![Column::new("len".into(), lengths)];
    for name in reads {
        let Some(dtype) = schema.get(name) else { continue };
        let mut all: Option<[Column; 3]> = None;
        for (number, footer) in footers.iter().enumerate() {
            let count = footer.metadata.row_groups.len();
            if count == 0 {
                continue;
            }
            let own = match constants.iter().find(|constant| constant.name == name.as_str()) {
                Some(constant) => constant_statistics(name, constant, number, dtype, count)?,
                None => of_file(name, dtype, footer)
                    .filter(|own| own.iter().all(|column| column.len() == count))
                    .unwrap_or_else(|| unknown(name, dtype, count)),
            };
            match &mut all {
                None => all = Some(own),
                Some(all) => {
                    for (all, own) in all.iter_mut().zip(&own) {
                        all.append(own)?;
                    }
                }
            }
        }
        columns.extend(all.into_iter().flatten());
    }
    DataFrame::new(groups, columns)
}

fn names(name: &PlSmallStr) -> [PlSmallStr; 3] {
    ["min", "max", "nc"].map(|what| PlSmallStr::from(format!("{name}_{what}")))
}

fn unknown(name: &PlSmallStr, dtype: &DataType, count: usize) -> [Column; 3] {
    let [min, max, nulls] = names(name);
    [
        Column::full_null(min, count, dtype),
        Column::full_null(max, count, dtype),
        Column::full_null(nulls, count, &IDX_DTYPE),
    ]
}

fn constant_statistics(
    name: &PlSmallStr,
    constant: &Constant,
    file: usize,
    dtype: &DataType,
    count: usize,
) -> Result<[Column; 3], PolarsError> {
    let value = constant.values.get(file).and_then(|value| value.as_deref());
    if value.is_none() {
        return Ok(unknown(name, dtype, count));
    }
    let [min, max, nulls] = names(name);
    let one = |name: &PlSmallStr| hive::column(name, value, dtype, count);
    Ok([one(&min)?, one(&max)?, Column::new(nulls, vec![0 as IdxSize; count])])
}

/// The statistics of a column in a file; none if there are none or the column is read as another type.
fn of_file(name: &PlSmallStr, dtype: &DataType, footer: &Footer) -> Option<[Column; 3]> {
    let field = footer.arrow.get(name)?;
    if footer.schema.get(name)? != dtype {
        return None;
    }
    read_statistics(name, field, &footer.metadata)
        .ok()
        .flatten()
        .filter(|[min, max, _]| min.dtype() == dtype && max.dtype() == dtype)
}

fn read_statistics(
    name: &PlSmallStr,
    field: &ArrowField,
    metadata: &FileMetadata,
) -> Result<Option<[Column; 3]>, PolarsError> {
    let Some(group) = metadata.row_groups.first() else { return Ok(None) };
    let Some(&[chunk]) = group.columns_idxs_under_root_iter(name) else { return Ok(None) };
    let Some(found) = deserialize_all(field, &metadata.row_groups, chunk, &metadata.footer_buf)? else {
        return Ok(None);
    };
    // Values come as they are stored: numbers, also for times. Others than these need a conversion, and are not taken.
    let as_stored = match (field.dtype(), DataType::from_arrow_field(field)) {
        (ArrowDataType::Timestamp(unit, _) | ArrowDataType::Duration(unit), _) => *unit != ArrowTimeUnit::Second,
        (ArrowDataType::Date32, _) => true,
        (_, dtype) => !dtype.is_temporal() && !dtype.is_decimal(),
    };
    if !as_stored {
        return Ok(None);
    }
    let [min, max, nulls] = names(name);
    let dtype = DataType::from_arrow_field(field);
    let series = |name, values| Series::try_from((name, vec![values]))?.cast(&dtype);
    Ok(Some([
        series(min, found.min_value)?.into_column(),
        series(max, found.max_value)?.into_column(),
        Series::try_from((nulls, found.null_count.boxed()))?.into_column(),
    ]))
}

/// For each file whether a condition on the columns of folders alone drops all its rows. `None` if the condition reads others.
fn files_skipped(
    constants: &[Constant],
    schema: &Schema,
    condition: &Expr,
    reads: &[PlSmallStr],
    files: usize,
) -> Option<Vec<bool>> {
    let known: Vec<&Constant> = reads
        .iter()
        .map(|name| constants.iter().find(|constant| constant.name == name.as_str()))
        .collect::<Option<_>>()?;
    if known.is_empty() {
        return None;
    }
    let kept = guarded(|| {
        let column = |constant: &&Constant| -> Result<Column, PolarsError> {
            let dtype = schema.get(&constant.name).unwrap_or(&constant.dtype);
            Ok(Series::new(constant.name.as_str().into(), &constant.values).strict_cast(dtype)?.into_column())
        };
        let columns = known.iter().map(column).collect::<Result<Vec<Column>, PolarsError>>();
        let frame = columns.and_then(|columns| DataFrame::new(files, columns)).map_err(|error| error.to_string())?;
        let keeps = frame
            .lazy()
            .select([condition.clone().alias("kept")])
            .select([col("kept").fill_null(polars::prelude::lit(false))]);
        let keeps = keeps.collect().map_err(|error| error.to_string())?;
        let keeps = keeps.column("kept").and_then(|kept| kept.bool().cloned()).map_err(|error| error.to_string())?;
        Ok(keeps.iter().map(|kept| !kept.unwrap_or(false)).collect::<Vec<bool>>())
    });
    kept.ok().filter(|kept| kept.len() == files)
}
