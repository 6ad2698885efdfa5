//! The state of an evaluation: one tile at a time through the registers.

use std::ops::Range;

use smallvec::SmallVec;

use super::super::lane::{Lane, Slice, SliceMut};
use super::super::loops;
use super::super::reduce::Slab;
use super::eval::TileSink;
use super::find::run_find;
use super::layout::{Dims, Layout, for_each_index};
use super::ops::{Operand, run_binary, run_unary, run_where};
use super::random::run_random;
use super::{Compiled, Instr, Reg, Scratch};
use crate::dtype::{Element, with_dtype};

/// The memory of an input; none if it is that of the result.
pub(super) struct Source<'a> {
    pub(super) memory: Option<Slice<'a>>,
    pub(super) offset: i64,
}

/// The state of an evaluation.
pub(super) struct Machine<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) sources: SmallVec<[Source<'a>; 4]>,
    /// The registers that are indices, in the order of their streams, with their values at the block's first element.
    pub(super) indices: SmallVec<[(Reg, i64); 2]>,
    pub(super) layout: Layout,
    pub(super) scratch: Box<Scratch>,
    /// The memory of the result.
    pub(super) memory: Option<SliceMut<'a>>,
    /// The merged index of the tile's first element.
    pub(super) start: Dims,
    /// The extents of the tile.
    pub(super) size: Dims,
    /// The elements of the tile.
    pub(super) len: usize,
    /// Where the tile starts in the memory of each input, if it is read there without a copy.
    pub(super) borrowed: SmallVec<[Option<usize>; 4]>,
}

impl Machine<'_> {
    /// Moves to the next tile; false after the last.
    pub(super) fn next_tile(&mut self) -> bool {
        for axis in (0..self.start.len()).rev() {
            self.start[axis] += self.layout.tile[axis];
            if self.start[axis] < self.layout.dims[axis] {
                return true;
            }
            self.start[axis] = 0;
        }
        false
    }

    pub(super) fn run_tile(&mut self) {
        self.len = 1;
        for axis in 0..self.size.len() {
            self.size[axis] = self.layout.tile[axis].min(self.layout.dims[axis] - self.start[axis]);
            self.len *= self.size[axis];
        }
        for k in 0..self.sources.len() {
            let steps = self.layout.steps(k);
            let direct = self.sources[k].memory.is_some() && self.is_run(steps);
            self.borrowed[k] = direct.then(|| self.at(self.sources[k].offset, steps) as usize);
        }
        let compiled = self.compiled;
        let result = compiled.program.result;
        let out_stream = self.sources.len() + self.indices.len();
        let out_steps = self.layout.steps(out_stream);
        let out_start = self.at(0, out_steps) as usize;
        let direct = self.memory.is_some() && self.is_run(out_steps);
        let mut written = self.memory.is_none();
        for &reg in &compiled.steps {
            let input = self.borrowed.get(reg as usize);
            if let Some(Some(_)) = input {
                continue;
            }
            if reg == result && direct {
                written = true;
                let overwritten = input.is_some() && self.sources[reg as usize].memory.is_none();
                if !overwritten && let Some(mut memory) = self.memory.take() {
                    self.compute(reg, memory.sub_mut(out_start..out_start + self.len));
                    self.memory = Some(memory);
                }
                continue;
            }
            let slot = compiled.slots[reg as usize] as usize;
            with_dtype!(compiled.dtypes[reg as usize], T => {
                let mut buffer = std::mem::take(&mut <T as Lane>::slots_mut(&mut self.scratch)[slot]);
                self.compute(reg, <T as Lane>::tag_mut(&mut buffer[..self.len]));
                <T as Lane>::slots_mut(&mut self.scratch)[slot] = buffer;
            });
        }
        if !written && let Some(mut memory) = self.memory.take() {
            let steps = self.layout.steps(out_stream);
            scatter(self.fetch(result), &mut memory, out_start, steps, &self.size);
            self.memory = Some(memory);
        }
    }

    /// Where the tile starts in a stream.
    fn at(&self, offset: i64, steps: &[i64]) -> i64 {
        let step = |sum: i64, (&i, step): (&usize, &i64)| sum.wrapping_add(step.wrapping_mul(i as i64));
        self.start.iter().zip(steps).fold(offset, step)
    }

    /// Whether the tile is one run in memory, in its order.
    fn is_run(&self, steps: &[i64]) -> bool {
        let mut run = 1;
        for (&n, &step) in self.size.iter().zip(steps).rev() {
            if n > 1 && step != run {
                return false;
            }
            run *= n as i64;
        }
        true
    }

    /// The tile of a register that is computed.
    fn fetch(&self, reg: Reg) -> Slice<'_> {
        if let Some(&Some(start)) = self.borrowed.get(reg as usize)
            && let Some(memory) = &self.sources[reg as usize].memory
        {
            return memory.sub(start..start + self.len);
        }
        let slot = self.compiled.slots[reg as usize] as usize;
        with_dtype!(self.compiled.dtypes[reg as usize], T => {
            <T as Lane>::tag(&<T as Lane>::slots(&self.scratch)[slot][..self.len])
        })
    }

    /// Computes the tile of a register.
    fn compute(&self, reg: Reg, mut out: SliceMut<'_>) {
        let out = &mut out;
        match self.compiled.instr(reg) {
            None => self.load(reg as usize, out),
            // Filled before the first tile.
            Some(Instr::Const(_)) => {}
            Some(Instr::Index { .. }) => self.index(reg, out, |i| i),
            Some(&Instr::Random { distribution, seed, index }) => {
                run_random(distribution, seed, self.fetch(index), out)
            }
            Some(&Instr::Unary { op, x }) => run_unary(op, [self.fetch(x)], out),
            Some(&Instr::Binary { op, a, b }) => {
                let b = match self.compiled.instr(b) {
                    Some(&Instr::Const(scalar)) => Operand::Scalar(scalar),
                    _ => Operand::Slice(self.fetch(b)),
                };
                run_binary(op, [Operand::Slice(self.fetch(a)), b], out);
            }
            Some(&Instr::Where { condition, a, b }) => {
                run_where(self.fetch(condition), self.fetch(a), self.fetch(b), out);
            }
            Some(Instr::Find { table, how, x }) => run_find(table, *how, self.fetch(*x), out),
            Some(instr @ &Instr::Cast { x, .. }) => match self.compiled.program.index_as_float(instr) {
                Some(index) => self.index(index, out, |i| i as f64),
                None => loops::cast(self.fetch(x), out),
            },
        }
    }

    /// Copies the tile of an input.
    fn load(&self, k: usize, out: &mut SliceMut<'_>) {
        let source = &self.sources[k];
        let memory = source.memory.or_else(|| self.memory.as_ref().map(SliceMut::as_slice));
        let Some(memory) = memory else { return };
        let steps = self.layout.steps(k);
        let start = self.at(source.offset, steps);
        with_dtype!(memory.dtype(), T => {
            if let (Some(memory), Some(out)) = (<T as Lane>::slice(&memory), <T as Lane>::slice_mut(out)) {
                gather(memory, start, steps, &self.size, out);
            }
        });
    }

    /// Computes the tile of an index, converted by `f`.
    fn index<T: Element>(&self, reg: Reg, out: &mut SliceMut<'_>, f: impl Fn(i64) -> T + Copy) {
        let Some(i) = self.indices.iter().position(|&(index, _)| index == reg) else {
            return;
        };
        let Some(out) = T::slice_mut(out) else { return };
        let steps = self.layout.steps(self.sources.len() + i);
        let start = self.at(self.indices[i].1, steps);
        for_each_row(&self.size, steps, start, |row, first, step| {
            loops::progression(first, step, &mut out[row], f);
        });
    }

    /// Hands the tile of the result to a sink.
    pub(super) fn deliver(&self, shape: &[usize], sink: &mut impl TileSink) {
        let layout = &self.layout;
        // The axes from here on are one run: all but the first of them are complete.
        let mut first = self.size.len() - 1;
        while first > layout.run_axis && self.size[first] == layout.dims[first] {
            first -= 1;
        }
        let width: usize = self.size[first..].iter().product();
        // The rows of a slab follow each other along the axis before.
        let (outer, rows) = match first.checked_sub(1) {
            Some(axis) => (axis, self.size[axis]),
            None => (0, 1),
        };
        let mut position = Dims::from_elem(0, shape.len());
        let mut index = self.start.clone();
        let values = self.fetch(self.compiled.program.result);
        with_dtype!(values.dtype(), T => {
            let Some(values) = <T as Lane>::slice(&values) else { return };
            let mut slabs = values.chunks_exact(rows * width);
            for_each_index(&self.size[..outer], |i| {
                for (axis, i) in i.iter().enumerate() {
                    index[axis] = self.start[axis] + i;
                }
                layout.position(shape, &index, &mut position);
                if let Some(slab) = slabs.next().and_then(|values| Slab::new(values, rows, width, width)) {
                    sink.slab(&position, layout.axis(outer), slab);
                }
            });
        });
    }
}

impl Layout {
    /// Hands an input's memory to a sink as it is, if its rows are runs of it; else gives `false`.
    pub(super) fn deliver(&self, shape: &[usize], memory: &Slice<'_>, offset: i64, sink: &mut impl TileSink) -> bool {
        let Some(last) = self.dims.len().checked_sub(1) else { return false };
        let (outer, rows, stride) = match last.checked_sub(1) {
            Some(axis) => (axis, self.dims[axis], self.steps(0)[axis]),
            None => (0, 1, self.dims[last] as i64),
        };
        let width = self.dims[last];
        let steps = &self.steps(0)[..outer];
        if (width > 1 && self.steps(0)[last] != 1) || stride < width as i64 {
            return false;
        }
        let mut position = Dims::from_elem(0, shape.len());
        let mut index = Dims::from_elem(0, self.dims.len());
        with_dtype!(memory.dtype(), T => {
            let Some(values) = <T as Lane>::slice(memory) else { return false };
            for_each_index(&self.dims[..outer], |i| {
                index[..outer].copy_from_slice(i);
                self.position(shape, &index, &mut position);
                let start = i.iter().zip(steps).fold(offset, |at, (&i, step)| at + step * i as i64) as usize;
                let slab = values.get(start..).and_then(|values| Slab::new(values, rows, width, stride as usize));
                if let Some(slab) = slab {
                    sink.slab(&position, self.axis(outer), slab);
                }
            });
        });
        true
    }
}

/// Calls `f` for every row of a tile: its place in the tile, and the first value and the step of
/// a stream that has the value `start` at the tile's first element.
fn for_each_row(size: &[usize], steps: &[i64], start: i64, mut f: impl FnMut(Range<usize>, i64, i64)) {
    let Some((&n, outer)) = size.split_last() else {
        return;
    };
    let step = steps[outer.len()];
    let mut at = 0;
    for_each_index(outer, |index| {
        let first =
            index.iter().zip(steps).fold(start, |sum, (&i, step)| sum.wrapping_add(step.wrapping_mul(i as i64)));
        f(at..at + n, first, step);
        at += n;
    });
}

/// Copies a tile out of strided memory.
fn gather<T: Copy>(memory: &[T], start: i64, steps: &[i64], size: &[usize], out: &mut [T]) {
    for_each_row(size, steps, start, |row, first, step| {
        let out = &mut out[row];
        let first = first as usize;
        match step {
            1 => out.copy_from_slice(&memory[first..first + out.len()]),
            0 => out.fill(memory[first]),
            2.. => {
                for (to, &from) in out.iter_mut().zip(memory[first..].iter().step_by(step as usize)) {
                    *to = from;
                }
            }
            _ => {
                for (to, &from) in
                    out.iter_mut().zip(memory[..=first].iter().rev().step_by(step.unsigned_abs() as usize))
                {
                    *to = from;
                }
            }
        }
    });
}

/// Copies a tile into memory whose rows are runs.
fn scatter(values: Slice<'_>, memory: &mut SliceMut<'_>, start: usize, steps: &[i64], size: &[usize]) {
    with_dtype!(values.dtype(), T => {
        if let (Some(values), Some(memory)) = (<T as Lane>::slice(&values), <T as Lane>::slice_mut(memory)) {
            for_each_row(size, steps, start as i64, |row, first, _| {
                let first = first as usize;
                memory[first..first + row.len()].copy_from_slice(&values[row]);
            });
        }
    });
}
