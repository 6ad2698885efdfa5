//! Making programs: common subexpressions share a register, constants are computed at once,
//! dead instructions are left out, casts are inserted.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::error::{KernelError, Result};
use super::super::lane::Lane;
use super::super::scalar::Scalar;
use super::check::{invalid, result_of};
use super::{BinaryOp, Distribution, Find, Input, Instr, Program, Reg, Strides, Table, UnaryOp, ops};
use crate::dtype::{DType, with_dtype};

/// What a register of a builder is.
enum Node {
    Input(Input),
    Instr(Instr),
}

/// Makes a [`Program`]. Its registers are in order of creation; those of the program are others.
///
/// See [`Program`] for an example.
pub struct Builder {
    ndim: usize,
    nodes: Vec<Node>,
    dtypes: Vec<DType>,
    known: HashMap<Instr, Reg>,
}

impl Builder {
    /// A program whose result has `ndim` dimensions.
    pub fn new(ndim: usize) -> Builder {
        Builder { ndim, nodes: Vec::new(), dtypes: Vec::new(), known: HashMap::new() }
    }

    /// The type of a register.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no such register.
    pub fn dtype(&self, reg: Reg) -> Result<DType> {
        let error = || invalid(format!("there is no register {reg}, only {}", self.dtypes.len()));
        self.dtypes.get(reg as usize).copied().ok_or_else(error)
    }

    /// One more input, in the order of calls. Equal inputs are not merged: only the caller knows
    /// which of them are the same block (see [`Program::merge_inputs`]).
    pub fn input(&mut self, input: Input) -> Reg {
        self.dtypes.push(input.dtype);
        self.nodes.push(Node::Input(input));
        (self.nodes.len() - 1) as Reg
    }

    /// Adds an instruction whose operands already have the types it needs, or finds the register
    /// that has its value.
    ///
    /// # Errors
    /// Those of [`Program::dtypes`].
    pub fn push(&mut self, instr: Instr) -> Result<Reg> {
        for reg in instr.operands() {
            self.dtype(reg)?;
        }
        let dtype = result_of(&instr, self.ndim, |reg| self.dtypes[reg as usize])?;
        let instr = self.folded(&instr, dtype).unwrap_or(instr);
        if let Some(&reg) = self.known.get(&instr) {
            return Ok(reg);
        }
        let reg = self.nodes.len() as Reg;
        self.known.insert(instr.clone(), reg);
        self.nodes.push(Node::Instr(instr));
        self.dtypes.push(dtype);
        Ok(reg)
    }

    /// A constant.
    pub fn constant(&mut self, value: impl Into<Scalar>) -> Result<Reg> {
        self.push(Instr::Const(value.into()))
    }

    /// `offset + sum(strides[k] * i[k])` as `int64`, where `i` is the index in the whole array.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is not one step per axis.
    pub fn index(&mut self, offset: i64, strides: &[i64]) -> Result<Reg> {
        self.push(Instr::Index { offset, strides: Strides::from_slice(strides) })
    }

    /// Random numbers at the places in `index` (`int64`) of the sequence of `seed`.
    ///
    /// # Errors
    /// [`KernelError::Parameter`] if the distribution has bad parameters.
    pub fn random(&mut self, distribution: Distribution, seed: u64, index: Reg) -> Result<Reg> {
        self.push(Instr::Random { distribution, seed, index })
    }

    /// Converts to another type; nothing if it is that type.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no such register.
    pub fn cast(&mut self, x: Reg, to: DType) -> Result<Reg> {
        if self.dtype(x)? == to { Ok(x) } else { self.push(Instr::Cast { to, x }) }
    }

    /// An operation of one operand. Where it is for floats alone, other types are converted by
    /// [`DType::float`], and rounding an integer or asking whether it is NaN costs nothing.
    ///
    /// # Errors
    /// [`KernelError::DTypeUnsupported`] if it has no meaning on the type, such as the negative of a `bool`.
    pub fn unary(&mut self, op: UnaryOp, x: Reg) -> Result<Reg> {
        use UnaryOp::*;
        let dtype = self.dtype(x)?;
        match op {
            Floor | Ceil | Trunc | Rint if !dtype.is_inexact() => Ok(x),
            Abs | Square if dtype == DType::Bool => Ok(x),
            Abs if dtype.is_complex() => self.push(Instr::Unary { op: Magnitude, x }),
            RealPart | Conj if !dtype.is_complex() => Ok(x),
            ImagPart if !dtype.is_complex() => self.constant(Scalar::from(false).cast(dtype)),
            IsNan | IsInf | IsPosInf | IsNegInf if !dtype.is_inexact() => self.constant(false),
            IsFinite if !dtype.is_inexact() => self.constant(true),
            BitNot if dtype == DType::Bool => self.push(Instr::Unary { op: Not, x }),
            _ => {
                let x = match op.domain() {
                    ops::Domain::Float | ops::Domain::Inexact => self.cast(x, dtype.float())?,
                    ops::Domain::Bool => self.cast(x, DType::Bool)?,
                    _ => x,
                };
                self.push(Instr::Unary { op, x })
            }
        }
    }

    /// An operation of two operands, which are promoted as NumPy does. Powers with the constant
    /// exponents -1, 0, 0.5, 1, 2 and 3 become cheaper operations.
    ///
    /// Comparisons of `int64` with `uint64` are made in `float64` (NumPy compares exactly).
    ///
    /// # Errors
    /// [`KernelError::DTypeUnsupported`] if it has no meaning on the promoted type.
    pub fn binary(&mut self, op: BinaryOp, a: Reg, b: Reg) -> Result<Reg> {
        use BinaryOp::*;
        let common = self.dtype(a)?.promote(self.dtype(b)?);
        let (op, dtype) = match (op, op.domain()) {
            (_, ops::Domain::Float | ops::Domain::Inexact) => (op, common.float()),
            (_, ops::Domain::Bool) => (op, DType::Bool),
            (Sub, _) if common == DType::Bool => (op, common),
            _ if common != DType::Bool => (op, common),
            (Add | Maximum | Fmax | BitOr, _) => (Or, common),
            (Mul | Minimum | Fmin | BitAnd, _) => (And, common),
            (BitXor, _) => (Xor, common),
            (Eq | Ne | Lt | Le | Gt | Ge, _) => (op, common),
            (Gcd | Lcm, _) => (op, common),
            // NumPy computes the rest in int8.
            _ => (op, DType::I8),
        };
        let (a, b) = (self.cast(a, dtype)?, self.cast(b, dtype)?);
        if op == Power
            && let Some(reg) = self.power(a, b)?
        {
            return Ok(reg);
        }
        // Constants last, where they need no buffer; else by number, so that `a + b` is `b + a`.
        let constant = |reg| self.as_constant(reg).is_some();
        match op.swapped() {
            Some(op) if (constant(b), b) < (constant(a), a) => self.push(Instr::Binary { op, a: b, b: a }),
            _ => self.push(Instr::Binary { op, a, b }),
        }
    }

    /// `a` where `condition` is true (not zero), else `b`; `a` and `b` are promoted.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no such register.
    pub fn select(&mut self, condition: Reg, a: Reg, b: Reg) -> Result<Reg> {
        let condition = self.cast(condition, DType::Bool)?;
        let dtype = self.dtype(a)?.promote(self.dtype(b)?);
        let (a, b) = (self.cast(a, dtype)?, self.cast(b, dtype)?);
        self.push(Instr::Where { condition, a, b })
    }

    /// What a table says of `x`, which is converted to the table's type.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no such register.
    pub fn find(&mut self, how: Find, table: Table, x: Reg) -> Result<Reg> {
        let x = self.cast(x, table.dtype())?;
        self.push(Instr::Find { table: Arc::new(table), how, x })
    }

    /// `minimum(maximum(x, low), high)`; a bound that is `None` does not apply.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if there is no such register.
    pub fn clip(&mut self, x: Reg, low: Option<Reg>, high: Option<Reg>) -> Result<Reg> {
        let x = low.map_or(Ok(x), |low| self.binary(BinaryOp::Maximum, x, low))?;
        high.map_or(Ok(x), |high| self.binary(BinaryOp::Minimum, x, high))
    }

    /// Adds the instructions of a program of the same number of dimensions, with `inputs` for its
    /// inputs; returns the register of its result.
    ///
    /// # Errors
    /// [`KernelError::InvalidProgram`] if the numbers of dimensions or inputs differ,
    /// [`KernelError::DTypeMismatch`] if an input has another type.
    pub fn import(&mut self, program: &Program, inputs: &[Reg]) -> Result<Reg> {
        if program.ndim != self.ndim || program.inputs.len() != inputs.len() {
            return Err(invalid(format!(
                "a program of {} axes and {} inputs cannot be part of one of {} axes with {}",
                program.ndim,
                program.inputs.len(),
                self.ndim,
                inputs.len()
            )));
        }
        for (input, &reg) in program.inputs.iter().zip(inputs) {
            let found = self.dtype(reg)?;
            if found != input.dtype {
                return Err(KernelError::DTypeMismatch {
                    operation: "input of a program",
                    expected: input.dtype,
                    found,
                });
            }
        }
        let mut map = inputs.to_vec();
        let at = |map: &[Reg], reg: Reg| {
            map.get(reg as usize)
                .copied()
                .ok_or_else(|| invalid(format!("register {reg} is read before it is written")))
        };
        for instr in &program.instrs {
            for reg in instr.operands() {
                at(&map, reg)?;
            }
            let reg = self.push(instr.clone().with_operands(|reg| map[reg as usize]))?;
            map.push(reg);
        }
        at(&map, program.result)
    }

    /// The program that computes `result`. All inputs stay, so that the arguments keep their
    /// places (see [`Program::drop_unused_inputs`]); other registers that are not needed go.
    ///
    /// # Errors
    /// Those of [`Program::dtypes`].
    pub fn finish(self, result: Reg) -> Result<Program> {
        self.dtype(result)?;
        let mut needed = vec![false; self.nodes.len()];
        needed[result as usize] = true;
        for (reg, node) in self.nodes.iter().enumerate().rev() {
            if let (true, Node::Instr(instr)) = (needed[reg], node) {
                for operand in instr.operands() {
                    needed[operand as usize] = true;
                }
            }
        }
        let mut map = vec![0; self.nodes.len()];
        let (mut inputs, mut instrs) = (Vec::new(), Vec::new());
        let input_count = self.nodes.iter().filter(|node| matches!(node, Node::Input(_))).count();
        for (reg, node) in self.nodes.into_iter().enumerate() {
            match node {
                Node::Input(input) => {
                    map[reg] = inputs.len() as Reg;
                    inputs.push(input);
                }
                Node::Instr(instr) if needed[reg] => {
                    let instr = instr.with_operands(|reg| map[reg as usize]);
                    map[reg] = (input_count + instrs.len()) as Reg;
                    instrs.push(instr);
                }
                Node::Instr(_) => {}
            }
        }
        let program = Program { ndim: self.ndim, inputs, instrs, result: map[result as usize] };
        program.dtypes()?;
        Ok(program)
    }

    fn as_constant(&self, reg: Reg) -> Option<Scalar> {
        match self.nodes.get(reg as usize) {
            Some(Node::Instr(Instr::Const(scalar))) => Some(*scalar),
            _ => None,
        }
    }

    /// The constant an instruction on constants gives: the kernels themselves compute it.
    fn folded(&self, instr: &Instr, dtype: DType) -> Option<Instr> {
        let scalar = match *instr {
            Instr::Cast { x, to } => self.as_constant(x)?.cast(to),
            Instr::Unary { op, x } => {
                let x = self.as_constant(x)?;
                with_dtype!(x.dtype(), T => with_dtype!(dtype, U => {
                    let (x, mut out) = ([x.get::<T>()], [<U>::default()]);
                    ops::run_unary(op, [<T as Lane>::tag(&x)], &mut <U as Lane>::tag_mut(&mut out));
                    Scalar::from(out[0])
                }))
            }
            Instr::Binary { op, a, b } => {
                let (a, b) = (self.as_constant(a)?, self.as_constant(b)?);
                with_dtype!(a.dtype(), T => with_dtype!(dtype, U => {
                    let (a, b, mut out) = ([a.get::<T>()], [b.get::<T>()], [<U>::default()]);
                    let operands = [<T as Lane>::tag(&a), <T as Lane>::tag(&b)].map(ops::Operand::Slice);
                    ops::run_binary(op, operands, &mut <U as Lane>::tag_mut(&mut out));
                    Scalar::from(out[0])
                }))
            }
            _ => return None,
        };
        Some(Instr::Const(scalar))
    }

    /// `a` to the power of a constant `b` without a call per element, where there is a way.
    fn power(&mut self, a: Reg, b: Reg) -> Result<Option<Reg>> {
        let Some(exponent) = self.as_constant(b) else {
            return Ok(None);
        };
        if exponent.dtype().is_complex() {
            // The kernel has ways of its own, with other signs of zeros.
            return Ok(None);
        }
        let float = exponent.dtype().is_float();
        let exponent = exponent.get::<f64>();
        let reg = if exponent == 0.0 {
            let one = Scalar::from(1_u8).cast(self.dtype(a)?);
            self.constant(one)?
        } else if exponent == 1.0 {
            a
        } else if exponent == 2.0 {
            self.push(Instr::Unary { op: UnaryOp::Square, x: a })?
        } else if exponent == 3.0 {
            let square = self.push(Instr::Unary { op: UnaryOp::Square, x: a })?;
            self.push(Instr::Binary { op: BinaryOp::Mul, a: square, b: a })?
        } else if float && exponent == 0.5 {
            self.push(Instr::Unary { op: UnaryOp::Sqrt, x: a })?
        } else if float && exponent == -1.0 {
            self.push(Instr::Unary { op: UnaryOp::Reciprocal, x: a })?
        } else {
            return Ok(None);
        };
        Ok(Some(reg))
    }
}
