//! Indices along an axis at even steps.

use crate::array::kernels::program::AxisMap;

/// `start, start + step, ..`: `length` indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct StepRange {
    /// The first index.
    pub start: usize,
    /// From one index to the next; negative ones go backwards; never 0.
    pub step: isize,
    /// How many there are.
    pub length: usize,
}

impl StepRange {
    /// All indices of an axis.
    pub fn all(length: usize) -> StepRange {
        StepRange { start: 0, step: 1, length }
    }

    /// The index at a position.
    pub fn at(&self, position: usize) -> usize {
        self.start.wrapping_add_signed(self.step.wrapping_mul(position as isize))
    }

    /// The index at the last position, if there is one and it can be counted.
    pub fn last(&self) -> Option<usize> {
        let steps = isize::try_from(self.length.checked_sub(1)?).ok()?;
        self.start.checked_add_signed(self.step.checked_mul(steps)?)
    }

    /// The range of indices `inner` of this range.
    pub fn then(&self, inner: &StepRange) -> StepRange {
        match inner.length {
            0 => StepRange::all(0),
            // One index is the same whichever way it goes.
            1 => StepRange { start: self.at(inner.start), step: 1, length: 1 },
            length => StepRange { start: self.at(inner.start), step: self.step * inner.step, length },
        }
    }

    /// Whether these are all indices of an axis, in order.
    pub fn is_all(&self, length: usize) -> bool {
        self.length == length && (length == 0 || (self.start == 0 && (self.step == 1 || length == 1)))
    }

    /// How a program sees the axis: its new index to its old one.
    pub fn map(&self, axis: usize) -> AxisMap {
        AxisMap::To { axis, offset: self.start as i64, step: self.step as i64 }
    }
}

/// The ranges of a slice: `[1..4, 3 from 0 by 2]`.
pub(crate) fn ranges_text(ranges: &[StepRange]) -> String {
    let text = |range: &StepRange| match range.step {
        1 => format!("{}..{}", range.start, range.start + range.length),
        step => format!("{} from {} by {step}", range.length, range.start),
    };
    format!("[{}]", ranges.iter().map(text).collect::<Vec<_>>().join(", "))
}
