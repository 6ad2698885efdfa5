//! Admission by bytes.

use hashbrown::HashMap;

use super::Residency;
use super::victims::Victims;
use crate::plan::Plan;
use crate::status::HeldUp;
use crate::task::TaskId;

/// Whether a task may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// Now; its bytes are reserved.
    Run,
    /// When this result has left memory.
    Evict(TaskId),
    /// When something that runs or is being written is done.
    Wait,
    /// Never: it takes so many bytes, more than the limit.
    Never(u64),
}

/// Decides which tasks may start under a memory limit, and what leaves memory for them.
///
/// Two rules. The first one keeps promises and is about what tasks declare. A plan that runs in order, one task at a time, needs
/// at most its *base* at any time: its projected peak, or if results may go to the disk, the most that one task needs together
/// with its inputs, since everything else can leave. A limit of at least the base is always enough to go on, so the first
/// unfinished task (the head) may always start. What the limit allows beyond the base is for looking ahead: tasks past the head
/// may start while what they need, summed until the head has passed them, fits into it. No task waits for memory that only a
/// waiting task would free, and sources do not run ahead.
///
/// The second rule is about what is really there: a task starts only if what results hold, what running tasks have reserved, and what
/// it needs itself fit. If not, results leave for it, the one whose next use is furthest away first. If nothing can leave and
/// nothing runs, the task starts all the same, as guesses were wrong, and perhaps this one is; unless what is known of it, the inputs as
/// they are and the scratch memory that they ask for, is more than the limit. Such a task is refused, lest the process dies of it.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Option<u64>,
    spills: bool,
    /// Whether a task that cannot fit is refused.
    strict: bool,
    allowance: u64,
    ahead: u64,
    /// What the tasks take of the allowance that run or ran ahead of the head.
    weights: HashMap<TaskId, u64>,
    head: u32,
    state: Vec<State>,
    /// Bytes that running tasks have reserved, where that is not zero.
    reservations: HashMap<TaskId, u64>,
    reserved: u64,
    running: usize,
    /// What the layers make beside what they declare.
    corrections: Vec<Correction>,
    /// Made when memory is short for the first time.
    victims: Option<Box<Victims>>,
    peak: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Waiting,
    Head,
    Ahead,
    Finished,
    FinishedAhead,
}

/// How a layer's results were larger than declared.
#[derive(Clone, Copy, Debug)]
struct Correction {
    /// The largest share of the declared bytes that a task made.
    factor: Option<f64>,
    /// The largest result of a task that declared none.
    undeclared: u64,
}

/// A kernel that made more than it declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Bytes that the task's result was declared to have.
    pub declared: u64,
    /// Bytes that it has.
    pub made: u64,
}

impl Budget {
    /// A budget for a plan under its limit; without one, everything may start and only the peak is noted.
    pub(crate) fn new(plan: &Plan) -> Budget {
        let graph = plan.graph();
        Budget {
            limit: plan.memory_limit(),
            spills: plan.may_spill(),
            strict: true,
            allowance: plan.memory_limit().map_or(u64::MAX, |limit| {
                let beyond = limit.saturating_sub(plan.base());
                // A base made of guesses says little.
                if plan.is_unsure() { beyond.max(limit / 2) } else { beyond }
            }),
            ahead: 0,
            weights: HashMap::new(),
            head: 0,
            state: if plan.memory_limit().is_some() { vec![State::Waiting; graph.len()] } else { Vec::new() },
            reservations: HashMap::new(),
            reserved: 0,
            running: 0,
            corrections: vec![Correction { factor: None, undeclared: 0 }; graph.layers().len()],
            victims: None,
            peak: 0,
        }
    }

    /// Lets tasks start that cannot fit: for plays, whose bytes are guesses themselves.
    pub(crate) fn lenient(&mut self) {
        self.strict = false;
    }

    /// Whether the task may start now; if so, its bytes are reserved.
    pub(crate) fn admit(&mut self, plan: &Plan, task: TaskId, memory: &impl Residency) -> Admission {
        let needs = self.needs(plan, task, memory);
        // What needs nothing need not know what the machine has left: tiny tasks would pay for the look.
        let allowed = |limit| if needs > 0 { memory.allowed(limit) } else { limit };
        if let Some(limit) = self.limit.map(allowed) {
            let first = task.0 == self.head;
            let weight = if first { 0 } else { self.corrected(plan, task, plan.weight(task)) };
            if self.ahead.saturating_add(weight) > self.allowance {
                return Admission::Wait;
            }
            let held = memory.live().saturating_add(self.reserved);
            let over = held.saturating_add(needs).saturating_sub(limit);
            if over > 0 {
                if over > self.leaving()
                    && let Some(victim) = self.victim(plan, task, memory)
                {
                    return Admission::Evict(victim);
                }
                if self.running > 0 || self.leaving() > 0 {
                    return Admission::Wait;
                }
                let surely = self.surely(plan, task, memory);
                if self.strict && plan.most().is_some_and(|most| surely > most) {
                    return Admission::Never(surely);
                }
            }
            if weight > 0 {
                self.ahead += weight;
                self.weights.insert(task, weight);
            }
            self.state[task.index()] = if first { State::Head } else { State::Ahead };
        }
        if needs > 0 {
            self.reservations.insert(task, needs);
            self.reserved += needs;
        }
        self.running += 1;
        self.peak = self.peak.max(memory.live().saturating_add(self.reserved));
        Admission::Run
    }

    /// Bytes that a task cannot do without: its inputs as they are, the scratch memory that they ask for, and its result, if that is no guess.
    fn surely(&self, plan: &Plan, task: TaskId, memory: &impl Residency) -> u64 {
        let (graph, layer) = (plan.graph(), plan.graph().layer(task));
        let mut reads = 0_u64;
        graph.distinct_inputs(task, |edge| {
            reads = reads.saturating_add(memory.in_memory(edge)).saturating_add(memory.on_disk(edge));
        });
        let beside = layer.scratch_for(reads);
        let known = match layer.estimated {
            true => beside.saturating_sub(layer.scratch),
            false => beside.saturating_add(graph.bytes(task)),
        };
        reads.saturating_add(known)
    }

    /// Bytes that a task takes when it starts: its result, its scratch memory, and what it reads back.
    fn needs(&self, plan: &Plan, task: TaskId, memory: &impl Residency) -> u64 {
        let graph = plan.graph();
        let (share, may_spill) = (graph.layer(task).scratch_share, plan.may_spill());
        let (mut reads, mut comes_back, mut again) = (0_u64, 0_u64, 0_u64);
        if share > 0.0 || may_spill {
            graph.distinct_inputs(task, |edge| {
                let on_disk = if may_spill { memory.on_disk(edge) } else { 0 };
                comes_back = comes_back.saturating_add(on_disk);
                if on_disk > 0 {
                    again = again.max(graph.layer(edge.task).scratch_again());
                }
                let held = if share > 0.0 { memory.in_memory(edge) } else { 0 };
                reads = reads.saturating_add(held).saturating_add(on_disk);
            });
        }
        self.need(plan, task, reads).saturating_add(comes_back).saturating_add(again)
    }

    /// Bytes that a task's result and its scratch memory will take, going by what its layer declared and has made so far, and by what
    /// the task reads.
    fn need(&self, plan: &Plan, task: TaskId, reads: u64) -> u64 {
        let graph = plan.graph();
        let correction = self.corrections[graph.layer_id(task).0 as usize];
        let result = self.corrected(plan, task, graph.bytes(task));
        result.max(correction.undeclared).saturating_add(graph.layer(task).scratch_for(reads))
    }

    /// Declared bytes by what the layer has made so far: never less than declared, unless that was a guess.
    fn corrected(&self, plan: &Plan, task: TaskId, declared: u64) -> u64 {
        let graph = plan.graph();
        let factor = self.corrections[graph.layer_id(task).0 as usize].factor;
        match factor {
            None => declared,
            Some(factor) if factor > 1.0 || graph.layer(task).estimated => (declared as f64 * factor) as u64,
            Some(_) => declared,
        }
    }

    /// Bytes that a task lacks to start now, and whether that is only for running ahead of the order.
    pub(crate) fn lacks(&self, plan: &Plan, task: TaskId, memory: &impl Residency) -> Option<HeldUp> {
        let limit = memory.allowed(self.limit?);
        let needs = self.needs(plan, task, memory);
        let first = task.0 == self.head;
        let weight = if first { 0 } else { self.corrected(plan, task, plan.weight(task)) };
        let beyond = self.ahead.saturating_add(weight).saturating_sub(self.allowance);
        let held = memory.live().saturating_add(self.reserved);
        let over = held.saturating_add(needs).saturating_sub(limit);
        let (lacks, ahead) = if beyond > 0 { (beyond, true) } else { (over, false) };
        (lacks > 0).then_some(HeldUp { task, needs, lacks, ahead })
    }

    /// Bytes that running tasks have reserved.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    fn leaving(&self) -> u64 {
        self.victims.as_ref().map_or(0, |victims| victims.leaving_bytes())
    }

    fn victim(&mut self, plan: &Plan, before: TaskId, memory: &impl Residency) -> Option<TaskId> {
        if !self.spills {
            return None;
        }
        let state = &self.state;
        let waits = |task: TaskId| state[task.index()] == State::Waiting;
        let victims = self.victims.get_or_insert_with(|| {
            let mut victims = Box::new(Victims::new(state.len()));
            plan.graph().tasks().for_each(|task| victims.consider(plan, task, memory, waits));
            victims
        });
        victims.choose(plan, before, memory, waits)
    }

    /// The task is done, and its result, which holds `made` bytes, is with the other results.
    pub(crate) fn finished(&mut self, plan: &Plan, task: TaskId, made: u64, memory: &impl Residency) -> Option<Excess> {
        self.reserved -= self.reservations.remove(&task).unwrap_or(0);
        self.running = self.running.saturating_sub(1);
        self.peak = self.peak.max(memory.live().saturating_add(self.reserved));
        let excess = self.learn(plan, task, made);
        if self.limit.is_none() {
            return excess;
        }
        let state = &mut self.state[task.index()];
        *state = if *state == State::Ahead { State::FinishedAhead } else { State::Finished };
        while let Some(state) = self.state.get(self.head as usize) {
            match state {
                State::Finished => {}
                State::FinishedAhead => self.ahead -= self.weights.remove(&TaskId(self.head)).unwrap_or(0),
                _ => break,
            }
            self.head += 1;
        }
        // A running task that the head reaches is now in order: what it holds is within the base.
        if let Some(state) = self.state.get_mut(self.head as usize)
            && *state == State::Ahead
        {
            *state = State::Head;
            self.ahead -= self.weights.remove(&TaskId(self.head)).unwrap_or(0);
        }
        if let Some(victims) = &mut self.victims {
            let state = &self.state;
            let waits = |task: TaskId| state[task.index()] == State::Waiting;
            victims.consider(plan, task, memory, waits);
            plan.graph().inputs(task).iter().for_each(|edge| victims.consider(plan, edge.task, memory, waits));
        }
        excess
    }

    /// Notes how a layer's results are larger than declared.
    fn learn(&mut self, plan: &Plan, task: TaskId, made: u64) -> Option<Excess> {
        let graph = plan.graph();
        let declared = graph.bytes(task);
        let correction = &mut self.corrections[graph.layer_id(task).0 as usize];
        if declared == 0 {
            correction.undeclared = correction.undeclared.max(made);
        } else {
            let factor = made as f64 / declared as f64;
            correction.factor = Some(correction.factor.map_or(factor, |known| known.max(factor)));
        }
        (made > declared).then_some(Excess { declared, made })
    }

    /// Writing of a result is over, whether it has left or not.
    pub(crate) fn left(&mut self, task: TaskId, memory: &impl Residency) {
        if let Some(victims) = &mut self.victims {
            victims.left(task, memory);
        }
    }

    /// A running task has read back a result that stays in memory for others, too: its bytes are now the result's, not the task's.
    pub(crate) fn came_back(&mut self, plan: &Plan, task: TaskId, result: TaskId, bytes: u64, memory: &impl Residency) {
        if let Some(reservation) = self.reservations.get_mut(&task) {
            let bytes = bytes.min(*reservation);
            *reservation -= bytes;
            self.reserved -= bytes;
        }
        if let Some(victims) = &mut self.victims {
            let state = &self.state;
            victims.consider(plan, result, memory, |task| state[task.index()] == State::Waiting);
        }
    }

    /// Bytes of the limit that nothing holds or has reserved.
    pub(crate) fn room(&self, memory: &impl Residency) -> Option<u64> {
        self.limit.map(|limit| memory.allowed(limit).saturating_sub(memory.live().saturating_add(self.reserved)))
    }

    /// Whether memory has been short.
    pub(crate) fn has_spilled(&self) -> bool {
        self.victims.is_some()
    }

    /// The most bytes that were reserved or held at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }
}
