//! Places of elements in a sorted table: `digitize` and `isin`.

use std::hash::{Hash, Hasher};

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use super::super::error::{KernelError, Result};
use super::super::lane::{Lane, Slice, SliceMut};
use super::super::number::Ordered;
use crate::dtype::{DType, Element, for_each_dtype, with_dtype};

/// What is asked of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Find {
    /// How many of its elements are less (NaN is greater than all).
    Left,
    /// How many of its elements are less or equal.
    Right,
    /// Whether it has the element.
    Member,
}

impl Find {
    /// The type of the answers.
    pub fn result(self) -> DType {
        match self {
            Find::Left | Find::Right => DType::I64,
            Find::Member => DType::Bool,
        }
    }

    /// A name for plans.
    pub fn name(self) -> &'static str {
        match self {
            Find::Left | Find::Right => "digitize",
            Find::Member => "isin",
        }
    }
}

macro_rules! define_table {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// Elements in ascending order, without NaN.
        ///
        /// ```
        /// use talatat_kernels::program::Table;
        /// let table = Table::new(vec![3.0, 1.0, 2.0])?;
        /// assert_eq!(table.len(), 3);
        /// assert!(Table::new(vec![1.0, f64::NAN]).is_err());
        /// # Ok::<(), talatat_kernels::KernelError>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Table(Values);

        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        enum Values { $($variant(Vec<$rust>)),* }

        impl Table {
            fn from_slice(values: Slice<'_>) -> Table {
                Table(match values { $(Slice::$variant(values) => Values::$variant(values.to_vec())),* })
            }

            fn slice(&self) -> Slice<'_> {
                match &self.0 { $(Values::$variant(values) => Slice::$variant(values)),* }
            }
        }
    };
}

for_each_dtype!(define_table);

// There is no NaN in it.
impl Eq for Table {}

impl Hash for Table {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dtype().hash(state);
        with_dtype!(self.dtype(), T => {
            for &value in <T as Lane>::slice(&self.slice()).unwrap_or_default() {
                value.to_scalar().hash(state);
            }
        });
    }
}

impl Table {
    /// Sorts elements.
    ///
    /// # Errors
    /// [`KernelError::Parameter`] if one is NaN, which has no place.
    pub fn new<T: Element>(mut values: Vec<T>) -> Result<Table> {
        if values.iter().any(|&value| value.compare(value).is_none()) {
            return Err(KernelError::Parameter { operation: "table", reason: "NaN has no place in an order".into() });
        }
        values.sort_by(|a, b| a.compare(*b).unwrap_or(std::cmp::Ordering::Equal));
        Ok(Table::from_slice(<T as Lane>::tag(&values)))
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.slice().dtype()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Up to so many elements all of them are compared, which the compiler vectorises; beyond that the table is bisected.
const FEW: usize = 32;

/// `out[i]` = what the table says of `x[i]`; slices of other types are left alone.
pub(super) fn run_find(table: &Table, how: Find, x: Slice<'_>, out: &mut SliceMut<'_>) {
    with_dtype!(x.dtype(), T => {
        let table = table.slice();
        let (Some(x), Some(table)) = (<T as Lane>::slice(&x), <T as Lane>::slice(&table)) else { return };
        match how {
            Find::Left => {
                if let Some(out) = <i64 as Lane>::slice_mut(out) {
                    count(table, x, out, below::<T>);
                }
            }
            Find::Right => {
                if let Some(out) = <i64 as Lane>::slice_mut(out) {
                    count(table, x, out, below_or_equal::<T>);
                }
            }
            Find::Member => {
                if let Some(out) = <bool as Lane>::slice_mut(out) {
                    member(table, x, out);
                }
            }
        }
    });
}

/// `value < x`, and true where `x` is NaN, which is after all: comparisons with it are false.
#[inline(always)]
fn below<T: Ordered>(value: T, x: T) -> bool {
    !value.greater_equal(x)
}

/// `value <= x`, and true where `x` is NaN.
#[inline(always)]
fn below_or_equal<T: Ordered>(value: T, x: T) -> bool {
    !value.greater(x)
}

/// How many elements of the table are before each of `x`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn count<T: Copy, F: Fn(T, T) -> bool>(table: &[T], x: &[T], out: &mut [i64], before: F) {
    if table.len() <= FEW {
        out.fill(0);
        for &value in table {
            for (out, &x) in out.iter_mut().zip(x) {
                *out += i64::from(before(value, x));
            }
        }
    } else {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = table.partition_point(|&value| before(value, x)) as i64;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn member<T: Ordered>(table: &[T], x: &[T], out: &mut [bool]) {
    if table.len() <= FEW {
        out.fill(false);
        for &value in table {
            for (out, &x) in out.iter_mut().zip(x) {
                *out |= value == x;
            }
        }
    } else {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = table.get(table.partition_point(|&value| value.less(x))).is_some_and(|&value| value == x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_alike() {
        let all: Vec<f64> = (0..200).map(|i| f64::from(i % 50) * 0.5).collect();
        let x = [-1.0, -0.0, 0.0, 0.25, 3.0, 24.5, 99.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY];
        for length in [0, 1, 5, FEW, FEW + 1, 200] {
            let table = Table::new(all[..length].to_vec()).unwrap();
            let (mut left, mut right, mut member) = ([9; 10], [9; 10], [true; 10]);
            run_find(&table, Find::Left, Lane::tag(&x), &mut Lane::tag_mut(&mut left));
            run_find(&table, Find::Right, Lane::tag(&x), &mut Lane::tag_mut(&mut right));
            run_find(&table, Find::Member, Lane::tag(&x), &mut Lane::tag_mut(&mut member));
            for (i, x) in x.iter().enumerate() {
                let counted = |f: &dyn Fn(f64) -> bool| all[..length].iter().filter(|&&value| f(value)).count() as i64;
                assert_eq!(left[i], counted(&|value| value < *x || x.is_nan()), "{x} among {length}");
                assert_eq!(right[i], counted(&|value| value <= *x || x.is_nan()), "{x} among {length}");
                assert_eq!(member[i], all[..length].contains(x), "{x} among {length}");
            }
        }
    }

    #[test]
    fn tables_are_sorted_and_hashed() {
        use std::collections::HashSet;
        let tables: HashSet<Table> =
            [vec![1, 3, 2], vec![3, 2, 1], vec![1, 2]].into_iter().map(|values| Table::new(values).unwrap()).collect();
        assert_eq!(tables.len(), 2);
        assert!(Table::new::<f32>(Vec::new()).unwrap().is_empty());
    }
}
