//! Lazy calls of any function.
//!
//! ```
//! use talatat::prelude::*;
//!
//! let increment = delayed(|x: i64| x + 1);
//! let add = delayed(|x: i64, y: i64| x + y);
//! let total = add.call((increment.call(1_i64), increment.call(2_i64)));
//! assert_eq!(total.compute()?, 5);
//! # Ok::<(), talatat::Error>(())
//! ```

mod arg;
mod call;
mod custom;
mod foreign;
mod function;
mod node;
mod notebook;
mod outputs;
mod storable;
mod submit;
mod value;

use std::fmt;
use std::marker::PhantomData;

use talatat_graph::{Edge, Error as GraphError, Value};

pub use arg::{Arg, Args, Lit};
pub use call::{Call, Lowered, TaskNote};
pub use custom::{CustomGraph, Inputs};
pub(crate) use foreign::{Lower, foreign, of_blocks};
pub use function::{Callable, DelayedFn, Plain, Try, delayed, try_delayed};
pub(crate) use function::{identity, short_name, unique};
pub use node::Node;
pub use outputs::Outputs;
pub(crate) use storable::register;
pub use submit::submit;
pub use value::Payload;

use crate::collection::Collection;
use crate::error::Result;
use crate::lower::{DelayedTasks, Lowering};

/// The result of a lazy call. Cloning shares it.
///
/// A delayed value can be an argument of other calls, alone or inside a vector, an option or a tuple.
pub struct Delayed<T> {
    node: Node,
    result: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Delayed { node: self.node.clone(), result: PhantomData }
    }
}

impl<T> fmt::Debug for Delayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delayed({}, {})", self.node.name(), self.node.key())
    }
}

impl<T: Payload> Delayed<T> {
    pub(crate) fn from_node(node: Node) -> Self {
        Delayed { node, result: PhantomData }
    }

    /// A delayed value that is already there.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let ready = Delayed::ready(vec![1.5, 2.5]);
    /// assert_eq!(delayed(|v: Vec<f64>| v.len()).call(ready).compute()?, 2);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn ready(value: T) -> Self {
        Delayed::from_node(call::ready(value.into_value()))
    }

    /// The name of the result: equal calls have equal keys.
    pub fn key(&self) -> talatat_graph::Key {
        self.node.key()
    }
}

impl<T: Payload> Collection for Delayed<T> {
    type Output = T;
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        Ok(1)
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        Ok(vec![DelayedTasks::lower(lowering, &self.node)?])
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<T> {
        let value = blocks.into_iter().next().unwrap_or_default();
        T::from_value(value).map_err(|error| GraphError::InvalidGraph(error.to_string()).into())
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self> {
        let value = blocks.into_iter().next().unwrap_or_default();
        Ok(Delayed::from_node(call::persisted(self.node.key(), value)))
    }

    fn check_storable(&self) -> Result<()> {
        if value::is_scalar::<T>() || self.node.is_storable() {
            return Ok(());
        }
        let reason = format!(
            "a {} is kept in memory only: say `.storable()` on the delayed value (the type must implement serde's Serialize and \
             Deserialize)",
            std::any::type_name::<T>()
        );
        Err(crate::Error::invalid_at(self.node.name(), reason, self.node.location()))
    }

    fn describe_expression(&self, _: bool) -> String {
        describe(&self.node)
    }
}

/// The calls as an indented tree, each with its inputs below it; one that was shown before is not taken apart again.
fn describe(root: &Node) -> String {
    const LINES: usize = 40;
    let mut text = String::new();
    let mut seen = hashbrown::HashSet::new();
    let mut stack = vec![(root, 0_usize)];
    let mut lines = 0;
    while let Some((node, depth)) = stack.pop() {
        if lines == LINES {
            text.push_str("...\n");
            break;
        }
        lines += 1;
        let at = stack.len();
        if seen.insert(node.key()) {
            node.inputs(&mut |input| stack.push((input, depth + 1)));
            stack[at..].reverse();
            text.push_str(&format!("{:indent$}{}\n", "", node.name(), indent = 2 * depth));
        } else {
            text.push_str(&format!("{:indent$}{} (as above)\n", "", node.name(), indent = 2 * depth));
        }
    }
    text
}
