//! Graphs of a user's own: tasks by name, with their inputs by name, checked as a whole before anything runs.
//!
//! | file | what it does |
//! |---|---|
//! | here | tasks and names; results as delayed values |
//! | `step` | functions with the types that they take and give |
//! | `check` | names that are not there, types that do not fit, circles |

mod check;
mod step;

use std::panic::Location;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use talatat_graph::{KernelResult, Key, Need, Value};

use super::call::{Call, TaskNote, Weight, ready};
use super::function::{Callable, DelayedFn, Plain, Try, delayed, try_delayed};
use super::value::Payload;
use super::{Delayed, Node};
use crate::error::{Error, Result};
pub use step::Inputs;
use step::{All, Each, Step, Type};

/// A graph of tasks that are known by names, in any order: a pipeline that is read from a file, rules that users write, a graph of another
/// library. [`get`](CustomGraph::get) checks all of it and gives results as delayed values, so they are computed, persisted and explained like
/// any other, and what several results share is computed once.
///
/// ```
/// use talatat::prelude::*;
/// let mut graph = CustomGraph::new();
/// graph.task("total", ["net", "tax"], |net: f64, tax: f64| net + tax);
/// graph.task("tax", ["net"], |net: f64| net * 0.25);
/// graph.value("net", 100.0);
/// assert_eq!(graph.get::<f64>("total")?.compute()?, 125.0);
///
/// graph.task("rounded", ["totl"], |total: f64| total.round());
/// let error = graph.get::<f64>("rounded").unwrap_err().to_string();
/// assert!(error.contains(r#""rounded" reads "totl", and there is no task of that name: did you mean "total"?"#), "{error}");
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// Cost: about a microsecond a task to check and build; a layer of the graph for each task, so that plans and errors know it by its name.
#[derive(Default)]
pub struct CustomGraph {
    tasks: Vec<Task>,
    by_name: HashMap<Arc<str>, usize>,
    /// Names that were given twice, with both tasks.
    twice: Vec<(usize, usize)>,
    /// The tasks as calls, in their order; made when all is known to be sound.
    built: OnceLock<Vec<Node>>,
}

/// A task of a custom graph.
struct Task {
    name: Arc<str>,
    inputs: Vec<Arc<str>>,
    takes: Takes,
    gives: Type,
    work: Work,
    location: &'static Location<'static>,
}

/// The types of a task's inputs.
enum Takes {
    /// One for each.
    These(Vec<Type>),
    /// Any number of one type.
    All(Type),
}

enum Work {
    Step(Arc<dyn Step>),
    /// A call from outside of the graph.
    Call(Node),
}

impl CustomGraph {
    /// A graph without tasks.
    pub fn new() -> CustomGraph {
        CustomGraph::default()
    }

    /// Adds a task: a function of as many arguments as there are names of inputs. The types of its parameters must be written out.
    #[track_caller]
    pub fn task<F, I>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        function: F,
    ) -> &mut Self
    where
        I: Inputs,
        F: Callable<I, Plain> + Send + Sync + 'static,
    {
        self.call(name, inputs, &delayed(function))
    }

    /// Adds a task whose function may fail: an `Err` ends the computation with an error that names the task.
    #[track_caller]
    pub fn try_task<F, I>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        function: F,
    ) -> &mut Self
    where
        I: Inputs,
        F: Callable<I, Try> + Send + Sync + 'static,
    {
        self.call(name, inputs, &try_delayed(function))
    }

    /// Adds a task that calls a function with annotations, or with a version.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let train = delayed(|x: i64| x * 2).versioned("train", 1).needs(Need::default().priority(1));
    /// let mut graph = CustomGraph::new();
    /// graph.value("x", 21_i64).call("model", ["x"], &train);
    /// assert_eq!(graph.get::<i64>("model")?.compute()?, 42);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn call<F, M, I>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        function: &DelayedFn<F, M>,
    ) -> &mut Self
    where
        I: Inputs,
        F: Callable<I, M> + Send + Sync + 'static,
        M: Send + Sync + 'static,
    {
        let step = Each::<F, I, M>::new(function.function.clone());
        let work = Work::Step(Arc::new(step));
        self.add(name, inputs, Takes::These(I::types()), Type::of::<F::Output>(), work, Location::caller())
    }

    /// Adds a task that reads any number of inputs of one type.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let mut graph = CustomGraph::new();
    /// let names: Vec<String> = (0..10).map(|i| format!("part {i}")).collect();
    /// for (value, name) in names.iter().enumerate() {
    ///     graph.value(name, value as u64);
    /// }
    /// graph.task_of_all("sum", &names, |parts: Vec<u64>| parts.iter().sum::<u64>());
    /// assert_eq!(graph.get::<u64>("sum")?.compute()?, 45);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn task_of_all<F, T>(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        function: F,
    ) -> &mut Self
    where
        T: Payload,
        F: Callable<(Vec<T>,), Plain> + Send + Sync + 'static,
    {
        let step = All::<F, T>::new(delayed(function).function);
        let work = Work::Step(Arc::new(step));
        self.add(name, inputs, Takes::All(Type::of::<T>()), Type::of::<F::Output>(), work, Location::caller())
    }

    /// Adds a value that is there.
    #[track_caller]
    pub fn value<T: Payload>(&mut self, name: &str, value: T) -> &mut Self {
        self.outer(name, Type::of::<T>(), ready(value.into_value()), Location::caller())
    }

    /// Adds a delayed value that was made elsewhere.
    #[track_caller]
    pub fn delayed<T: Payload>(&mut self, name: &str, value: Delayed<T>) -> &mut Self {
        self.outer(name, Type::of::<T>(), value.node, Location::caller())
    }

    fn outer(&mut self, name: &str, gives: Type, node: Node, location: &'static Location<'static>) -> &mut Self {
        let none: [&str; 0] = [];
        self.add(name, none, Takes::These(Vec::new()), gives, Work::Call(node), location)
    }

    fn add(
        &mut self,
        name: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        takes: Takes,
        gives: Type,
        work: Work,
        location: &'static Location<'static>,
    ) -> &mut Self {
        let name: Arc<str> = name.into();
        let inputs = inputs.into_iter().map(|input| input.as_ref().into()).collect();
        let number = self.tasks.len();
        if let Some(first) = self.by_name.insert(name.clone(), number) {
            self.twice.push((first, number));
        }
        self.tasks.push(Task { name, inputs, takes, gives, work, location });
        self.built = OnceLock::new();
        self
    }

    /// How many tasks there are, values among them.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The names of all tasks, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| &*task.name)
    }

    /// Checks the whole graph: that each name is given once, each input is there, each type fits, and nothing waits for itself.
    ///
    /// # Errors
    /// The first thing that is wrong, with the names of the tasks and the line on which the task was added: a name that was given twice; an
    /// input that is not there, with names that are like it; a number of inputs that is not that of the function's arguments; a type that does
    /// not fit, with both types; a circle, with the tasks on it.
    pub fn check(&self) -> Result<()> {
        self.nodes().map(drop)
    }

    /// The result of a task. Checks the whole graph first.
    ///
    /// # Errors
    /// As [`check`](CustomGraph::check); if there is no such task, or it gives something else than a `T`.
    #[track_caller]
    pub fn get<T: Payload>(&self, name: &str) -> Result<Delayed<T>> {
        let location = Location::caller();
        let wrong = |reason| Error::invalid_at(format!("get {name:?}"), reason, location);
        let nodes = self.nodes()?;
        let number = *self.by_name.get(name).ok_or_else(|| wrong(self.missing(name)))?;
        let (task, wanted) = (&self.tasks[number], Type::of::<T>());
        if task.gives != wanted {
            return Err(wrong(format!("it gives {}, not {wanted}: ask for that type", task.gives)));
        }
        Ok(Delayed::from_node(nodes[number].clone()))
    }

    /// The results of several tasks of one type.
    ///
    /// # Errors
    /// As [`get`](CustomGraph::get).
    #[track_caller]
    pub fn get_all<T: Payload>(&self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Vec<Delayed<T>>> {
        let mut results = Vec::new();
        for name in names {
            results.push(self.get(name.as_ref())?);
        }
        Ok(results)
    }

    /// The tasks as calls.
    fn nodes(&self) -> Result<&[Node]> {
        if let Some(nodes) = self.built.get() {
            return Ok(nodes);
        }
        let order = self.order()?;
        let mut nodes: Vec<Option<Node>> = vec![None; self.tasks.len()];
        for number in order {
            let task = &self.tasks[number];
            let inputs = task.inputs.iter().filter_map(|name| nodes[self.by_name[name]].clone());
            nodes[number] = Some(match &task.work {
                Work::Call(node) => node.clone(),
                Work::Step(step) => Node::new(NamedCall::new(task, step.clone(), inputs.collect())),
            });
        }
        Ok(self.built.get_or_init(|| nodes.into_iter().flatten().collect()))
    }
}

/// A task as a call.
struct NamedCall {
    key: Key,
    function: Key,
    name: Arc<str>,
    step: Arc<dyn Step>,
    inputs: Vec<Node>,
    bytes: u64,
    weight: Weight,
    location: &'static Location<'static>,
    task: TaskNote,
}

impl NamedCall {
    fn new(task: &Task, step: Arc<dyn Step>, inputs: Vec<Node>) -> NamedCall {
        // Names are for people: equal calls are equal, whatever they are called.
        let function = step.key();
        let key = inputs.iter().fold(step.call_key(), |key, input| key.combine(input.key().bits()));
        let mut weight = Weight::new(step.is_pure());
        inputs.iter().for_each(|input| weight.add(input));
        NamedCall {
            key,
            function: function.combine(Key::of("task", task.name.as_bytes()).bits()),
            name: task.name.clone(),
            bytes: task.gives.bytes(),
            weight,
            step,
            inputs,
            location: task.location,
            task: TaskNote::new(),
        }
    }
}

impl Call for NamedCall {
    fn key(&self) -> Key {
        self.key
    }

    fn function(&self) -> Key {
        self.function
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        self.inputs.iter().for_each(visit);
    }

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        self.step.run(inputs)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn need(&self) -> Option<Arc<Need>> {
        self.step.need()
    }

    fn content(&self) -> KernelResult<Key> {
        self.step.content(self.key)
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }

    fn lasts(&self) -> bool {
        self.weight.lasts()
    }

    fn weight(&self) -> u32 {
        self.weight.calls()
    }
}
