//! What is noted of a lowering for people: how expressions were rewritten, and how what they make is cut.

/// What an explanation wants to know beside the graph. A [`Lowering`](super::Lowering) that has one fills it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The rules that changed an expression, in order, and what stood there afterwards.
    pub rewrites: Vec<Rewritten>,
    /// What was lowered, inputs first, and how it is cut.
    pub splits: Vec<Split>,
}

/// Expressions after a rule that has changed one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The rule, as settings name it.
    pub rule: &'static str,
    /// All expressions that are rewritten together, one operation a line.
    pub expression: String,
}

/// How the result of an operation is cut into blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The operation.
    pub operation: String,
    /// How many blocks there are.
    pub blocks: usize,
    /// Which axes are cut and which are whole, or what partitions are.
    pub how: String,
}

impl Trace {
    /// Notes how the result of an operation is cut.
    pub(crate) fn split(&mut self, operation: String, blocks: usize, how: String) {
        self.splits.push(Split { operation, blocks, how });
    }

    /// Notes what a rule has made of expressions.
    #[cfg_attr(not(any(feature = "array", feature = "frame")), allow(dead_code))]
    pub(crate) fn rewritten(&mut self, rule: &'static str, expression: String) {
        self.rewrites.push(Rewritten { rule, expression });
    }
}
