//! Several futures at once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::future::Future;
use super::node::{Node, Then};
use crate::error::Result;
use crate::pool::{Parker, run_one};
use crate::sync::{Mutex, thread};

/// The results of all futures, in their order. Waits for them as [`Future::result`] does.
///
/// # Errors
/// The first error, in their order; calls that have not begun and that nobody else wants are dropped then.
pub fn gather<T: Clone + Send + Sync + 'static>(futures: impl IntoIterator<Item = Future<T>>) -> Result<Vec<T>> {
    let futures: Vec<Future<T>> = futures.into_iter().collect();
    futures.into_iter().map(Future::result).collect()
}

/// Waits until all have ended, well or not.
///
/// # Errors
/// If one of them cannot end before the call that waits does.
pub fn wait_all<'a, T: Clone + Send + Sync + 'static>(futures: impl IntoIterator<Item = &'a Future<T>>) -> Result<()> {
    futures.into_iter().try_for_each(Future::wait)
}

/// Waits until one has ended, well or not, and gives its number: the smallest, if several have. `None` if there are no futures.
pub fn wait_any<T: Clone + Send + Sync + 'static>(futures: &[Future<T>]) -> Option<usize> {
    if futures.is_empty() {
        return None;
    }
    let nodes: Vec<Arc<dyn Node>> = futures.iter().map(Future::node).collect();
    let parker = Arc::new(Parker::default());
    let mut told = false;
    loop {
        if let Some(at) = futures.iter().position(Future::is_done) {
            return Some(at);
        }
        if run_one(nodes.iter()) {
            continue;
        }
        if !told {
            told = true;
            let ended = nodes.iter().any(|node| node.subscribe(Then::Unpark(parker.clone())).is_err());
            if ended {
                continue;
            }
        }
        parker.park(nodes.iter().filter_map(|node| node.core().rest()).min());
    }
}

/// Gives futures in the order in which they end. More can be [pushed](AsCompleted::push) meanwhile: work that follows from results.
///
/// ```
/// use talatat_graph::{Threads, as_completed};
/// let pool = Threads::new(2).pool();
/// let mut ended = as_completed((1..=3).map(|n: u64| pool.submit(move || n)));
/// let mut sum = 0;
/// while let Some(future) = ended.next() {
///     let n = future.result()?;
///     sum += n;
///     if n < 10 {
///         ended.push(pool.submit(move || n * 10));
///     }
/// }
/// assert_eq!(sum, 66);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
pub fn as_completed<T: Clone + Send + Sync + 'static>(futures: impl IntoIterator<Item = Future<T>>) -> AsCompleted<T> {
    let mut ended = AsCompleted { open: Vec::new(), nodes: Vec::new(), ended: Arc::default(), left: 0, begun: 0 };
    futures.into_iter().for_each(|future| ended.push(future));
    ended
}

/// Futures in the order in which they end: see [`as_completed`].
pub struct AsCompleted<T> {
    open: Vec<Option<Future<T>>>,
    nodes: Vec<Option<Arc<dyn Node>>>,
    ended: Arc<Ended>,
    left: usize,
    /// Those before this number have begun.
    begun: usize,
}

#[derive(Default)]
struct Ended {
    numbers: Mutex<VecDeque<usize>>,
    parker: Arc<Parker>,
}

impl Ended {
    fn add(&self, number: usize) {
        self.numbers.lock().push_back(number);
        self.parker.unpark();
    }
}

impl<T: Clone + Send + Sync + 'static> AsCompleted<T> {
    /// Adds a future.
    pub fn push(&mut self, future: Future<T>) {
        let number = self.open.len();
        let ended = self.ended.clone();
        let node = future.node();
        if let Err(Then::Call(tell)) = node.subscribe(Then::Call(Box::new(move || ended.add(number)))) {
            tell();
        }
        self.open.push(Some(future));
        self.nodes.push(Some(node));
        self.left += 1;
    }

    /// How many have not been given yet.
    pub fn left(&self) -> usize {
        self.left
    }
}

impl<T: Clone + Send + Sync + 'static> Iterator for AsCompleted<T> {
    type Item = Future<T>;

    fn next(&mut self) -> Option<Future<T>> {
        while self.left > 0 {
            let number = self.ended.numbers.lock().pop_front();
            if let Some(future) = number.and_then(|number| {
                self.nodes[number] = None;
                self.open[number].take()
            }) {
                self.left -= 1;
                return Some(future);
            }
            // The oldest that nobody has begun: each is tried once, so that many futures cost no more than few.
            let start = self.begun.min(self.nodes.len());
            let next = self.nodes[start..]
                .iter()
                .position(|node| node.as_ref().is_some_and(|node| run_one([node].into_iter())));
            if let Some(at) = next {
                self.begun = start + at + 1;
                continue;
            }
            self.begun = self.nodes.len();
            let rest = self.nodes.iter().flatten().filter_map(|node| node.core().rest()).min();
            if rest.is_some() {
                self.begun = 0;
            }
            self.ended.parker.park(rest);
            thread::yield_now();
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
