//! Functions of a custom graph, with the types that they take and give.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use talatat_graph::{KernelError, KernelResult, Key, Need, Value};

use crate::delayed::function::{Callable, Function, Plain};
use crate::delayed::value::{Payload, is_scalar};

/// A type, with its name for errors.
#[derive(Clone, Copy)]
pub struct Type {
    id: TypeId,
    name: &'static str,
    bytes: u64,
}

impl Type {
    pub(super) fn of<T: 'static>() -> Type {
        let bytes = if is_scalar::<T>() { 0 } else { size_of::<T>() as u64 };
        Type { id: TypeId::of::<T>(), name: type_name::<T>(), bytes }
    }

    /// Bytes of a result.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The arguments of a task's function, as a tuple: of up to eight types.
pub trait Inputs: Sized + Send + 'static {
    /// Their types.
    #[doc(hidden)]
    fn types() -> Vec<Type>;

    /// Takes them out of the values of the inputs.
    #[doc(hidden)]
    fn take(inputs: &mut [Value]) -> KernelResult<Self>;
}

/// The next value, as a `T`.
fn next<T: Payload>(inputs: &mut std::slice::IterMut<'_, Value>) -> KernelResult<T> {
    let input = inputs.next().ok_or_else(|| KernelError::new("an argument is missing"))?;
    T::from_value(std::mem::take(input))
}

macro_rules! inputs {
    ($(($($type:ident),*);)*) => {$(
        impl<$($type: Payload),*> Inputs for ($($type,)*) {
            fn types() -> Vec<Type> {
                vec![$(Type::of::<$type>()),*]
            }

            #[allow(unused_variables, unused_mut, clippy::unused_unit)]
            fn take(inputs: &mut [Value]) -> KernelResult<Self> {
                let mut inputs = inputs.iter_mut();
                Ok(($(next::<$type>(&mut inputs)?,)*))
            }
        }
    )*};
}

inputs! {
    ();
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
    (A, B, C, D, E, F);
    (A, B, C, D, E, F, G);
    (A, B, C, D, E, F, G, H);
}

/// What a task does.
pub(super) trait Step: Send + Sync {
    /// The function.
    fn key(&self) -> Key;

    /// The key of a call, but for its inputs: another one each time if the function is impure.
    fn call_key(&self) -> Key;

    /// Whether the function gives the same for the same inputs.
    fn is_pure(&self) -> bool;

    /// A call's key as a name that other runs know.
    fn content(&self, call: Key) -> KernelResult<Key>;

    fn need(&self) -> Option<Arc<Need>>;

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value>;
}

/// A function of one argument for each input.
pub(super) struct Each<F, I, M> {
    function: Arc<Function<F>>,
    types: PhantomData<fn() -> (I, M)>,
}

/// A function of all inputs as a vector.
pub(super) struct All<F, T> {
    function: Arc<Function<F>>,
    types: PhantomData<fn() -> T>,
}

impl<F, I, M> Each<F, I, M> {
    pub(super) fn new(function: Arc<Function<F>>) -> Self {
        Each { function, types: PhantomData }
    }
}

impl<F, T> All<F, T> {
    pub(super) fn new(function: Arc<Function<F>>) -> Self {
        All { function, types: PhantomData }
    }
}

/// What steps have in common.
macro_rules! of_function {
    () => {
        fn key(&self) -> Key {
            self.function.key
        }

        fn call_key(&self) -> Key {
            self.function.call_key()
        }

        fn is_pure(&self) -> bool {
            self.function.pure
        }

        fn content(&self, call: Key) -> KernelResult<Key> {
            self.function.content(call)
        }

        fn need(&self) -> Option<Arc<Need>> {
            self.function.need.clone()
        }
    };
}

impl<I, M, F> Step for Each<F, I, M>
where
    I: Inputs,
    M: 'static,
    F: Callable<I, M> + Send + Sync + 'static,
{
    of_function!();

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        Ok(self.function.run.apply(I::take(inputs)?)?.into_value())
    }
}

impl<T, F> Step for All<F, T>
where
    T: Payload,
    F: Callable<(Vec<T>,), Plain> + Send + Sync + 'static,
{
    of_function!();

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        let (count, mut inputs) = (inputs.len(), inputs.iter_mut());
        let values = (0..count).map(|_| next::<T>(&mut inputs)).collect::<KernelResult<Vec<T>>>()?;
        Ok(self.function.run.apply((values,))?.into_value())
    }
}
