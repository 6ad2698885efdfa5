//! What a call is given beside its arguments: annotations.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

/// When a call may start, and what it takes: its annotations.
///
/// ```
/// use std::time::Duration;
/// use talatat_graph::Need;
/// let need = Need::default().priority(10).resource("gpu", 1).bytes(1 << 30).retries(3, Duration::from_millis(100));
/// assert_eq!(need.retry_after(0), Some(Duration::from_millis(100)));
/// assert_eq!(need.retry_after(2), Some(Duration::from_millis(400)));
/// assert_eq!(need.retry_after(3), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub(crate) priority: i32,
    pub(crate) resources: SmallVec<[(Arc<str>, u64); 1]>,
    pub(crate) bytes: u64,
    pub(crate) retries: u32,
    pub(crate) back_off: Duration,
    pub(crate) name: Option<Arc<str>>,
}

/// No call waits longer than this before it is tried again.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);

impl Need {
    /// Among calls that may start, those of higher priority start first; by default 0.
    pub fn priority(mut self, priority: i32) -> Need {
        self.priority = priority;
        self
    }

    /// Takes `count` of a resource while it runs. How much there is of it, the session says; what is annotated twice counts once.
    pub fn resource(mut self, name: impl Into<Arc<str>>, count: u64) -> Need {
        let name = name.into();
        self.resources.retain(|(other, _)| *other != name);
        self.resources.push((name, count));
        self.resources.sort();
        self
    }

    /// Bytes that the call needs, and its result as long as somebody holds it; it starts when they fit into the memory limit.
    pub fn bytes(mut self, bytes: u64) -> Need {
        self.bytes = bytes;
        self
    }

    /// Bytes that are reserved for the call.
    pub fn reserved_bytes(&self) -> u64 {
        self.bytes
    }

    /// How often the call is tried again if it fails or panics: after `back_off`, then twice that, and so on, up to an hour. Meanwhile
    /// other calls run.
    pub fn retries(mut self, retries: u32, back_off: Duration) -> Need {
        (self.retries, self.back_off) = (retries, back_off);
        self
    }

    /// The name that errors and reports use.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Need {
        self.name = Some(name.into());
        self
    }

    /// How long to wait after the failure with this number, counted from 0; `None` if it was the last one.
    pub fn retry_after(&self, failure: u32) -> Option<Duration> {
        let factor = 1_u32.checked_shl(failure).unwrap_or(u32::MAX);
        (failure < self.retries).then(|| self.back_off.saturating_mul(factor).min(LONGEST_BACK_OFF))
    }

    /// Whether both ask for the same.
    pub(crate) fn same_but_name(&self, other: &Need) -> bool {
        Need { name: None, ..self.clone() } == Need { name: None, ..other.clone() }
    }

    /// Whether nothing has to be reserved for the call.
    pub(crate) fn is_free(&self) -> bool {
        self.resources.is_empty() && self.bytes == 0
    }

    /// Whether nothing is asked for but perhaps a name.
    pub fn is_plain(&self) -> bool {
        self.same_but_name(&Need::default())
    }

    /// Whether both wait for the same things: bytes wait for bytes.
    pub(crate) fn same_line(&self, other: &Need) -> bool {
        self.resources == other.resources && (self.bytes > 0) == (other.bytes > 0)
    }
}
