//! Programs in words.

use std::fmt;

use super::{Instr, Program};

/// The operations as calls: `sqrt(add(square(x0), square(x1)))`; of a long program only how long it is.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 60;
        let mut texts: Vec<String> = (0..self.inputs.len()).map(|input| format!("x{input}")).collect();
        for instr in &self.instrs {
            let operands: Vec<&str> =
                instr.operands().iter().map(|&reg| texts.get(reg as usize).map_or("?", String::as_str)).collect();
            let name = match instr {
                Instr::Const(scalar) => scalar.to_string(),
                Instr::Index { .. } => "index".into(),
                Instr::Random { .. } => "random".into(),
                Instr::Unary { op, .. } => op.name().into(),
                Instr::Binary { op, .. } => op.name().into(),
                Instr::Where { .. } => "where".into(),
                Instr::Find { table, how, .. } => format!("{} of {}", how.name(), table.len()),
                Instr::Cast { to, .. } => to.name().into(),
            };
            let text = if operands.is_empty() { name } else { format!("{name}({})", operands.join(", ")) };
            if text.len() > LONGEST {
                let inputs = self.inputs.len();
                return write!(f, "{} operations of {inputs} inputs", self.instrs.len());
            }
            texts.push(text);
        }
        f.write_str(texts.get(self.result as usize).map_or("", String::as_str))
    }
}
