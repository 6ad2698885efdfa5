//! Arguments of delayed calls: plain values, delayed ones, and containers of both.

use std::hash::{Hash, Hasher};
use std::slice::IterMut;

use talatat_graph::{Failure, KernelError, KernelResult, Key, Submit, Value};

use super::value::Payload;
use super::{Delayed, Node};

/// One argument of a delayed call.
pub trait Arg: Send + Sync + 'static {
    /// What the function gets.
    type Value;

    /// Mixes the argument into the key of the call.
    fn mix(&self, key: Key) -> Key;

    /// Shows each delayed value inside, in order.
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node));

    /// The value, with delayed ones taken from `inputs`, in order.
    ///
    /// # Errors
    /// If an input is missing or of another type.
    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<Self::Value>;

    /// Lets a call wait for each future inside.
    fn futures(&self, call: &mut Submit) {
        let _ = call;
    }

    /// The value, for a call that happens once: moved, not copied.
    ///
    /// # Errors
    /// If a future inside has failed.
    fn take(self) -> Result<Self::Value, Failure>
    where
        Self: Sized,
    {
        Ok(self.resolve(&mut [].iter_mut())?)
    }
}

impl<T: Payload> Arg for Delayed<T> {
    type Value = T;

    #[inline]
    fn mix(&self, key: Key) -> Key {
        key.combine(self.node.key().bits())
    }

    #[inline]
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(&self.node);
    }

    #[inline]
    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<T> {
        let input = inputs.next().ok_or_else(|| KernelError::new("an argument is missing"))?;
        T::from_value(std::mem::take(input))
    }
}

impl<A: Arg> Arg for Vec<A> {
    type Value = Vec<A::Value>;

    fn mix(&self, key: Key) -> Key {
        self.iter().fold(key.combine(self.len() as u128), |key, arg| arg.mix(key))
    }

    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        self.iter().for_each(|arg| arg.inputs(visit));
    }

    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<Vec<A::Value>> {
        self.iter().map(|arg| arg.resolve(inputs)).collect()
    }

    fn futures(&self, call: &mut Submit) {
        self.iter().for_each(|arg| arg.futures(call));
    }

    fn take(self) -> Result<Vec<A::Value>, Failure> {
        self.into_iter().map(Arg::take).collect()
    }
}

impl<A: Arg> Arg for Option<A> {
    type Value = Option<A::Value>;

    fn mix(&self, key: Key) -> Key {
        match self {
            Some(arg) => arg.mix(key.combine(1)),
            None => key.combine(0),
        }
    }

    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        self.iter().for_each(|arg| arg.inputs(visit));
    }

    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<Option<A::Value>> {
        self.as_ref().map(|arg| arg.resolve(inputs)).transpose()
    }

    fn futures(&self, call: &mut Submit) {
        self.iter().for_each(|arg| arg.futures(call));
    }

    fn take(self) -> Result<Option<A::Value>, Failure> {
        self.map(Arg::take).transpose()
    }
}

/// A plain value as an argument, for types that are not arguments by themselves.
///
/// ```
/// use talatat::prelude::*;
/// #[derive(Clone, Hash)]
/// struct Rule { rate: u32 }
/// let apply = delayed(|rule: Rule, amount: i64| amount * rule.rate as i64);
/// assert_eq!(apply.call((Lit(Rule { rate: 3 }), 14_i64)).compute()?, 42);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lit<T>(
    /// The value.
    pub T,
);

impl<T: Hash + Clone + Send + Sync + 'static> Arg for Lit<T> {
    type Value = T;

    fn mix(&self, key: Key) -> Key {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        self.0.hash(&mut hasher);
        key.combine(u128::from(hasher.finish()) << 64 | hasher.digest128() >> 64)
    }

    fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

    fn resolve(&self, _: &mut IterMut<'_, Value>) -> KernelResult<T> {
        Ok(self.0.clone())
    }

    fn take(self) -> Result<T, Failure> {
        Ok(self.0)
    }
}

macro_rules! plain_args {
    ($($type:ty, $self:ident => $bits:expr;)*) => {$(
        impl Arg for $type {
            type Value = $type;

            #[inline]
            fn mix(&$self, key: Key) -> Key {
                key.combine($bits)
            }

            fn inputs<'a>(&'a self, _: &mut dyn FnMut(&'a Node)) {}

            #[inline]
            fn resolve(&self, _: &mut IterMut<'_, Value>) -> KernelResult<$type> {
                Ok(self.clone())
            }

            #[inline]
            fn take(self) -> Result<$type, Failure> {
                Ok(self)
            }
        }
    )*};
}

plain_args! {
    bool, self => *self as u128;
    char, self => *self as u128;
    i8, self => *self as u128;
    i16, self => *self as u128;
    i32, self => *self as u128;
    i64, self => *self as u128;
    i128, self => *self as u128;
    isize, self => *self as u128;
    u8, self => u128::from(*self);
    u16, self => u128::from(*self);
    u32, self => u128::from(*self);
    u64, self => u128::from(*self);
    u128, self => *self;
    usize, self => *self as u128;
    f32, self => u128::from(self.to_bits());
    f64, self => u128::from(self.to_bits());
    String, self => Key::of("str", self.as_bytes()).bits();
    &'static str, self => Key::of("str", self.as_bytes()).bits();
}

/// Makes a struct whose fields are arguments an argument itself: the function gets another struct, with the values in the fields of the same
/// names.
///
/// ```
/// use talatat::prelude::*;
/// struct Lazy { rate: Delayed<f64>, years: u32 }
/// #[derive(Clone)]
/// struct Terms { rate: f64, years: u32 }
/// talatat::argument!(Lazy => Terms { rate, years });
///
/// let rate = delayed(|| 0.5).call(());
/// let growth = delayed(|terms: Terms| (1.0 + terms.rate).powi(terms.years as i32));
/// assert_eq!(growth.call(Lazy { rate, years: 2 }).compute()?, 2.25);
/// # Ok::<(), talatat::Error>(())
/// ```
#[macro_export]
macro_rules! argument {
    ($from:ident => $to:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::delayed::Arg for $from {
            type Value = $to;

            fn mix(&self, key: $crate::graph::Key) -> $crate::graph::Key {
                $(let key = $crate::delayed::Arg::mix(&self.$field, key);)+
                key
            }

            fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a $crate::delayed::Node)) {
                $($crate::delayed::Arg::inputs(&self.$field, visit);)+
            }

            fn resolve(
                &self,
                inputs: &mut ::std::slice::IterMut<'_, $crate::graph::Value>,
            ) -> $crate::graph::KernelResult<$to> {
                $(let $field = $crate::delayed::Arg::resolve(&self.$field, inputs)?;)+
                Ok($to { $($field),+ })
            }

            fn futures(&self, call: &mut $crate::graph::Submit) {
                $($crate::delayed::Arg::futures(&self.$field, call);)+
            }

            fn take(self) -> ::std::result::Result<$to, $crate::graph::Failure> {
                $(let $field = $crate::delayed::Arg::take(self.$field)?;)+
                Ok($to { $($field),+ })
            }
        }
    };
}

/// All arguments of a call: a tuple of them, or a single one as it is.
pub trait Args: Send + Sync + 'static {
    /// What the function gets, as a tuple.
    type Values;

    /// Mixes the arguments into the key of the call.
    fn mix(&self, key: Key) -> Key;

    /// Shows each delayed value inside, in order.
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node));

    /// The values, with delayed ones taken from `inputs`, in order.
    ///
    /// # Errors
    /// If an input is missing or of another type.
    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<Self::Values>;

    /// Lets a call wait for each future inside.
    fn futures(&self, call: &mut Submit);

    /// The values, for a call that happens once: moved, not copied.
    ///
    /// # Errors
    /// If a future inside has failed.
    fn take(self) -> Result<Self::Values, Failure>
    where
        Self: Sized;
}

impl<A: Arg> Args for A {
    type Values = (A::Value,);

    #[inline]
    fn mix(&self, key: Key) -> Key {
        Arg::mix(self, key)
    }

    #[inline]
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        Arg::inputs(self, visit);
    }

    #[inline]
    fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<(A::Value,)> {
        Ok((Arg::resolve(self, inputs)?,))
    }

    fn futures(&self, call: &mut Submit) {
        Arg::futures(self, call);
    }

    #[inline]
    fn take(self) -> Result<(A::Value,), Failure> {
        Ok((Arg::take(self)?,))
    }
}

macro_rules! tuple_args {
    ($(($($arg:ident),*);)*) => {$(
        impl<$($arg: Arg),*> Args for ($($arg,)*) {
            type Values = ($($arg::Value,)*);

            #[inline]
            fn mix(&self, key: Key) -> Key {
                #[allow(non_snake_case)]
                let ($($arg,)*) = self;
                $(let key = $arg.mix(key);)*
                key
            }

            #[inline]
            #[allow(unused_variables)]
            fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
                #[allow(non_snake_case)]
                let ($($arg,)*) = self;
                $($arg.inputs(visit);)*
            }

            #[inline]
            #[allow(unused_variables, clippy::unused_unit)]
            fn resolve(&self, inputs: &mut IterMut<'_, Value>) -> KernelResult<Self::Values> {
                #[allow(non_snake_case)]
                let ($($arg,)*) = self;
                Ok(($($arg.resolve(inputs)?,)*))
            }

            #[allow(unused_variables)]
            fn futures(&self, call: &mut Submit) {
                #[allow(non_snake_case)]
                let ($($arg,)*) = self;
                $(Arg::futures($arg, call);)*
            }

            #[inline]
            #[allow(clippy::unused_unit)]
            fn take(self) -> Result<Self::Values, Failure> {
                #[allow(non_snake_case)]
                let ($($arg,)*) = self;
                Ok(($(Arg::take($arg)?,)*))
            }
        }
    )*};
}

tuple_args! {
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
