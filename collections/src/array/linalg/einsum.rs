//! Einstein's sums: any product of arrays, summed over any axes, as products of two at a time.

use std::panic::Location;
use std::sync::Arc;

use crate::array::build::{cast, elementwise, view};
use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::functions::index_notation::aligned;
use crate::array::grid::Grid;
use crate::array::handle::Array;
use crate::array::kernels::program::BinaryOp;
use crate::array::shape::window::diagonal;
use crate::array::statistics::reduce::Axes;
use crate::error::{Error, Result};
use crate::lower::array::Contract;

type At = &'static Location<'static>;

/// Up to so many arrays the cheapest order of products is found; of more, the cheapest next product is taken.
const EXACT: usize = 8;

/// NumPy's `einsum`: the product of arrays of one type, summed over the axes whose letters the result has not; `...` stands for axes without
/// letters. Without `->` the result has the letters that come once, in alphabetical order.
///
/// Arrays are multiplied two at a time, in the order that needs the fewest multiplications (for more than eight arrays: the cheapest
/// product first). Each product is one of matrices, by blocks: its memory is that of two blocks and the result's. Floats are rounded within a
/// block by the product's kernel, so the last bits may depend on the chunks of axes that are summed.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, einsum};
/// let x = arange::<f64>(0.0, 6.0, 1.0)?.reshape([2, 3])?;
/// assert_eq!(einsum("ij,kj->ik", &[&x, &x])?.compute()?, ndarray::array![[5.0, 14.0], [14.0, 50.0]].into_dyn());
/// assert_eq!(einsum("ij->ji", &[&x])?.shape()?, [3, 2]);
/// assert_eq!(einsum("...j->...", &[&x])?.compute()?.into_raw_vec_and_offset().0, [3.0, 12.0]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the subscripts cannot be read or do not fit the arrays, or lengths of one letter differ.
#[track_caller]
pub fn einsum<T: Element>(subscripts: &str, arrays: &[&Array<T>]) -> Result<Array<T>> {
    let at = Location::caller();
    let exprs = arrays.iter().map(|array| array.expr().cloned()).collect::<Result<Vec<_>>>()?;
    let (names, out) = read(subscripts, &exprs, at)?;
    Ok(Array::from_expr(product_of(exprs, names, &out, at)?))
}

/// The letters of each array's axes and of the result's. Axes that `...` stands for have letters that cannot be written.
fn read(subscripts: &str, exprs: &[ExprRef], at: At) -> Result<(Vec<Vec<char>>, Vec<char>)> {
    let wrong = |reason: String| Error::invalid_at("einsum", reason, at);
    let text: String = subscripts.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (text.as_str(), None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != exprs.len() {
        return Err(wrong(format!("{subscripts:?} is for {} arrays, {} were given", terms.len(), exprs.len())));
    }
    // The unnamed axes are counted from the end.
    let unnamed = |place: usize| char::from_u32(0xE000 + place as u32).unwrap_or('\u{E000}');
    let letters = |term: &str| -> Result<(String, Option<usize>)> {
        let (before, after) = match term.split_once("...") {
            Some((before, after)) => (before, Some(after)),
            None => (term, None),
        };
        let letters = format!("{before}{}", after.unwrap_or_default());
        if !letters.chars().all(|letter| letter.is_ascii_alphabetic()) {
            return Err(wrong(format!("{term:?} in {subscripts:?}: axes are letters, with ... for those without one")));
        }
        Ok((letters, after.map(|_| before.len())))
    };
    let mut names = Vec::with_capacity(exprs.len());
    let mut most = 0;
    for (number, (term, expr)) in terms.iter().zip(exprs).enumerate() {
        let (letters, dots) = letters(term)?;
        let mut own: Vec<char> = letters.chars().collect();
        let extra =
            expr.ndim().checked_sub(own.len()).filter(|&extra| dots.is_some() || extra == 0).ok_or_else(|| {
                wrong(format!("{term:?} has not one letter for each of the {} axes of array {number}", expr.ndim()))
            })?;
        if let Some(place) = dots {
            own.splice(place..place, (0..extra).rev().map(unnamed));
            most = most.max(extra);
        }
        names.push(own);
    }
    let all: Vec<char> = names.iter().flatten().copied().collect();
    let out: Vec<char> = match output {
        Some(term) => {
            let (letters, dots) = letters(term)?;
            let mut out: Vec<char> = letters.chars().collect();
            if let Some(place) = dots {
                out.splice(place..place, (0..most).rev().map(unnamed));
            } else if most > 0 {
                return Err(wrong(format!("{subscripts:?}: the result lacks the axes of ...")));
            }
            out
        }
        None => {
            let mut once: Vec<char> = all.iter().copied().filter(char::is_ascii_alphabetic).collect();
            once.sort_unstable();
            let once = once.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).map(|same| same[0]);
            (0..most).rev().map(unnamed).chain(once).collect()
        }
    };
    for (place, letter) in out.iter().enumerate() {
        if out[..place].contains(letter) {
            return Err(wrong(format!("{subscripts:?}: the result has the axis {letter} twice")));
        }
        if !all.contains(letter) {
            return Err(wrong(format!("{subscripts:?}: no array has the axis {letter}")));
        }
    }
    Ok((names, out))
}

/// An array with letters for its axes, no two the same.
#[derive(Clone)]
struct Term {
    expr: ExprRef,
    names: Vec<char>,
}

/// The product of arrays, summed over the letters that `out` has not.
fn product_of(exprs: Vec<ExprRef>, names: Vec<Vec<char>>, out: &[char], at: At) -> Result<ExprRef> {
    let mut terms: Vec<Term> = Vec::with_capacity(exprs.len());
    for (expr, names) in exprs.into_iter().zip(names) {
        terms.push(diagonals(Term { expr, names }, at)?);
    }
    repeated_axes(&mut terms, at)?;
    let exprs: Vec<ExprRef> = terms.iter().map(|term| term.expr.clone()).collect();
    let names: Vec<&[char]> = terms.iter().map(|term| term.names.as_slice()).collect();
    // Lengths that differ are found here.
    aligned("einsum", &exprs, &names, at)?;
    for number in 0..terms.len() {
        let kept = |name: &char| {
            out.contains(name)
                || terms.iter().enumerate().any(|(other, term)| other != number && term.names.contains(name))
        };
        let names: Vec<bool> = terms[number].names.iter().map(kept).collect();
        terms[number] = summed(&terms[number], &names, at)?;
    }
    let plan = plan(&terms, out);
    for (first, second) in plan {
        let right = terms.remove(second);
        let left = terms.remove(first);
        let kept = |name: &char| out.contains(name) || terms.iter().any(|term| term.names.contains(name));
        terms.push(pair(&left, &right, kept, at)?);
    }
    let Some(last) = terms.pop() else {
        return Err(Error::invalid_at("einsum", "no arrays: give at least one", at));
    };
    let axes: Vec<Option<usize>> = out.iter().map(|name| last.names.iter().position(|own| own == name)).collect();
    if axes.iter().copied().eq((0..last.names.len()).map(Some)) {
        return Ok(last.expr);
    }
    view("einsum", &last.expr, &axes, at)
}

/// A letter that comes twice names a diagonal.
fn diagonals(mut term: Term, at: At) -> Result<Term> {
    while let Some((first, second)) = (0..term.names.len()).find_map(|second| {
        term.names[..second].iter().position(|name| *name == term.names[second]).map(|first| (first, second))
    }) {
        let lengths = [first, second].map(|axis| term.expr.grid.axes()[axis].length());
        if lengths[0] != lengths[1] {
            let reason = format!("axis {} has two lengths in one array: {lengths:?}", term.names[first]);
            return Err(Error::invalid_at("einsum", reason, at));
        }
        term.expr = diagonal("einsum", &term.expr, 0, [first as isize, second as isize], at)?;
        let name = term.names.remove(second);
        term.names.remove(first);
        term.names.push(name);
    }
    Ok(term)
}

/// Along an axis of length 1 an array is repeated where others are longer: it has no such axis then.
fn repeated_axes(terms: &mut [Term], at: At) -> Result<()> {
    let one = |term: &Term, axis: usize| term.expr.grid.axes()[axis].length() == Some(1);
    for number in 0..terms.len() {
        let longer = |name: char| {
            terms.iter().any(|term| term.names.iter().enumerate().any(|(axis, own)| *own == name && !one(term, axis)))
        };
        let term = &terms[number];
        let kept: Vec<usize> =
            (0..term.names.len()).filter(|&axis| !(one(term, axis) && longer(term.names[axis]))).collect();
        if kept.len() < term.names.len() {
            let axes: Vec<Option<usize>> = kept.iter().copied().map(Some).collect();
            let names = kept.iter().map(|&axis| term.names[axis]).collect();
            terms[number] = Term { expr: view("einsum", &term.expr, &axes, at)?, names };
        }
    }
    Ok(())
}

/// The sum over axes that nobody else has.
fn summed(term: &Term, kept: &[bool], at: At) -> Result<Term> {
    let axes: Vec<isize> = (0..kept.len()).filter(|&axis| !kept[axis]).map(|axis| axis as isize).collect();
    if axes.is_empty() {
        return Ok(term.clone());
    }
    let dtype = term.expr.dtype;
    let names = term.names.iter().zip(kept).filter(|(_, kept)| **kept).map(|(name, _)| *name).collect();
    let sum = crate::array::dtype::with_dtype!(dtype, T => {
        let sum = Array::<T>::from_expr(term.expr.clone()).sum(Axes::from(axes))?;
        cast(sum.expr()?, dtype, at)?
    });
    // "Or", and not a sum that is cut off, for truth values.
    debug_assert!(sum.dtype == dtype);
    Ok(Term { expr: sum, names })
}

/// How many elements the letters of some terms span.
fn size(terms: &[Term], names: impl Iterator<Item = char>) -> f64 {
    let length = |name: char| {
        let of = |term: &Term| {
            let axis = term.names.iter().position(|own| *own == name)?;
            Some(term.expr.grid.axes()[axis].length().unwrap_or(1_000_000))
        };
        terms.iter().filter_map(of).max().unwrap_or(1) as f64
    };
    names.map(length).product()
}

/// Which two terms are multiplied next, again and again; their product goes to the end of the list.
fn plan(terms: &[Term], out: &[char]) -> Vec<(usize, usize)> {
    let count = terms.len();
    if count < 2 {
        return Vec::new();
    }
    let union = |a: &[char], b: &[char]| -> Vec<char> {
        a.iter().chain(b.iter().filter(|name| !a.contains(name))).copied().collect()
    };
    if count <= EXACT {
        // The cheapest way to the product of each set of terms, from smaller sets to larger ones.
        let all = (1_usize << count) - 1;
        let left = |set: usize| -> Vec<char> {
            let inside = (0..count).filter(|term| set & (1 << term) != 0);
            let names = inside.fold(Vec::new(), |names, term| union(&names, &terms[term].names));
            let outside: Vec<&Term> =
                (0..count).filter(|term| set & (1 << term) == 0).map(|term| &terms[term]).collect();
            let kept = |name: &char| out.contains(name) || outside.iter().any(|term| term.names.contains(name));
            names.into_iter().filter(kept).collect()
        };
        let names: Vec<Vec<char>> = (0..=all)
            .map(
                |set| {
                    if set.count_ones() == 1 { terms[set.trailing_zeros() as usize].names.clone() } else { left(set) }
                },
            )
            .collect();
        let mut best: Vec<(f64, usize)> = vec![(0.0, 0); all + 1];
        for set in 1..=all {
            if set.count_ones() < 2 {
                continue;
            }
            let mut cheapest = (f64::INFINITY, 0);
            let mut part = (set - 1) & set;
            while part > 0 {
                let other = set & !part;
                if part > other {
                    let own = size(terms, union(&names[part], &names[other]).into_iter());
                    let cost = best[part].0 + best[other].0 + own;
                    if cost < cheapest.0 {
                        cheapest = (cost, part);
                    }
                }
                part = (part - 1) & set;
            }
            best[set] = cheapest;
        }
        // From the whole down to single terms, then the products from the smallest sets up.
        let mut sets = vec![all];
        let mut at = 0;
        while at < sets.len() {
            let set = sets[at];
            at += 1;
            if set.count_ones() > 1 {
                sets.extend([best[set].1, set & !best[set].1]);
            }
        }
        let mut list: Vec<usize> = (0..count).map(|term| 1 << term).collect();
        let mut plan = Vec::new();
        for set in sets.into_iter().rev().filter(|set| set.count_ones() > 1) {
            let (a, b) = (best[set].1, set & !best[set].1);
            let places = [a, b].map(|part| list.iter().position(|&own| own == part).unwrap_or(0));
            let (first, second) = (places[0].min(places[1]), places[0].max(places[1]));
            plan.push((first, second));
            list.remove(second);
            list.remove(first);
            list.push(set);
        }
        return plan;
    }
    let mut list: Vec<Vec<char>> = terms.iter().map(|term| term.names.clone()).collect();
    let mut plan = Vec::new();
    while list.len() > 1 {
        let mut cheapest = (f64::INFINITY, 0, 1);
        for second in 1..list.len() {
            for first in 0..second {
                let cost = size(terms, union(&list[first], &list[second]).into_iter());
                if cost < cheapest.0 {
                    cheapest = (cost, first, second);
                }
            }
        }
        let (_, first, second) = cheapest;
        plan.push((first, second));
        let (right, left) = (list.remove(second), list.remove(first));
        let kept = |name: &char| out.contains(name) || list.iter().any(|names| names.contains(name));
        list.push(union(&left, &right).into_iter().filter(kept).collect());
    }
    plan
}

/// The product of two terms, summed over the letters that both have and nobody else.
fn pair(left: &Term, right: &Term, kept: impl Fn(&char) -> bool, at: At) -> Result<Term> {
    let both = |name: &&char| left.names.contains(name) && right.names.contains(name);
    let shared: Vec<char> = left.names.iter().filter(both).filter(|name| kept(name)).copied().collect();
    let inner: Vec<char> = left.names.iter().filter(both).filter(|name| !kept(name)).copied().collect();
    let rows: Vec<char> = left.names.iter().filter(|name| !right.names.contains(name)).copied().collect();
    let columns: Vec<char> = right.names.iter().filter(|name| !left.names.contains(name)).copied().collect();
    let names: Vec<char> = [shared.as_slice(), &rows, &columns].concat();
    let exprs = [left.expr.clone(), right.expr.clone()];
    if inner.is_empty() {
        // Nothing is summed: an elementwise product.
        let as_result = |term: &Term| -> Result<ExprRef> {
            let axes: Vec<Option<usize>> =
                names.iter().map(|name| term.names.iter().position(|own| own == name)).collect();
            view("einsum", &term.expr, &axes, at)
        };
        let sides = [as_result(left)?, as_result(right)?];
        let expr = elementwise("einsum", &sides, at, |builder, registers| {
            builder.binary(BinaryOp::Mul, registers[0], registers[1])
        })?;
        return Ok(Term { expr, names });
    }
    let (aligned, _) = aligned("einsum", &exprs, &[&left.names, &right.names], at)?;
    let ordered =
        |expr: &ExprRef, own: &[char], parts: [&[char]; 3], turned: [&[char]; 3]| -> Result<(ExprRef, bool)> {
            if own.iter().eq(turned.iter().copied().flatten()) {
                return Ok((expr.clone(), true));
            }
            let wanted: Vec<Option<usize>> =
                parts.iter().copied().flatten().map(|name| own.iter().position(|own| own == name)).collect();
            if wanted.iter().copied().eq((0..own.len()).map(Some)) {
                return Ok((expr.clone(), false));
            }
            Ok((view("einsum", expr, &wanted, at)?, false))
        };
    let (a, a_turned) = ordered(&aligned[0], &left.names, [&shared, &rows, &inner], [&shared, &inner, &rows])?;
    let (b, b_turned) = ordered(&aligned[1], &right.names, [&shared, &inner, &columns], [&shared, &columns, &inner])?;
    let operation = Contract {
        shared: shared.len(),
        left: rows.len(),
        right: columns.len(),
        inner: inner.len(),
        // Without axes of its own an input is read as it stands.
        turned: [a_turned && !rows.is_empty(), b_turned && !columns.is_empty()],
        dtype: a.dtype,
    };
    let own = |expr: &ExprRef, from: usize, count: usize| expr.grid.axes()[from..from + count].to_vec();
    let skip = |turned: bool, inner_first: bool| shared.len() + if turned == inner_first { 0 } else { inner.len() };
    let rows_at = skip(operation.turned[0], false);
    let columns_at = skip(operation.turned[1], true);
    let axes = [own(&a, 0, shared.len()), own(&a, rows_at, rows.len()), own(&b, columns_at, columns.len())].concat();
    let grid = Grid::new(axes);
    let dtype: DType = a.dtype;
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at("einsum", reason, at));
    }
    let expr = Expr::new(dtype, grid, Op::Custom(Arc::new(operation)), [a, b], at);
    Ok(Term { expr, names })
}

impl<T: Element> Array<T> {
    /// NumPy's `tensordot`: products summed over some axes of both arrays, the first of `axes` with the first of the others and so on. The result
    /// has the other axes of `self`, then those of `other`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::ones;
    /// let (x, y) = (ones::<f64>([2, 3, 4]), ones::<f64>([4, 5, 3]));
    /// let product = x.tensordot(&y, &[(1, 2), (2, 0)])?;
    /// assert_eq!((product.shape()?, product.sum(..)?.item()?.compute()?), (vec![2, 5], 120.0));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, or lengths differ.
    #[track_caller]
    pub fn tensordot(&self, other: &Array<T>, axes: &[(isize, isize)]) -> Result<Array<T>> {
        let at = Location::caller();
        let (left, right) = (self.expr()?, other.expr()?);
        let letter = |place: usize| char::from_u32(0xE000 + place as u32).unwrap_or('\u{E000}');
        let mut names: [Vec<char>; 2] = [
            (0..left.ndim()).map(letter).collect(),
            (0..right.ndim()).map(|axis| letter(left.ndim() + axis)).collect(),
        ];
        let mut taken = [vec![false; left.ndim()], vec![false; right.ndim()]];
        for &(own, others) in axes {
            let own = crate::array::build::axis_number("tensordot", own, left.ndim(), at)?;
            let others = crate::array::build::axis_number("tensordot", others, right.ndim(), at)?;
            if std::mem::replace(&mut taken[0][own], true) || std::mem::replace(&mut taken[1][others], true) {
                return Err(Error::invalid_at("tensordot", format!("an axis is named twice in {axes:?}"), at));
            }
            let (a, b) = (&left.grid.axes()[own], &right.grid.axes()[others]);
            if !a.as_long_as(b) {
                return Err(crate::array::build::misfit("tensordot", &[left.clone(), right.clone()], a, b, at));
            }
            names[1][others] = names[0][own];
        }
        let free =
            |side: usize| names[side].iter().zip(&taken[side]).filter(|(_, taken)| !**taken).map(|(name, _)| *name);
        let out: Vec<char> = free(0).chain(free(1)).collect();
        let names = names.to_vec();
        Ok(Array::from_expr(product_of(vec![left.clone(), right.clone()], names, &out, at)?))
    }
}
