//! Several outputs of one call.

use super::Delayed;
use super::function::delayed;
use super::value::Payload;

/// A call that gives several values, taken apart: each can be read by itself.
///
/// ```
/// use talatat::prelude::*;
/// let divide = delayed(|a: i64, b: i64| (a / b, a % b));
/// let (quotient, rest) = divide.call((17_i64, 5_i64)).outputs();
/// let both = (quotient, rest);
/// assert_eq!(both.compute()?, (3, 2));
/// # Ok::<(), talatat::Error>(())
/// ```
pub trait Outputs {
    /// One delayed value for each.
    type Each;

    /// The outputs. The call is computed once; taking one out of a result that others read copies all of it, so put large ones behind
    /// an `Arc`.
    fn outputs(&self) -> Self::Each;
}

#[track_caller]
fn output<T: Payload, R: Payload>(
    call: &Delayed<T>,
    name: &str,
    choose: impl Fn(T) -> R + Clone + Send + Sync + 'static,
) -> Delayed<R> {
    delayed(choose).versioned(name, 1).call(call.clone())
}

macro_rules! outputs {
    ($(($($name:ident $at:tt),*);)*) => {$(
        impl<$($name: Payload),*> Outputs for Delayed<($($name,)*)> {
            type Each = ($(Delayed<$name>,)*);

            #[track_caller]
            fn outputs(&self) -> Self::Each {
                ($(output(self, concat!("output ", $at), |all| all.$at),)*)
            }
        }
    )*};
}

outputs! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
}
