//! Two pieces of work at once, where that pays.

use std::panic::Location;
use std::panic::resume_unwind;

use super::call::{Call, Failure, Once};
use super::future::Future;
use crate::error::Error;
use crate::pool::Here;

/// Calls that a thread keeps ready for others: with so many waiting, there is no use in more.
const SURPLUS: u64 = 3;

/// Runs two closures, perhaps at once, and gives both results: for work that is split again and again.
///
/// On a thread of a pool, `second` is left for others to take while `first` runs here; if nobody took it, it runs here, too. If there is enough
/// for others to take already, both run here one after the other, which costs next to nothing: so recursion may go down to
/// single elements. Outside of a pool's calls both run here.
///
/// `second` owns what it works on: lending it to another thread would need unsafe code.
///
/// ```
/// use talatat_graph::{Threads, join};
/// fn fib(n: u64) -> u64 {
///     if n < 2 {
///         return n;
///     }
///     let (a, b) = join(move || fib(n - 1), move || fib(n - 2));
///     a + b
/// }
/// assert_eq!(Threads::new(2).pool().submit(|| fib(20)).result()?, 6765);
/// # Ok::<(), talatat_graph::Error>(())
/// ```
///
/// # Panics
/// If one of the closures does.
#[track_caller]
#[inline]
pub fn join<A, B, F, G>(first: F, second: G) -> (A, B)
where
    F: FnOnce() -> A,
    G: FnOnce() -> B + Send + 'static,
    B: Clone + Send + Sync + 'static,
{
    let wanted = Here::with(|here| here.deque.is_some_and(|deque| here.pool.deque(deque).len() < SURPLUS));
    if wanted == Some(true) { split(first, second, Location::caller()) } else { (first(), second()) }
}

#[inline(never)]
fn split<A, B, F, G>(first: F, second: G, location: &'static Location<'static>) -> (A, B)
where
    F: FnOnce() -> A,
    G: FnOnce() -> B + Send + 'static,
    B: Clone + Send + Sync + 'static,
{
    let Some((pool, Some(deque))) = Here::current() else { return (first(), second()) };
    let work = Once::new(move || Ok::<B, Failure>(second()));
    let call = Call::new(work, std::any::type_name::<G>(), location, None, None, Vec::new());
    pool.push(deque, call.clone());
    let second = Future::of(call);
    let first = first();
    match second.result() {
        Ok(second) => (first, second),
        Err(Error::Panic { message, .. }) => resume_unwind(Box::new(message)),
        Err(other) => resume_unwind(Box::new(other.to_string())),
    }
}
