//! A partition: items as a block.

use std::io;
use std::sync::Arc;

use talatat_graph::{Block, Brief, KernelError, KernelResult, Value};

use super::codec::{Codec, ITEMS};
use super::facts::Facts;
use crate::delayed::Payload;

/// The items of one partition, and how many bytes they hold.
pub(crate) struct Items<T> {
    items: Vec<T>,
    bytes: usize,
    /// How they are written, if it is known.
    codec: Option<Codec<T>>,
}

impl<T: Send + Sync + 'static> Block for Items<T> {
    fn nbytes(&self) -> usize {
        self.bytes
    }

    fn brief(&self) -> Brief {
        Brief::new(std::any::type_name::<T>(), &[self.items.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        self.codec.as_ref().map(|_| ITEMS)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        self.write(out).map_err(KernelError::from_source)
    }

    fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match &self.codec {
            Some(codec) => codec.write(&self.items, out),
            None => Err(io::Error::other(format!("{} cannot be written as bytes", self.describe()))),
        }
    }
}

impl<T: Payload> Items<T> {
    /// Items as a task's result.
    pub(crate) fn value(mut items: Vec<T>, facts: &Facts<T>) -> Value {
        // Room that a filter has left is given back where it is worth a copy.
        if items.len() < items.capacity() / 2 {
            items.shrink_to_fit();
        }
        let bytes = items.capacity() * size_of::<T>() + facts.beside(&items);
        Items::weighed(items, bytes, facts)
    }

    /// Items of which is known how many bytes they hold.
    pub(crate) fn weighed(items: Vec<T>, bytes: usize, facts: &Facts<T>) -> Value {
        Value::block(Items { items, bytes, codec: facts.codec().cloned() })
    }

    /// Items that come back from the disk; in memory they took so many bytes.
    pub(crate) fn back(items: Vec<T>, nbytes: u64, codec: Codec<T>) -> Items<T> {
        let least = items.capacity() * size_of::<T>();
        let bytes = usize::try_from(nbytes).unwrap_or(usize::MAX).max(least);
        Items { items, bytes, codec: Some(codec) }
    }

    #[cfg(test)]
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.items
    }
}

/// The items of a partition that a task reads: its own if nobody else reads them.
pub(crate) enum Taken<T> {
    Own(Vec<T>),
    Shared(Arc<Items<T>>),
}

impl<T: Payload> Taken<T> {
    /// Takes an input.
    ///
    /// # Errors
    /// If it is missing or something else.
    pub(crate) fn take(input: Option<&mut Value>) -> KernelResult<Taken<T>> {
        let input = input.ok_or_else(|| KernelError::new("a partition is missing"))?;
        Ok(match Arc::try_unwrap(input.take::<Items<T>>()?) {
            Ok(own) => Taken::Own(own.items),
            Err(shared) => Taken::Shared(shared),
        })
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Taken::Own(items) => items,
            Taken::Shared(shared) => &shared.items,
        }
    }

    /// The items, copied if others read them, too.
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Taken::Own(items) => items,
            Taken::Shared(shared) => shared.items.clone(),
        }
    }

    /// The items that `keep` says yes to; of shared ones no others are copied.
    pub(crate) fn filtered(self, keep: impl Fn(&T) -> bool) -> Vec<T> {
        match self {
            Taken::Own(mut items) => {
                items.retain(keep);
                items
            }
            Taken::Shared(shared) => shared.items.iter().filter(|item| keep(item)).cloned().collect(),
        }
    }
}

impl<T: Payload> IntoIterator for Taken<T> {
    type Item = T;
    type IntoIter = IntoItems<T>;

    fn into_iter(self) -> IntoItems<T> {
        match self {
            Taken::Own(items) => IntoItems::Own(items.into_iter()),
            Taken::Shared(shared) => IntoItems::Shared(shared, 0),
        }
    }
}

/// Gives the items one by one: shared ones are copied when their turn comes, never all at once.
pub(crate) enum IntoItems<T> {
    Own(std::vec::IntoIter<T>),
    Shared(Arc<Items<T>>, usize),
}

impl<T: Clone> Iterator for IntoItems<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            IntoItems::Own(items) => items.next(),
            IntoItems::Shared(shared, at) => {
                let item = shared.items.get(*at).cloned();
                *at += 1;
                item
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self {
            IntoItems::Own(items) => items.len(),
            IntoItems::Shared(shared, at) => shared.items.len().saturating_sub(*at),
        };
        (left, Some(left))
    }
}
