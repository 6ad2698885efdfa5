//! How the rows of two frames meet.
//!
//! | algorithm | when | tasks |
//! |---|---|---|
//! | single | both frames are one partition | 1 |
//! | broadcast | one side is small, and the other one's order is that of the result | one a partition of the other |
//! | sorted partitions | both frames are indexed by the key, and what is in which partition is known | one a left partition |
//! | hash shuffle | else | rows with equal keys brought together, joined, and brought back into pandas' order |
//!
//! A rule chooses when filters and columns have been pushed down (`frame/rewrite/decide.rs`); without it all joins are shuffles.

use talatat_graph::format_bytes;

use super::shuffle::Size;
use crate::frame::expr::{FrameExpr, Node};
use crate::frame::kernels::join::{How, JoinKernel, Side};
use crate::frame::known::Known;
use crate::frame::step::row_bytes;

/// How rows with equal keys meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Single,
    /// Each partition of the left frame meets all of the right one.
    BroadcastRight,
    BroadcastLeft,
    /// Each partition of the left frame meets those of the right one that may have the same keys.
    Sorted,
    Shuffle {
        partitions: usize,
        /// The side whose frequent keys are spread over several parts.
        spread: Option<Lead>,
    },
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    Left,
    Right,
}

impl Lead {
    fn name(self) -> &'static str {
        match self {
            Lead::Left => "left",
            Lead::Right => "right",
        }
    }
}

/// A side of more bytes is not sent to all partitions of the other one.
const BROADCAST: u64 = 512 << 20;

/// A side of fewer bytes is sent to all partitions of the other one, whatever their number.
const SMALL: u64 = 256 << 10;

pub(super) fn total(node: &FrameExpr) -> Size {
    let rows = node.facts.rows().unwrap_or_else(|| node.rows.saturating_mul(node.partitions as u64));
    let bytes = match node.rows {
        0 => 0,
        each => (u128::from(node.bytes()) * u128::from(rows) / u128::from(each)) as u64,
    };
    Size { bytes, rows }
}

/// A side of fewer bytes is not sampled to find out whether it is still smaller.
const WORTH_A_LOOK: u64 = 4 << 20;

/// Whether left rows keep their order when the right side is sent to all of them.
fn fits(how: How) -> bool {
    matches!(how, How::Inner | How::Left | How::Semi | How::Anti | How::Cross)
}

/// The bytes of a side, and how many partitions of it were looked at.
fn sampled(node: &FrameExpr, known: &Known) -> (u64, Option<usize>) {
    match known.of(node, &[]) {
        Some(found) => (found.rows.saturating_mul(row_bytes(&node.schema).max(1)), Some(found.sampled)),
        None => (total(node).bytes, None),
    }
}

/// What the user says of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) ordered: bool,
    /// Whether one side is to be sent to all partitions of the other; `None` if sizes decide.
    pub(crate) broadcast: Option<bool>,
}

impl Algorithm {
    /// The cheapest way that is right, and why.
    ///
    /// A shuffle moves both sides twice and, if the order matters, the result as well; a broadcast builds a hash table of the small side in
    /// each task. What is sent to all must keep the other side's rows in the order of the result, and a side whose keys are to be
    /// unique must be seen as a whole.
    pub(crate) fn choose(
        kernel: &JoinKernel,
        left: &Node,
        right: &Node,
        wish: Wish,
        known: &Known,
    ) -> (Algorithm, String) {
        if left.partitions == 1 && right.partitions == 1 {
            return (Algorithm::Single, "one partition each".into());
        }
        let ((l, l_sampled), (r, r_sampled)) = (sampled(left, known), sampled(right, known));
        // Measured: building a hash table takes about as long as moving its rows there and back.
        let moved = l.saturating_add(r) / if wish.ordered { 1 } else { 2 };
        let is_cheap = |small: u64, count: usize| {
            wish.broadcast
                .unwrap_or(small <= SMALL || (small <= BROADCAST && small.saturating_mul(count as u64) <= moved))
        };
        let size = |bytes, sampled: Option<usize>| match sampled {
            Some(partitions) => format!("{} by a sample of {partitions}", format_bytes(bytes)),
            None => format_bytes(bytes),
        };
        let sizes = || format!("left about {}, right about {}", size(l, l_sampled), size(r, r_sampled));
        let right_fits = fits(kernel.how);
        let is_indexed = |node: &Node, side: &Side| match (&node.facts.divisions, side.keys.as_slice()) {
            (Some(divisions), [key]) => {
                let dtype = kernel.types.first().map(|dtype| &dtype.0);
                divisions.are_known() && divisions.column() == key && node.schema.get(key.as_str()) == dtype
            }
            _ => false,
        };
        let free = wish.broadcast.is_none() && right_fits;
        if free
            && right.partitions > 1
            && !kernel.right.unique
            && is_indexed(left, &kernel.left)
            && is_indexed(right, &kernel.right)
        {
            return (Algorithm::Sorted, sizes());
        }
        let left_seen = !kernel.left.unique || left.partitions == 1;
        let cross = kernel.how == How::Cross;
        if right_fits
            && left_seen
            && (cross || (left.partitions == 1 && wish.broadcast != Some(false)) || is_cheap(r, left.partitions))
        {
            return (Algorithm::BroadcastRight, format!("{}, {} partitions on the left", sizes(), left.partitions));
        }
        let right_seen = !kernel.right.unique || right.partitions == 1;
        if kernel.how == How::Right
            && right_seen
            && ((right.partitions == 1 && wish.broadcast != Some(false)) || is_cheap(l, right.partitions))
        {
            return (Algorithm::BroadcastLeft, format!("{}, {} partitions on the right", sizes(), right.partitions));
        }
        (Algorithm::shuffle(left, right), sizes())
    }

    /// The side whose size decides, if it is not known how many rows its filters leave, and it would be much work to move it for nothing.
    pub(super) fn depends_on(kernel: &JoinKernel, left: &Node, right: &Node, wish: Wish) -> Option<Lead> {
        let (side, small, large, unique) = match kernel.how {
            how if how == How::Cross || wish.broadcast.is_some() => return None,
            how if fits(how) => (Lead::Right, right, left, kernel.left.unique),
            How::Right => (Lead::Left, left, right, kernel.right.unique),
            _ => return None,
        };
        let open = small.facts.lengths.is_none() && small.partitions > 1 && large.partitions > 1 && !unique;
        (open && total(small).bytes > WORTH_A_LOOK).then_some(side)
    }

    /// The way that is always right, but for cross joins.
    pub(crate) fn shuffle(left: &Node, right: &Node) -> Algorithm {
        Algorithm::Shuffle { partitions: left.partitions.max(right.partitions), spread: None }
    }

    /// The side of a shuffled join whose frequent keys can be spread, the larger one if both can: what a row meets must be copied to
    /// where its partners go, and a row without a partner is not to come out twice.
    pub(crate) fn spreadable(kernel: &JoinKernel, left: &Node, right: &Node) -> Option<Lead> {
        let side = match kernel.how {
            How::Inner if total(right).rows > total(left).rows => Lead::Right,
            How::Inner | How::Left | How::Semi | How::Anti => Lead::Left,
            How::Right => Lead::Right,
            How::Outer | How::Cross => return None,
        };
        // A side that is to be unique has no frequent keys, and is seen as a whole.
        let (input, unique) = match side {
            Lead::Left => (left, kernel.left.unique),
            Lead::Right => (right, kernel.right.unique),
        };
        (input.partitions > 1 && !unique).then_some(side)
    }

    pub(super) fn describe(self) -> String {
        match self {
            Algorithm::Single => "single partition".into(),
            Algorithm::BroadcastRight => "broadcast of the right side".into(),
            Algorithm::BroadcastLeft => "broadcast of the left side".into(),
            Algorithm::Sorted => "sorted partitions".into(),
            Algorithm::Shuffle { partitions, spread } => {
                let spread = spread.map(|side| format!(", frequent keys of the {} side spread", side.name()));
                format!("hash shuffle to {partitions} partitions{}", spread.unwrap_or_default())
            }
        }
    }
}
