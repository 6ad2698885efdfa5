//! Which programs are valid, and the types of their registers.

use super::super::error::{KernelError, Result};
use super::{Instr, MAX_NDIM, Program};
use crate::dtype::DType;

impl Program {
    /// The type of every register, if the program is valid: registers are read after they are
    /// written, types fit the operations, axes exist. O(instructions).
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`], [`KernelError::DTypeUnsupported`],
    /// [`KernelError::DTypeMismatch`] or [`KernelError::Parameter`].
    pub fn dtypes(&self) -> Result<Vec<DType>> {
        if self.ndim > MAX_NDIM {
            return Err(invalid(format!("{} dimensions, at most {MAX_NDIM} are possible", self.ndim)));
        }
        let mut dtypes = Vec::with_capacity(self.inputs.len() + self.instrs.len());
        for (i, input) in self.inputs.iter().enumerate() {
            if input.axes.len() != self.ndim {
                return Err(invalid(format!(
                    "input {i} maps {} axes, the program has {}",
                    input.axes.len(),
                    self.ndim
                )));
            }
            let mut seen = [false; 256];
            for axis in input.axes.iter().flatten() {
                let seen = &mut seen[usize::from(*axis)];
                if usize::from(*axis) >= MAX_NDIM || *seen {
                    return Err(invalid(format!("input {i} reads its axis {axis} twice, or it cannot exist")));
                }
                *seen = true;
            }
            dtypes.push(input.dtype);
        }
        for instr in &self.instrs {
            if let Some(reg) = instr.operands().into_iter().find(|&reg| reg as usize >= dtypes.len()) {
                return Err(invalid(format!("register {} reads register {reg}, which is not before it", dtypes.len())));
            }
            dtypes.push(result_of(instr, self.ndim, |reg| dtypes[reg as usize])?);
        }
        if self.result as usize >= dtypes.len() {
            return Err(invalid(format!("the result is register {}, there are {}", self.result, dtypes.len())));
        }
        Ok(dtypes)
    }

    /// The type of the result.
    ///
    /// # Errors
    /// As [`Program::dtypes`].
    pub fn dtype(&self) -> Result<DType> {
        Ok(self.dtypes()?[self.result as usize])
    }
}

pub(super) fn invalid(reason: String) -> KernelError {
    KernelError::InvalidProgram { reason }
}

/// The type of an instruction's result from those of its operands.
pub(super) fn result_of(instr: &Instr, ndim: usize, dtype: impl Fn(u32) -> DType) -> Result<DType> {
    let same = |operation, a: DType, b: DType| {
        if a == b {
            return Ok(());
        }
        Err(KernelError::DTypeMismatch { operation, expected: a, found: b })
    };
    match instr {
        Instr::Const(scalar) => Ok(scalar.dtype()),
        Instr::Index { strides, .. } if strides.len() != ndim => {
            Err(invalid(format!("an index has {} steps, the program {ndim} axes", strides.len())))
        }
        Instr::Index { .. } => Ok(DType::I64),
        Instr::Random { distribution, index, .. } => {
            distribution.check()?;
            same("index of random numbers", DType::I64, dtype(*index))?;
            Ok(distribution.dtype())
        }
        Instr::Unary { op, x } => op.result(dtype(*x)),
        Instr::Binary { op, a, b } => {
            same(op.name(), dtype(*a), dtype(*b))?;
            op.result(dtype(*a))
        }
        Instr::Where { condition, a, b } => {
            same("condition of where", DType::Bool, dtype(*condition))?;
            same("where", dtype(*a), dtype(*b))?;
            Ok(dtype(*a))
        }
        Instr::Find { table, how, x } => {
            same(how.name(), table.dtype(), dtype(*x))?;
            Ok(how.result())
        }
        Instr::Cast { to, .. } => Ok(*to),
    }
}
