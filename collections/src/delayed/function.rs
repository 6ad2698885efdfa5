//! Functions that can be called lazily.

use std::any::TypeId;
use std::fmt;
use std::hash::Hash;
use std::io::Read;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use talatat_graph::{KernelError, KernelResult, Key, KeyBuilder, Need, Value};

use super::arg::Args;
use super::call::{Call, TaskNote, Weight};
use super::value::Payload;
use super::{Delayed, Node};

/// Marks functions that return their result.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// Marks functions that return a `Result`.
#[derive(Clone, Copy, Debug)]
pub struct Try;

/// A function whose [`call`](DelayedFn::call) is lazy. Made by [`delayed`] and [`try_delayed`].
pub struct DelayedFn<F, M = Plain> {
    pub(super) function: Arc<Function<F>>,
    mode: PhantomData<M>,
}

pub(super) struct Function<F> {
    pub(super) run: F,
    name: String,
    pub(super) key: Key,
    /// What the key says about the code.
    known: Known,
    pub(super) pure: bool,
    pub(super) need: Option<Arc<Need>>,
}

/// How far a function's key tells what it computes.
#[derive(Clone, Copy)]
enum Known {
    /// In this build of the program: the key is that of its type.
    InBuild,
    /// Nowhere else: it has captured values.
    Here,
    /// Everywhere: its user says so.
    Everywhere,
}

impl<F, M> Clone for DelayedFn<F, M> {
    fn clone(&self) -> Self {
        DelayedFn { function: self.function.clone(), mode: PhantomData }
    }
}

impl<F, M> fmt::Debug for DelayedFn<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DelayedFn({})", self.function.name)
    }
}

/// Makes calls of a function lazy.
///
/// The function is taken to be pure: the same call is computed once. A function item or a closure that captures nothing is
/// known by its type, so wrapping it twice gives equal calls; a closure with captures is known by the wrapper.
///
/// ```
/// use talatat::prelude::*;
/// fn double(x: i64) -> i64 { 2 * x }
/// let calls: Vec<_> = (0..1000_i64).map(|i| delayed(double).call(i)).collect();
/// let total = delayed(|values: Vec<i64>| values.iter().sum::<i64>()).call(calls);
/// assert_eq!(total.compute()?, 999_000);
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn delayed<F: Send + Sync + 'static>(function: F) -> DelayedFn<F> {
    DelayedFn { function: Arc::new(Function::new(function)), mode: PhantomData }
}

/// Makes calls of a function that may fail lazy: an `Err` ends the computation with an error that names the call.
///
/// ```
/// use talatat::prelude::*;
/// let parse = try_delayed(|text: String| text.parse::<i64>());
/// assert_eq!(parse.call("42".to_string()).compute()?, 42);
/// let error = parse.call("many".to_string()).compute().unwrap_err();
/// assert!(error.to_string().contains("invalid digit"));
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn try_delayed<F: Send + Sync + 'static>(function: F) -> DelayedFn<F, Try> {
    DelayedFn { function: Arc::new(Function::new(function)), mode: PhantomData }
}

/// Makes numbers that are used once in a process.
pub(crate) fn unique() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// The name of a function for keys: a type without captures says all; two closures of one type with captures may differ.
pub(crate) fn identity<F: 'static>() -> Key {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    TypeId::of::<F>().hash(&mut hasher);
    let name = std::any::type_name::<F>();
    let key = KeyBuilder::new("delayed").bytes(name.as_bytes()).bytes(&hasher.digest128().to_le_bytes());
    if size_of::<F>() == 0 { key.finish() } else { key.number(unique()).finish() }
}

impl<F: 'static> Function<F> {
    fn new(run: F) -> Self {
        let known = if size_of::<F>() == 0 { Known::InBuild } else { Known::Here };
        let name = short_name(std::any::type_name::<F>());
        Function { run, name, key: identity::<F>(), known, pure: true, need: None }
    }
}

impl<F> Function<F> {
    /// What the key of a call begins with: another one each time if the function is impure.
    #[inline]
    pub(super) fn call_key(&self) -> Key {
        if self.pure { self.key } else { self.key.combine(u128::from(unique())) }
    }

    /// A call's key as a name that other runs know.
    pub(super) fn content(&self, call: Key) -> KernelResult<Key> {
        if !self.pure {
            return Err(KernelError::new(
                "it was said to be impure, so nobody knows what another run would get: \
                 leave `.impure()` out, or persist what is computed of its result as a plain value",
            ));
        }
        match self.known {
            Known::Everywhere => Ok(call),
            Known::InBuild => Ok(call.combine(build()?.bits())),
            Known::Here => Err(KernelError::new(
                "it is a closure that has captured values, which cannot be compared with those of another run: pass them as arguments, \
                 or say `.versioned(name, version)` with a version that changes when they do",
            )),
        }
    }
}

/// The program as it was built: a hash of the executable file, read once.
fn build() -> KernelResult<Key> {
    static BUILD: OnceLock<Result<Key, String>> = OnceLock::new();
    let read = || -> std::io::Result<Key> {
        // The file that runs, even if there is another one of that name by now.
        let running = std::path::Path::new("/proc/self/exe");
        let path = if running.exists() { running.to_path_buf() } else { std::env::current_exe()? };
        let (mut file, mut hasher) = (std::fs::File::open(path)?, xxhash_rust::xxh3::Xxh3::new());
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Key::of("build", &hasher.digest128().to_le_bytes())),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    let build = BUILD.get_or_init(|| read().map_err(|error| error.to_string()));
    build.clone().map_err(|error| {
        KernelError::new(format!(
            "the program's file cannot be read ({error}), so its build is not known: say `.versioned(name, version)`"
        ))
    })
}

/// `a::b::increment` as `increment`, and a closure in `a::b::main` as `main closure`.
pub(crate) fn short_name(path: &str) -> String {
    let path = path.split('<').next().unwrap_or(path);
    let parts: Vec<&str> = path.split("::").collect();
    match parts.as_slice() {
        [.., function, "{{closure}}"] => format!("{function} closure"),
        [.., last] => (*last).to_string(),
        [] => path.to_string(),
    }
}

impl<F, M> DelayedFn<F, M> {
    fn rebuild(self, change: impl FnOnce(&mut Function<F>)) -> Self
    where
        F: Clone,
    {
        let mut function = match Arc::try_unwrap(self.function) {
            Ok(function) => function,
            Err(shared) => Function {
                run: shared.run.clone(),
                name: shared.name.clone(),
                key: shared.key,
                known: shared.known,
                pure: shared.pure,
                need: shared.need.clone(),
            },
        };
        change(&mut function);
        DelayedFn { function: Arc::new(function), mode: PhantomData }
    }

    /// Names the function, for plans, graphs and errors.
    pub fn named(self, name: impl Into<String>) -> Self
    where
        F: Clone,
    {
        self.rebuild(|function| {
            function.name = name.into();
            function.key = function.key.combine(Key::of("name", function.name.as_bytes()).bits());
        })
    }

    /// Names the function and says which version of its code this is, for results that outlive the program
    /// (`persist_to`): calls of a function of the same name and version, with the same arguments, are taken to
    /// give the same, in this build of the program and in all others, whatever a closure has captured. So change the version when the
    /// function's code changes, or what it has captured.
    ///
    /// Without a version, a function is the same only within one build: a program that was compiled anew computes its results anew.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let rate = 3;
    /// let pay = delayed(move |x: i64| x * rate).versioned("pay", format!("2, rate {rate}"));
    /// assert_eq!(pay.call(14_i64).persist_to("memory://docs/pay")?.compute()?, 42);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn versioned(self, name: impl Into<String>, version: impl fmt::Display) -> Self
    where
        F: Clone,
    {
        self.rebuild(|function| {
            function.name = name.into();
            let key = KeyBuilder::new("delayed.versioned").bytes(function.name.as_bytes());
            function.key = key.bytes(version.to_string().as_bytes()).finish();
            function.known = Known::Everywhere;
        })
    }

    /// The annotations of its calls, the name among them.
    pub fn need(&self) -> Need {
        self.function.need.as_deref().cloned().unwrap_or_default().name(self.function.name.as_str())
    }

    /// Annotates its calls: priority, resources, bytes, retries. They change when a call runs, not what it gives.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use std::time::Duration;
    /// let train = delayed(|x: i64| x * 2).needs(Need::default().retries(2, Duration::from_millis(10)).priority(1));
    /// assert_eq!(train.call(21_i64).compute()?, 42);
    /// assert_eq!(Session::current()?.submit_call(&train, 21_i64)?.result()?, 42);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn needs(self, need: Need) -> Self
    where
        F: Clone,
    {
        self.rebuild(|function| function.need = Some(Arc::new(need)))
    }

    /// Says that the function does not always give the same result (it reads a clock, a sensor, a service): each call is its own.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    /// static COUNT: AtomicI64 = AtomicI64::new(0);
    /// let next = delayed(|| COUNT.fetch_add(1, Ordering::SeqCst)).impure();
    /// let sum = delayed(|a: i64, b: i64| a + b).call((next.call(()), next.call(())));
    /// assert_eq!(sum.compute()?, 1);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn impure(self) -> Self
    where
        F: Clone,
    {
        self.rebuild(|function| function.pure = false)
    }

    /// A lazy call: nothing runs until the result is computed. `args` is a tuple of arguments or a single one; delayed values
    /// may stand in for plain ones, alone or inside vectors and options.
    #[track_caller]
    #[inline]
    pub fn call<A>(&self, args: A) -> Delayed<F::Output>
    where
        A: Args,
        F: Callable<A::Values, M> + Send + Sync + 'static,
        M: Send + Sync + 'static,
    {
        let key = args.mix(self.function.call_key());
        let mut weight = Weight::new(self.function.pure);
        args.inputs(&mut |input| weight.add(input));
        let call = FunctionCall {
            key,
            function: self.function.clone(),
            location: Location::caller(),
            weight,
            task: TaskNote::new(),
            args,
            mode: PhantomData::<M>,
        };
        Delayed::from_node(Node::new(call))
    }
}

struct FunctionCall<F, A, M> {
    key: Key,
    location: &'static Location<'static>,
    function: Arc<Function<F>>,
    weight: Weight,
    task: TaskNote,
    args: A,
    mode: PhantomData<M>,
}

impl<F, A, M> Call for FunctionCall<F, A, M>
where
    A: Args,
    F: Callable<A::Values, M> + Send + Sync,
    M: Send + Sync,
{
    #[inline]
    fn key(&self) -> Key {
        self.key
    }

    #[inline]
    fn function(&self) -> Key {
        self.function.key
    }

    fn name(&self) -> &str {
        &self.function.name
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    #[inline]
    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        self.args.inputs(visit);
    }

    #[inline]
    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        let values = self.args.resolve(&mut inputs.iter_mut())?;
        Ok(self.function.run.apply(values)?.into_value())
    }

    fn need(&self) -> Option<Arc<Need>> {
        self.function.need.clone()
    }

    #[inline]
    fn lasts(&self) -> bool {
        self.weight.lasts()
    }

    fn content(&self) -> KernelResult<Key> {
        self.function.content(self.key)
    }

    #[inline]
    fn weight(&self) -> u32 {
        self.weight.calls()
    }

    #[inline]
    fn task(&self) -> &TaskNote {
        &self.task
    }

    fn bytes(&self) -> u64 {
        // What fits into a value needs no memory of its own.
        let bytes = size_of::<F::Output>() as u64;
        if bytes <= 8 { 0 } else { bytes }
    }
}

/// A function that can be called with a tuple of arguments.
pub trait Callable<Values, M> {
    /// What a successful call gives.
    type Output: Payload;

    /// Calls the function.
    ///
    /// # Errors
    /// What the function returns as an error.
    fn apply(&self, values: Values) -> KernelResult<Self::Output>;
}

macro_rules! callables {
    ($(($($arg:ident),*);)*) => {$(
        impl<F, R: Payload, $($arg),*> Callable<($($arg,)*), Plain> for F
        where
            F: Fn($($arg),*) -> R,
        {
            type Output = R;

            #[inline]
            fn apply(&self, values: ($($arg,)*)) -> KernelResult<R> {
                #[allow(non_snake_case)]
                let ($($arg,)*) = values;
                Ok(self($($arg),*))
            }
        }

        impl<F, R: Payload, E: fmt::Display, $($arg),*> Callable<($($arg,)*), Try> for F
        where
            F: Fn($($arg),*) -> std::result::Result<R, E>,
        {
            type Output = R;

            #[inline]
            fn apply(&self, values: ($($arg,)*)) -> KernelResult<R> {
                #[allow(non_snake_case)]
                let ($($arg,)*) = values;
                self($($arg),*).map_err(|error| KernelError::new(error.to_string()))
            }
        }
    )*};
}

callables! {
    ();
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, G);
    (A, B, C, D, G, H);
    (A, B, C, D, G, H, I);
    (A, B, C, D, G, H, I, J);
}
