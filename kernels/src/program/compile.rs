//! Order and places of the registers of a program.

use smallvec::SmallVec;

use super::super::error::Result;
use super::layout::LARGEST_TILE;
use super::{Instr, Program, Reg};
use crate::dtype::DType;

/// A checked program with a place for every register: what the blocks of a layer share.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(super) program: Program,
    pub(super) dtypes: SmallVec<[DType; 16]>,
    /// The registers in order of computation; inputs come right before their first use,
    /// constants are not among them.
    pub(super) steps: SmallVec<[Reg; 16]>,
    /// The constants that are needed.
    pub(super) constants: SmallVec<[Reg; 8]>,
    /// The scratch buffer of each register, by number among those of its type.
    pub(super) slots: SmallVec<[u32; 16]>,
    /// How many scratch buffers each type needs, in the order of [`DType::ALL`].
    pub(super) slot_counts: [u32; TYPES],
}

const TYPES: usize = DType::ALL.len();
const NONE: u32 = u32::MAX;

/// Hands out scratch buffers.
struct Places {
    slots: SmallVec<[u32; 16]>,
    counts: [u32; TYPES],
    free: [SmallVec<[u32; 8]>; TYPES],
}

impl Places {
    fn place(&mut self, reg: Reg, dtype: DType, own: bool) {
        let reused = if own { None } else { self.free[dtype as usize].pop() };
        self.slots[reg as usize] = reused.unwrap_or_else(|| {
            let count = &mut self.counts[dtype as usize];
            *count += 1;
            *count - 1
        });
    }

    fn release(&mut self, reg: Reg, dtype: DType) {
        self.free[dtype as usize].push(self.slots[reg as usize]);
    }
}

impl Program {
    /// Checks the program and places its registers. O(instructions).
    ///
    /// # Errors
    /// Those of [`Program::dtypes`].
    pub fn compile(&self) -> Result<Compiled> {
        self.clone().into_compiled()
    }

    /// As [`Program::compile`], of a program that is not needed any more.
    ///
    /// # Errors
    /// Those of [`Program::dtypes`].
    pub fn into_compiled(self) -> Result<Compiled> {
        let dtypes = SmallVec::from_vec(self.dtypes()?);
        let input_count = self.inputs.len();
        let last_use = self.last_use(dtypes.len());
        let mut places =
            Places { slots: SmallVec::from_elem(NONE, dtypes.len()), counts: [0; TYPES], free: Default::default() };
        let mut steps = SmallVec::new();
        let mut constants = SmallVec::new();
        let is_constant = |reg: Reg| {
            let instr = (reg as usize).checked_sub(input_count).and_then(|i| self.instrs.get(i));
            matches!(instr, Some(Instr::Const(_)))
        };
        for (i, instr) in self.instrs.iter().enumerate() {
            let reg = (input_count + i) as Reg;
            if last_use[reg as usize] == NONE {
                continue;
            }
            if is_constant(reg) {
                // It keeps its buffer, which is filled once for all tiles.
                places.place(reg, dtypes[reg as usize], true);
                constants.push(reg);
                continue;
            }
            let operands = self.reads(instr);
            for &operand in &operands {
                if (operand as usize) < input_count && places.slots[operand as usize] == NONE {
                    places.place(operand, dtypes[operand as usize], false);
                    steps.push(operand);
                }
            }
            // Before the operands are released: no buffer is read and written at once.
            places.place(reg, dtypes[reg as usize], false);
            steps.push(reg);
            for (k, &operand) in operands.iter().enumerate() {
                if last_use[operand as usize] == reg && !is_constant(operand) && !operands[..k].contains(&operand) {
                    places.release(operand, dtypes[operand as usize]);
                }
            }
        }
        if (self.result as usize) < input_count {
            places.place(self.result, dtypes[self.result as usize], false);
            steps.push(self.result);
        }
        let Places { slots, counts, .. } = places;
        Ok(Compiled { program: self, dtypes, steps, constants, slots, slot_counts: counts })
    }

    /// The registers whose tiles an instruction reads: its operands, but an index that becomes
    /// `float64` is computed in one go.
    fn reads(&self, instr: &Instr) -> SmallVec<[Reg; 3]> {
        if self.index_as_float(instr).is_some() { SmallVec::new() } else { instr.operands() }
    }

    /// The register of the index, if the instruction converts one to `float64`.
    pub(super) fn index_as_float(&self, instr: &Instr) -> Option<Reg> {
        let &Instr::Cast { to: DType::F64, x } = instr else {
            return None;
        };
        let operand = (x as usize).checked_sub(self.inputs.len()).and_then(|i| self.instrs.get(i));
        matches!(operand, Some(Instr::Index { .. })).then_some(x)
    }

    /// The register whose computation reads each register last; `NONE` if the result does not
    /// depend on it.
    fn last_use(&self, registers: usize) -> SmallVec<[u32; 16]> {
        let mut last_use: SmallVec<[u32; 16]> = SmallVec::from_elem(NONE, registers);
        last_use[self.result as usize] = registers as u32;
        for (i, instr) in self.instrs.iter().enumerate().rev() {
            let reg = self.inputs.len() + i;
            if last_use[reg] != NONE {
                for operand in self.reads(instr) {
                    let last_use = &mut last_use[operand as usize];
                    if *last_use == NONE {
                        *last_use = reg as u32;
                    }
                }
            }
        }
        last_use
    }
}

impl Compiled {
    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The type of the result.
    pub fn dtype(&self) -> DType {
        self.dtypes[self.program.result as usize]
    }

    /// Bytes that an evaluation needs beside its inputs and its result: a tile for each
    /// register that lives at the same time. Inputs whose memory has gaps are copied on top.
    pub fn scratch_bytes(&self) -> usize {
        DType::ALL.iter().zip(self.slot_counts).map(|(dtype, count)| dtype.size() * count as usize * LARGEST_TILE).sum()
    }
}
