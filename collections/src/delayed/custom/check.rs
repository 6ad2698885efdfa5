//! What can be wrong with a custom graph.

use super::{CustomGraph, Takes, Task};
use crate::error::{Error, Result};

/// How far the search for circles has come with a task.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    No,
    /// It waits for what it reads.
    Open,
    Done,
}

impl CustomGraph {
    /// The numbers of all tasks, inputs before readers.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn order(&self) -> Result<Vec<usize>> {
        if let Some(&(first, second)) = self.twice.first() {
            let first = self.tasks[first].location;
            let reason = format!("there is a task of that name already, added at {}:{}", first.file(), first.line());
            return Err(self.wrong(&self.tasks[second], reason));
        }
        self.tasks.iter().try_for_each(|task| self.check_inputs(task))?;
        self.sorted()
    }

    /// Whether what a task reads is there and of the right types.
    fn check_inputs(&self, task: &Task) -> Result<()> {
        if let Takes::These(types) = &task.takes
            && types.len() != task.inputs.len()
        {
            let (takes, has) = (types.len(), task.inputs.len());
            let plural = if takes == 1 { "argument" } else { "arguments" };
            return Err(self.wrong(task, format!("its function takes {takes} {plural}; inputs that are named: {has}")));
        }
        for (place, name) in task.inputs.iter().enumerate() {
            let Some(&input) = self.by_name.get(name) else {
                return Err(self.wrong(task, format!("{:?} reads {name:?}, and {}", task.name, self.missing(name))));
            };
            let wanted = match &task.takes {
                Takes::All(wanted) => Some(wanted),
                Takes::These(types) => types.get(place),
            };
            let given = self.tasks[input].gives;
            if let Some(&wanted) = wanted
                && wanted != given
            {
                let argument = place + 1;
                let reason =
                    format!("argument {argument} is of type {wanted}, but {name:?}, which it reads, gives {given}");
                return Err(self.wrong(task, reason));
            }
        }
        Ok(())
    }

    /// Depth first, with a stack of its own.
    fn sorted(&self) -> Result<Vec<usize>> {
        let mut seen = vec![Seen::No; self.tasks.len()];
        let mut order = Vec::with_capacity(self.tasks.len());
        // The tasks that wait, and which of its inputs each waits for.
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for root in 0..self.tasks.len() {
            if seen[root] == Seen::No {
                seen[root] = Seen::Open;
                stack.push((root, 0));
            }
            while let Some((task, next)) = stack.last_mut() {
                let Some(input) = self.tasks[*task].inputs.get(*next) else {
                    seen[*task] = Seen::Done;
                    order.push(*task);
                    stack.pop();
                    continue;
                };
                *next += 1;
                let input = self.by_name[input];
                match seen[input] {
                    Seen::Done => {}
                    Seen::No => {
                        seen[input] = Seen::Open;
                        stack.push((input, 0));
                    }
                    Seen::Open => {
                        let circle: Vec<usize> =
                            stack.iter().map(|(task, _)| *task).skip_while(|task| *task != input).collect();
                        return Err(self.circle(&circle));
                    }
                }
            }
        }
        Ok(order)
    }

    fn circle(&self, tasks: &[usize]) -> Error {
        const NAMED: usize = 12;
        let names: Vec<String> = tasks.iter().map(|&task| format!("{:?}", self.tasks[task].name)).collect();
        let Some((first, rest)) = names.split_first() else {
            return Error::invalid("custom graph", "a circle");
        };
        let reason = if rest.is_empty() {
            format!("{first} reads itself")
        } else {
            let shown = rest.iter().take(NAMED).map(|name| format!("{name}, which reads ")).collect::<String>();
            let more = rest.len().saturating_sub(NAMED);
            let more = if more > 0 { format!("{more} more, the last of which reads ") } else { String::new() };
            format!("a circle: {first} reads {shown}{more}{first}")
        };
        self.wrong(&self.tasks[tasks[0]], reason)
    }

    /// That there is no task of a name, and what was perhaps meant.
    pub(super) fn missing(&self, name: &str) -> String {
        let near = |known: &&str| strsim::damerau_levenshtein(name, known);
        let close = self.names().min_by_key(near).filter(|known| near(known) <= 1 + name.chars().count() / 3);
        match close {
            Some(known) => format!("there is no task of that name: did you mean {known:?}?"),
            None if self.is_empty() => "there is no task at all".into(),
            None => {
                const LISTED: usize = 8;
                let some: Vec<String> = self.names().take(LISTED).map(|name| format!("{name:?}")).collect();
                let more = if self.len() > LISTED { " ..." } else { "" };
                format!("there is no task of that name; there are {}{more}", some.join(", "))
            }
        }
    }

    fn wrong(&self, task: &Task, reason: String) -> Error {
        Error::invalid_at(format!("task {:?}", task.name), reason, task.location)
    }
}
