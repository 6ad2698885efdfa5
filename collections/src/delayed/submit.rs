//! Calls that begin at once: the same functions and arguments as lazy ones, on a pool.

use std::panic::Location;

use talatat_graph::{Failure, Future, KernelError, KernelResult, Key, Pool, Submit, Value};

use super::arg::{Arg, Args};
use super::function::{Callable, unique};
use super::value::Payload;
use super::{DelayedFn, Node};
use crate::error::{Error, Result};

impl<T: Payload> Arg for Future<T> {
    type Value = T;

    /// Each call with a future is its own: what a future will give has no name.
    fn mix(&self, key: Key) -> Key {
        key.combine(u128::from(unique()))
    }

    fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

    fn resolve(&self, _: &mut std::slice::IterMut<'_, Value>) -> KernelResult<T> {
        self.clone().result().map_err(KernelError::from_source)
    }

    fn futures(&self, call: &mut Submit) {
        call.takes(self);
    }

    fn take(self) -> std::result::Result<T, Failure> {
        Ok(self.result()?)
    }
}

fn begin<A: Args>(name: &'static str, location: &'static Location<'static>, args: &A) -> Result<Submit> {
    let mut delayed = false;
    args.inputs(&mut |_| delayed = true);
    if delayed {
        let reason = "a delayed value is no argument of a call that begins at once: submit it, and pass its future";
        return Err(Error::invalid_at(format!("submit {name}"), reason, location));
    }
    let mut call = Submit::new(name);
    call.at(location);
    args.futures(&mut call);
    Ok(call)
}

/// Submits a call of a function. Plain arguments are moved.
///
/// # Errors
/// If an argument is lazy.
#[track_caller]
#[inline]
pub fn submit<F, M, A>(pool: &Pool, function: F, args: A) -> Result<Future<F::Output>>
where
    A: Args,
    F: Callable<A::Values, M> + Send + 'static,
{
    let call = begin(std::any::type_name::<F>(), Location::caller(), &args)?;
    Ok(call.once(pool, move || Ok(function.apply(args.take()?)?))?)
}

impl<F, M> DelayedFn<F, M> {
    /// Submits a call: it begins as soon as its arguments, its resources and a thread are there. If it is to be retried, its
    /// arguments are copied for each try.
    ///
    /// # Errors
    /// If an argument is lazy, or the annotations ask for what there is not.
    #[track_caller]
    pub fn submit_to<A>(&self, pool: &Pool, args: A) -> Result<Future<F::Output>>
    where
        A: Args,
        F: Callable<A::Values, M> + Send + Sync + 'static,
        M: Send + Sync + 'static,
    {
        let mut call = begin(std::any::type_name::<F>(), Location::caller(), &args)?;
        call.need(self.need());
        let function = self.function.clone();
        if self.need().retry_after(0).is_none() {
            return Ok(call.once(pool, move || Ok(function.run.apply(args.take()?)?))?);
        }
        Ok(call.again(pool, move || Ok(function.run.apply(args.resolve(&mut [].iter_mut())?)?))?)
    }
}
