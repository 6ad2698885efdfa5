//! Two frames joined.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, TimeUnit};

use super::Frame;
use super::expr::FrameExpr;
pub use super::kernels::join::How;
use super::kernels::join::{JoinKernel, Output, Side};
use super::step::columns;
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::lower::frame::{Merge, Wish};

/// How often a key may be there: pandas' `validate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validate {
    /// At most once on either side.
    OneToOne,
    /// At most once on the left.
    OneToMany,
    /// At most once on the right.
    ManyToOne,
    /// As often as it likes.
    #[default]
    ManyToMany,
}

/// On what to merge and how: what [`Frame::merge`] takes. A name or names are keys that both frames have.
///
/// ```
/// use talatat_collections::frame::{How, MergeOn, Validate};
/// let options = MergeOn::pairs([("town", "name")]).how(How::Left).suffixes("", "_town").validate(Validate::ManyToOne);
/// let short = MergeOn::from("town");
/// ```
#[derive(Clone, Debug)]
pub struct MergeOn {
    keys: Keys,
    how: How,
    suffixes: (String, String),
    indicator: bool,
    validate: Validate,
    keep_order: bool,
    broadcast: Option<bool>,
}

#[derive(Clone, Debug)]
enum Keys {
    Common,
    Pairs(Vec<(String, String)>),
    None,
}

impl MergeOn {
    fn with(keys: Keys, how: How) -> MergeOn {
        let suffixes = ("_x".into(), "_y".into());
        MergeOn {
            keys,
            how,
            suffixes,
            indicator: false,
            validate: Validate::default(),
            keep_order: true,
            broadcast: None,
        }
    }

    /// All columns that both frames have: what pandas does if nothing is said.
    pub fn common() -> MergeOn {
        MergeOn::with(Keys::Common, How::Inner)
    }

    /// Columns that both frames have: pandas' `on`.
    pub fn keys<S: AsRef<str>>(keys: impl IntoIterator<Item = S>) -> MergeOn {
        let pair = |key: S| (key.as_ref().to_string(), key.as_ref().to_string());
        MergeOn::with(Keys::Pairs(keys.into_iter().map(pair).collect()), How::Inner)
    }

    /// Columns of the left and of the right frame: pandas' `left_on` and `right_on`.
    pub fn pairs<L: AsRef<str>, R: AsRef<str>>(keys: impl IntoIterator<Item = (L, R)>) -> MergeOn {
        let pair = |(left, right): (L, R)| (left.as_ref().to_string(), right.as_ref().to_string());
        MergeOn::with(Keys::Pairs(keys.into_iter().map(pair).collect()), How::Inner)
    }

    /// All pairs of rows: `how="cross"`.
    pub fn cross() -> MergeOn {
        MergeOn::with(Keys::None, How::Cross)
    }

    /// Which rows come out; by default [`How::Inner`].
    pub fn how(mut self, how: How) -> MergeOn {
        self.how = how;
        self
    }

    /// What columns are called that both frames have and that are no common keys; by default `_x` and `_y` are put behind.
    pub fn suffixes(mut self, left: impl Into<String>, right: impl Into<String>) -> MergeOn {
        self.suffixes = (left.into(), right.into());
        self
    }

    /// A last column `_merge` that says `left_only`, `right_only` or `both`, as text.
    pub fn indicator(mut self, indicator: bool) -> MergeOn {
        self.indicator = indicator;
        self
    }

    /// How often a key may be there. It is checked when the join runs.
    pub fn validate(mut self, validate: Validate) -> MergeOn {
        self.validate = validate;
        self
    }

    /// Whether rows come in pandas' order; by default they do. If not, a shuffled join is spared the way back: rows come as their keys'
    /// hashes have it, always the same way for the same number of partitions.
    pub fn keep_order(mut self, keep: bool) -> MergeOn {
        self.keep_order = keep;
        self
    }

    /// Whether one side is to be sent to all partitions of the other one, as in Dask; by default sizes decide. Joins that cannot be done
    /// so (`Outer`, a `Right` one whose left side is to be unique ...) are not.
    pub fn broadcast(mut self, broadcast: bool) -> MergeOn {
        self.broadcast = Some(broadcast);
        self
    }
}

impl From<&str> for MergeOn {
    fn from(key: &str) -> MergeOn {
        MergeOn::keys([key])
    }
}

impl<const N: usize> From<[&str; N]> for MergeOn {
    fn from(keys: [&str; N]) -> MergeOn {
        MergeOn::keys(keys)
    }
}

impl Frame {
    /// The rows of two frames with equal keys, side by side; pandas' `merge`.
    ///
    /// **Columns.** Those of the left frame, then those of the right one; a key of the same name on both sides is there once. Of keys of unequal
    /// types both are cast to one that holds all values: the wider integer, float64 for integers and floats, text for categories. Semi
    /// and anti joins have the left frame's columns.
    ///
    /// **Missing keys** are equal to each other, as in pandas and unlike in SQL; so are `NaN`s, but `NaN` is not a missing value here.
    ///
    /// **Order.** As in pandas: left rows in their order with their partners in theirs (`Right`: the other way round); `Outer` sorts by
    /// the keys, missing ones last. It depends on nothing else.
    ///
    /// **Ways.** Chosen when filters and columns have been pushed down. Frames that are [indexed](Frame::set_index) by the key meet partition
    /// by partition, where divisions are known. A frame that is small by the sizes known is sent to all partitions of the other one. Else
    /// rows are brought together by the hash of their keys, joined, and brought back in order: all rows are in memory at once, and the last
    /// step can be [left out](MergeOn::keep_order). [`explain`](crate::Collection) shows what was chosen. Rows of the larger side whose key is
    /// so frequent that they would fill a task are spread over several, with copies of their partners; where no row may come out twice
    /// (`Outer`), one task joins all rows of a key. Of several joins one after the other the one whose rows have the fewest partners, by a sample, comes
    /// first, where that changes neither rows nor their order. The result has the partitions of the left frame (`Right`: of the right one; `Outer`: the more).
    ///
    /// # Errors
    /// If a key does not exist or types have nothing in common, there is no key, or two columns of the result have the same name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, How, MergeOn, df};
    /// # use talatat::Compute;
    /// let trips = Frame::from_polars(df!("town" => ["Oslo", "Lyon", "Rome"], "fare" => [1, 2, 3]).unwrap(), 2);
    /// let towns = Frame::from_polars(df!("town" => ["Lyon", "Oslo"], "people" => [522, 709]).unwrap(), 1);
    /// let all = trips.merge(&towns, MergeOn::from("town").how(How::Left))?;
    /// let expect = df!("town" => ["Oslo", "Lyon", "Rome"], "fare" => [1, 2, 3], "people" => [Some(709), Some(522), None]).unwrap();
    /// assert!(all.compute()?.equals_missing(&expect));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn merge(&self, other: &Frame, on: impl Into<MergeOn>) -> Result<Frame> {
        self.merged("merge", other, on.into(), Location::caller())
    }

    /// The columns of two frames with an [index](Frame::set_index), side by side by the index; pandas' `join`. The index column is that of the
    /// left frame, with its name; order and algorithms are those of [`merge`](Frame::merge). Where left rows keep their order, the result has
    /// the left frame's index.
    ///
    /// # Errors
    /// If a frame has no index, or both have a column of the same name: [`merge`](Frame::merge) knows suffixes.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, How, SetIndex, df};
    /// let indexed = |frame: Frame| frame.set_index("day", SetIndex::new().sorted(true));
    /// let rain = indexed(Frame::from_polars(df!("day" => [1, 2], "rain" => [0, 3]).unwrap(), 2))?;
    /// let wind = indexed(Frame::from_polars(df!("day" => [2, 3], "wind" => [5, 6]).unwrap(), 1))?;
    /// assert_eq!(rain.join(&wind, How::Left)?.column_names(), ["day", "rain", "wind"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn join(&self, other: &Frame, how: How) -> Result<Frame> {
        let location = Location::caller();
        let index = |frame: &Frame, side: &str| match frame.divisions() {
            Some(divisions) => Ok(divisions.column().to_string()),
            None => {
                let reason = format!("the {side} frame has no index; use `set_index` before, or `merge` on columns");
                Err(Error::invalid_at("join", reason, location))
            }
        };
        let (left, right) = (index(self, "left")?, index(other, "right")?);
        let mut other = other.clone();
        if left != right {
            let name = |name: &polars::prelude::PlSmallStr| match name.as_str() == right {
                true => polars::prelude::col(name.clone()).alias(left.as_str()),
                false => polars::prelude::col(name.clone()),
            };
            let exprs = other.node.schema.iter_names().map(name).collect();
            other = Frame { node: FrameExpr::step(other.node.clone(), super::step::Step::Select(exprs), location)? };
        }
        self.merged("join", &other, MergeOn::keys([left]).how(how).suffixes("", ""), location)
    }

    fn merged(
        &self,
        operation: &str,
        other: &Frame,
        on: MergeOn,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let wish = Wish { ordered: on.keep_order, broadcast: on.broadcast };
        let kernel = self.join_kernel(operation, other, on, location)?;
        let merge = Merge { kernel, wish, way: None };
        let nodes = vec![self.node.clone(), other.node.clone()];
        Ok(Frame { node: FrameExpr::custom(Arc::new(merge), nodes, location)? })
    }

    /// Checks keys and columns, and gives what joins two partitions.
    pub(crate) fn join_kernel(
        &self,
        operation: &str,
        other: &Frame,
        on: MergeOn,
        location: &'static Location<'static>,
    ) -> Result<JoinKernel> {
        let invalid = |reason: String| Error::invalid_at(operation, reason, location);
        let (left, right) = (&self.node.schema, &other.node.schema);
        let pairs: Vec<(String, String)> = match (on.keys, on.how) {
            (Keys::None, How::Cross) => Vec::new(),
            (Keys::None, _) => {
                return Err(invalid("a cross join has no keys; use `MergeOn::keys` for other joins".into()));
            }
            (_, How::Cross) => return Err(invalid("a cross join has no keys; use `MergeOn::cross()`".into())),
            (Keys::Pairs(pairs), _) if pairs.is_empty() => {
                return Err(invalid("there is no key; give at least one column".into()));
            }
            (Keys::Pairs(pairs), _) => pairs,
            (Keys::Common, _) => {
                let both = left.iter_names().filter(|name| right.contains(name));
                let pairs: Vec<_> = both.map(|name| (name.to_string(), name.to_string())).collect();
                if pairs.is_empty() {
                    return Err(invalid(format!(
                        "no column is in both frames; the left one has {}, the right one {}; say which go together with `MergeOn::pairs`",
                        columns(left),
                        columns(right)
                    )));
                }
                pairs
            }
        };
        let mut types = Vec::with_capacity(pairs.len());
        for (l, r) in &pairs {
            let find = |schema: &polars::prelude::Schema, name: &str, side: &str| {
                schema.get(name).cloned().ok_or_else(|| {
                    invalid(format!("the {side} frame has no column `{name}`; it has {}", columns(schema)))
                })
            };
            let (left, right) = (find(left, l, "left")?, find(right, r, "right")?);
            let common = common_type(&left, &right).filter(|dtype| !dtype.is_nested());
            types.push(Wire(common.ok_or_else(|| {
                invalid(format!(
                    "the key `{l}` is of type {left} on the left and `{r}` of type {right} on the right, which do not compare; cast one of them"
                ))
            })?));
        }
        let shared = |name: &str| pairs.iter().position(|(l, r)| l == name && r == name);
        let only_left = matches!(on.how, How::Semi | How::Anti);
        let overlaps = |name: &str| !only_left && left.contains(name) && right.contains(name) && shared(name).is_none();
        let named =
            |name: &str, suffix: &str| if overlaps(name) { format!("{name}{suffix}") } else { name.to_string() };
        let mut output = Vec::new();
        let (mut left_columns, mut right_columns) = (Vec::new(), Vec::new());
        for name in left.iter_names() {
            match shared(name) {
                Some(number) => output.push(Output::Key(number, name.to_string())),
                None => {
                    let to = named(name, &on.suffixes.0);
                    left_columns.push((name.to_string(), to.clone()));
                    output.push(Output::Column(to));
                }
            }
        }
        for name in right.iter_names().filter(|name| !only_left && shared(name).is_none()) {
            let to = named(name, &on.suffixes.1);
            right_columns.push((name.to_string(), to.clone()));
            output.push(Output::Column(to));
        }
        if on.indicator {
            if only_left {
                return Err(invalid("an indicator says nothing about a semi or anti join; leave it out".into()));
            }
            output.push(Output::Indicator("_merge".into()));
        }
        let twice = output
            .iter()
            .enumerate()
            .find(|(at, column)| output.iter().take(*at).any(|other| other.name() == column.name()));
        if let Some((_, column)) = twice {
            let reason = format!(
                "the result would have two columns `{}`; choose other suffixes than `{}` and `{}`, or rename one before",
                column.name(),
                on.suffixes.0,
                on.suffixes.1
            );
            return Err(invalid(reason));
        }
        let (left_keys, right_keys) = pairs.into_iter().unzip();
        let unique = |sides: [Validate; 2]| sides.contains(&on.validate);
        Ok(JoinKernel {
            how: on.how,
            left: Side {
                keys: left_keys,
                columns: left_columns,
                unique: unique([Validate::OneToOne, Validate::OneToMany]),
            },
            right: Side {
                keys: right_keys,
                columns: right_columns,
                unique: unique([Validate::OneToOne, Validate::ManyToOne]),
            },
            types,
            output,
            lefts: 1,
        })
    }
}

/// A type that holds the values of two, if they compare: pandas' rule without its objects.
pub(crate) fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as D;
    let is_text = |dtype: &DataType| matches!(dtype, D::String | D::Categorical(..) | D::Enum(..));
    let finer = |a: TimeUnit, b: TimeUnit| match (a, b) {
        (TimeUnit::Nanoseconds, _) | (_, TimeUnit::Nanoseconds) => TimeUnit::Nanoseconds,
        (TimeUnit::Microseconds, _) | (_, TimeUnit::Microseconds) => TimeUnit::Microseconds,
        _ => TimeUnit::Milliseconds,
    };
    let bits = |dtype: &DataType| match dtype {
        D::Int8 | D::UInt8 => Some(8),
        D::Int16 | D::UInt16 => Some(16),
        D::Int32 | D::UInt32 => Some(32),
        D::Int64 | D::UInt64 => Some(64),
        _ => None,
    };
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (D::Null, other) | (other, D::Null) => Some(other.clone()),
        (a, b) if is_text(a) && is_text(b) => Some(D::String),
        (D::Datetime(a, zone), D::Datetime(b, other)) if zone == other => {
            Some(D::Datetime(finer(*a, *b), zone.clone()))
        }
        (D::Duration(a), D::Duration(b)) => Some(D::Duration(finer(*a, *b))),
        (a, b) => {
            let floats = [a, b].iter().any(|dtype| matches!(dtype, D::Float32 | D::Float64));
            let numeric = |dtype: &DataType| bits(dtype).is_some() || matches!(dtype, D::Float32 | D::Float64);
            if floats {
                return (numeric(a) && numeric(b)).then_some(D::Float64);
            }
            let (wide, narrow) = if bits(a)? >= bits(b)? { (a, b) } else { (b, a) };
            if wide.is_signed_integer() == narrow.is_signed_integer() {
                return Some(wide.clone());
            }
            // A signed type has to hold the unsigned one's values.
            match (wide.is_signed_integer(), bits(wide)?, bits(narrow)?) {
                (true, wider, narrower) if wider > narrower => Some(wide.clone()),
                (_, 8, _) => Some(D::Int16),
                (_, 16, _) => Some(D::Int32),
                (_, 32, _) => Some(D::Int64),
                _ => None,
            }
        }
    }
}
