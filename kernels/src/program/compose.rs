//! Putting programs together, and pushing slices and transposes through them.

use smallvec::SmallVec;

use super::super::error::{KernelError, Result};
use super::check::invalid;
use super::{Builder, Input, Instr, Program, Reg, Strides};

/// Where an axis of a program goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AxisMap {
    /// It becomes axis `axis`, of which index `i` is index `offset + i * step` of the old one.
    To {
        /// The new axis.
        axis: usize,
        /// The old index at the new index 0.
        offset: i64,
        /// The old steps in a new step; may be negative.
        step: i64,
    },
    /// It is fixed at an index and goes away.
    At(i64),
}

impl AxisMap {
    /// The axis moves, its indices stay.
    pub fn to(axis: usize) -> AxisMap {
        AxisMap::To { axis, offset: 0, step: 1 }
    }
}

impl Program {
    /// Blockwise fusion: computes input `k` of this program by the program `inner`.
    ///
    /// The inputs of the result are this program's, with `inner`'s in the place of input `k`.
    /// Axes of `inner` are taken through the axes of input `k`: along a broadcast axis, `inner`'s
    /// inputs are broadcast and its indices stand still. Axes of `inner` that input `k` does not
    /// read have length 1, so that their index is 0.
    ///
    /// ```
    /// use talatat_kernels::dtype::DType;
    /// use talatat_kernels::program::{Builder, Input, UnaryOp};
    /// let program = |op| {
    ///     let mut b = Builder::new(1);
    ///     let x = b.input(Input::identity(DType::F64, 1));
    ///     let y = b.unary(op, x)?;
    ///     b.finish(y)
    /// };
    /// let fused = program(UnaryOp::Exp)?.compose(0, &program(UnaryOp::Neg)?)?;
    /// assert_eq!((fused.inputs.len(), fused.instrs.len()), (1, 2));
    /// # Ok::<(), talatat_kernels::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no input `k` or it has axes that `inner` has
    /// not, [`KernelError::DTypeMismatch`] if the types differ.
    pub fn compose(&self, k: usize, inner: &Program) -> Result<Program> {
        self.dtypes()?;
        inner.dtypes()?;
        let outer = self.inputs.get(k).ok_or_else(|| invalid(format!("there is no input {k} to replace")))?;
        let map = |axis: Option<u8>| axis.map(usize::from);
        if let Some(axis) = outer.axes.iter().filter_map(|&axis| map(axis)).find(|&axis| axis >= inner.ndim) {
            return Err(KernelError::Axis { axis, ndim: inner.ndim });
        }
        let inputs = inner.inputs.iter().map(|input| Input {
            dtype: input.dtype,
            axes: outer.axes.iter().map(|&axis| map(axis).and_then(|axis| input.axes[axis])).collect(),
        });
        let mut instrs = inner.instrs.clone();
        for instr in &mut instrs {
            if let Instr::Index { strides, .. } = instr {
                *strides = outer.axes.iter().map(|&axis| map(axis).map_or(0, |axis| strides[axis])).collect();
            }
        }
        let inner = Program { ndim: self.ndim, inputs: inputs.collect(), instrs, result: inner.result };
        let mut builder = Builder::new(self.ndim);
        let mut args: Vec<Reg> = Vec::with_capacity(self.inputs.len());
        for (i, input) in self.inputs.iter().enumerate() {
            if i == k {
                let inner_args: Vec<Reg> = inner.inputs.iter().map(|input| builder.input(input.clone())).collect();
                args.push(builder.import(&inner, &inner_args)?);
            } else {
                args.push(builder.input(input.clone()));
            }
        }
        let result = builder.import(self, &args)?;
        builder.finish(result)
    }

    /// The program for a view of its result: `map[axis]` says where each axis goes, in a result
    /// of `ndim` dimensions; new axes that none goes to are broadcast. Slices, transposes,
    /// integer indices and new axes are all of this form. The blocks of the inputs must be viewed
    /// the same way by the caller: the program keeps which axes it reads, not which part of them.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if `map` has not one entry per axis or two axes go to
    /// one, [`KernelError::Axis`] if an axis does not exist in the result.
    pub fn remap_axes(&self, ndim: usize, map: &[AxisMap]) -> Result<Program> {
        self.dtypes()?;
        if map.len() != self.ndim {
            return Err(invalid(format!("{} axes are mapped, the program has {}", map.len(), self.ndim)));
        }
        let mut source: SmallVec<[Option<usize>; 8]> = SmallVec::from_elem(None, ndim);
        for (old, map) in map.iter().enumerate() {
            if let AxisMap::To { axis, .. } = *map {
                let slot = source.get_mut(axis).ok_or(KernelError::Axis { axis, ndim })?;
                if slot.replace(old).is_some() {
                    return Err(invalid(format!("two axes become axis {axis}")));
                }
            }
        }
        let mut program = self.clone();
        program.ndim = ndim;
        for input in &mut program.inputs {
            input.axes = source.iter().map(|&old| old.and_then(|old| input.axes[old])).collect();
        }
        for instr in &mut program.instrs {
            let Instr::Index { offset, strides } = instr else {
                continue;
            };
            let mut moved: Strides = SmallVec::from_elem(0, ndim);
            for (&stride, map) in strides.iter().zip(map) {
                let start = match *map {
                    AxisMap::At(index) => index,
                    AxisMap::To { axis, offset, step } => {
                        moved[axis] = stride.wrapping_mul(step);
                        offset
                    }
                };
                *offset = offset.wrapping_add(stride.wrapping_mul(start));
            }
            *strides = moved;
        }
        program.dtypes()?;
        Ok(program)
    }

    /// The program for `result[axis] = self[permutation[axis]]`, as NumPy's `transpose`.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if `permutation` is none.
    pub fn transpose(&self, permutation: &[usize]) -> Result<Program> {
        let mut map: SmallVec<[Option<AxisMap>; 8]> = SmallVec::from_elem(None, self.ndim);
        for (new, &old) in permutation.iter().enumerate() {
            let slot = map.get_mut(old).ok_or(KernelError::Axis { axis: old, ndim: self.ndim })?;
            *slot = Some(AxisMap::to(new));
        }
        let map: Option<Vec<AxisMap>> = map.into_iter().collect();
        let map = map.ok_or_else(|| invalid(format!("{permutation:?} is not a permutation of the axes")))?;
        self.remap_axes(permutation.len(), &map)
    }

    /// Merges inputs that are the same block read along the same axes: `source[i]` names the
    /// block of input `i`. Returns the program and which inputs are left, in order.
    ///
    /// # Errors
    /// [`KernelError::Arguments`] if there is not one source per input.
    pub fn merge_inputs<S: PartialEq>(&self, source: &[S]) -> Result<(Program, Vec<usize>)> {
        if source.len() != self.inputs.len() {
            return Err(KernelError::Arguments {
                operation: "merge of inputs",
                expected: self.inputs.len(),
                found: source.len(),
            });
        }
        let first = |i: usize| {
            let same = |&j: &usize| source[j] == source[i] && self.inputs[j] == self.inputs[i];
            (0..i).find(same).unwrap_or(i)
        };
        self.keep_inputs(&(0..self.inputs.len()).map(first).collect::<Vec<_>>(), |i, first| i == first)
    }

    /// Leaves out the inputs that the result does not depend on. Returns the program and which
    /// inputs are left, in order.
    ///
    /// # Errors
    /// Those of [`Program::dtypes`].
    pub fn drop_unused_inputs(&self) -> Result<(Program, Vec<usize>)> {
        self.dtypes()?;
        let mut needed = vec![false; self.inputs.len() + self.instrs.len()];
        needed[self.result as usize] = true;
        for (i, instr) in self.instrs.iter().enumerate().rev() {
            if needed[self.inputs.len() + i] {
                for reg in instr.operands() {
                    needed[reg as usize] = true;
                }
            }
        }
        let all: Vec<usize> = (0..self.inputs.len()).collect();
        self.keep_inputs(&all, |i, _| needed[i])
    }

    /// Rebuilds the program with input `stands_for[i]` for input `i`, and only those kept.
    fn keep_inputs(&self, stands_for: &[usize], keep: impl Fn(usize, usize) -> bool) -> Result<(Program, Vec<usize>)> {
        let mut builder = Builder::new(self.ndim);
        let mut kept = Vec::new();
        let mut args: Vec<Reg> = Vec::with_capacity(self.inputs.len());
        let mut dropped = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let first = stands_for[i];
            if keep(i, first) {
                kept.push(i);
                args.push(builder.input(input.clone()));
            } else if first < i {
                args.push(args[first]);
            } else {
                dropped.push(i);
                args.push(0);
            }
        }
        for i in dropped {
            // Nothing that is needed reads it; any register of its type will do.
            args[i] = builder.constant(super::Scalar::from(false).cast(self.inputs[i].dtype))?;
        }
        let result = builder.import(self, &args)?;
        Ok((builder.finish(result)?, kept))
    }
}
