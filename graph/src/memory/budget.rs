//! Admission by bytes.

use crate::task::TaskId;

/// Decides which tasks may start under a memory limit.
///
/// A plan that runs in order, one task at a time, peaks at its projected `peak`, so a limit of at least that much is
/// always enough to go on: the first unfinished task (the head) may always start. What the limit allows
/// beyond the peak is the allowance for looking ahead: tasks past the head may start while the bytes they need, summed until
/// the head has passed them, fit into it. No task waits for memory that only a waiting task would free.
#[derive(Debug)]
pub struct Budget {
    allowance: u64,
    ahead: u64,
    head: u32,
    needs: Vec<u64>,
    state: Vec<State>,
    live: u64,
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

impl Budget {
    /// A budget for tasks with the given needs (in order); `limit` must be at least the projected `peak`.
    pub fn new(limit: u64, peak: u64, needs: Vec<u64>) -> Budget {
        let state = vec![State::Waiting; needs.len()];
        Budget { allowance: limit.saturating_sub(peak), ahead: 0, head: 0, needs, state, live: 0, peak: 0 }
    }

    /// Whether the task may start now; if so, its bytes are reserved.
    pub fn admit(&mut self, task: TaskId) -> bool {
        let need = self.needs[task.index()];
        if task.0 == self.head {
            self.state[task.index()] = State::Head;
        } else if self.ahead.saturating_add(need) <= self.allowance {
            self.state[task.index()] = State::Ahead;
            self.ahead += need;
        } else {
            return false;
        }
        self.live += need;
        self.peak = self.peak.max(self.live);
        true
    }

    /// The task is done: its reservation becomes what its result really holds, and the inputs that died are freed.
    pub fn finished(&mut self, task: TaskId, holds: u64, freed: u64) {
        let state = &mut self.state[task.index()];
        *state = if *state == State::Ahead { State::FinishedAhead } else { State::Finished };
        self.live = (self.live + holds).saturating_sub(self.needs[task.index()]).saturating_sub(freed);
        self.peak = self.peak.max(self.live);
        while let Some(state) = self.state.get(self.head as usize) {
            match state {
                State::Finished => {}
                State::FinishedAhead => self.ahead -= self.needs[self.head as usize],
                _ => break,
            }
            self.head += 1;
        }
        // A running task that the head reaches is now in order: what it holds is within the projected peak.
        if let Some(state) = self.state.get_mut(self.head as usize)
            && *state == State::Ahead
        {
            *state = State::Head;
            self.ahead -= self.needs[self.head as usize];
        }
    }

    /// Bytes that are reserved or held.
    pub fn live(&self) -> u64 {
        self.live
    }

    /// The most bytes that were reserved or held at once.
    pub fn peak(&self) -> u64 {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_do_not_run_ahead() {
        // Peak 10, limit 25: one task beyond the head fits, a second does not.
        let mut budget = Budget::new(25, 10, vec![10; 4]);
        assert!(budget.admit(TaskId(0)));
        assert!(budget.admit(TaskId(1)));
        assert!(!budget.admit(TaskId(2)));
        budget.finished(TaskId(1), 10, 0);
        assert!(!budget.admit(TaskId(2)), "what was made ahead is still there");
        budget.finished(TaskId(0), 10, 0);
        assert!(budget.admit(TaskId(2)), "the head may always start");
        assert!(budget.admit(TaskId(3)));
        assert_eq!(budget.live(), 40);
    }
}
