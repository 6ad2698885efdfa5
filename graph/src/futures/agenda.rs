//! Which call starts next, of those that may: a pure state machine. It is told the time and holds no threads and no locks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::need::Need;
use crate::bytes::format_bytes;
use crate::error::{Error, Result, Shortage};

/// Calls that are ready, by priority and age; and calls that will be, by time.
///
/// Calls that want the same resources stand in one line, so that however many wait for a resource, finding the next call costs
/// O(lines + log calls).
pub(crate) struct Agenda<C> {
    lines: Vec<Line<C>>,
    later: BTreeMap<(Duration, u64), (Arc<Need>, C)>,
    resources: HashMap<Arc<str>, Resource>,
    memory_limit: Option<u64>,
    reserved: u64,
    /// Calls that run and have reserved bytes.
    running: usize,
    submitted: u64,
    ready: usize,
    /// Calls that nobody wants: to be dropped by whoever holds no lock.
    swept: Vec<C>,
}

#[derive(Clone, Copy, Default)]
struct Resource {
    total: u64,
    used: u64,
}

struct Line<C> {
    like: Arc<Need>,
    calls: BTreeMap<(Reverse<i32>, u64), (Arc<Need>, C)>,
}

impl<C> Default for Agenda<C> {
    fn default() -> Self {
        Agenda {
            lines: Vec::new(),
            later: BTreeMap::new(),
            resources: HashMap::new(),
            memory_limit: None,
            reserved: 0,
            running: 0,
            submitted: 0,
            ready: 0,
            swept: Vec::new(),
        }
    }
}

impl<C> Agenda<C> {
    /// Says how much there is of a resource.
    pub(crate) fn set_resource(&mut self, name: Arc<str>, total: u64) {
        self.resources.entry(name).or_default().total = total;
    }

    /// Says how many bytes all calls may reserve together.
    pub(crate) fn set_memory_limit(&mut self, limit: Option<u64>) {
        self.memory_limit = limit;
    }

    /// Bytes that calls which run, and results that are held, have reserved.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Calls that may start now, as far as nobody else took them.
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// Whether a need can ever be met.
    ///
    /// # Errors
    /// If it is for more than there is.
    pub(crate) fn check(&self, need: &Need, name: &str) -> Result<()> {
        for (resource, wanted) in &need.resources {
            let total = self.resources.get(resource).map_or(0, |resource| resource.total);
            if *wanted > total {
                return Err(Error::Resource {
                    operation: name.into(),
                    resource: resource.to_string(),
                    wanted: *wanted,
                    total,
                });
            }
        }
        match self.memory_limit {
            Some(limit) if need.bytes > limit => {
                Err(Error::Memory { operation: name.into(), needed: need.bytes, limit, shortage: Shortage::Task })
            }
            _ => Ok(()),
        }
    }

    /// Adds a call that is ready.
    pub(crate) fn add(&mut self, need: Arc<Need>, call: C) {
        let number = self.submitted;
        self.submitted += 1;
        self.enter(need, number, call);
    }

    /// Adds a call that is ready from `time` on.
    pub(crate) fn add_later(&mut self, time: Duration, need: Arc<Need>, call: C) {
        self.later.insert((time, self.submitted), (need, call));
        self.submitted += 1;
    }

    fn enter(&mut self, need: Arc<Need>, number: u64, call: C) {
        let line = match self.lines.iter_mut().position(|line| line.like.same_line(&need)) {
            Some(at) => at,
            None => {
                // Lines are few; those that nobody stands in any more make room.
                self.lines.retain(|line| !line.calls.is_empty());
                self.lines.push(Line { like: need.clone(), calls: BTreeMap::new() });
                self.lines.len() - 1
            }
        };
        self.lines[line].calls.insert((Reverse(need.priority), number), (need, call));
        self.ready += 1;
    }

    /// When the next call becomes ready that is not yet.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.later.first_key_value().map(|(&(time, _), _)| time)
    }

    /// The next call: the oldest of the highest priority, among those whose resources and bytes are free. They are reserved until
    /// they are [given back](Agenda::give_back). Calls that are not `wanted` have been begun by others or were dropped: they are in nobody's way.
    pub(crate) fn next(&mut self, now: Duration, wanted: impl Fn(&C) -> bool) -> Option<(Arc<Need>, C)> {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let ((_, number), (need, call)) = entry.remove_entry();
            self.enter(need, number, call);
        }
        for line in &mut self.lines {
            while let Some(first) = line.calls.first_entry()
                && !wanted(&first.get().1)
            {
                self.ready -= 1;
                self.swept.push(first.remove().1);
            }
        }
        let heads = self.lines.iter().enumerate().filter_map(|(at, line)| {
            let (key, (need, _)) = line.calls.first_key_value()?;
            self.fits(need).then_some((*key, at))
        });
        let (_, at) = heads.min()?;
        let (_, (need, call)) = self.lines[at].calls.pop_first()?;
        self.ready -= 1;
        self.take(&need);
        Some((need, call))
    }

    /// Takes the calls that were in the way and that nobody wanted.
    pub(crate) fn swept(&mut self) -> Vec<C> {
        std::mem::take(&mut self.swept)
    }

    /// Reserves what a call needs that is to start out of turn, if it is free.
    pub(crate) fn reserve(&mut self, need: &Need) -> bool {
        let fits = self.fits(need);
        if fits {
            self.take(need);
        }
        fits
    }

    /// Whether what a call needs will be free only when calls end that have `held` what it lacks.
    pub(crate) fn needs_any_of<'a>(&self, need: &Need, held: impl Iterator<Item = &'a Need> + Clone) -> bool {
        let lacks = |(name, wanted): &(Arc<str>, u64)| {
            let all = held.clone().flat_map(|held| &held.resources);
            let own = all.filter(|(other, _)| other == name).fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
            own > 0 && self.resources.get(name).is_some_and(|resource| own.saturating_add(*wanted) > resource.total)
        };
        let bytes = held.clone().fold(0_u64, |sum, held| sum.saturating_add(held.bytes));
        let full = self.memory_limit.is_some_and(|limit| bytes.saturating_add(need.bytes) > limit);
        need.resources.iter().any(lacks) || (bytes > 0 && need.bytes > 0 && full)
    }

    /// Whether what a call needs is free.
    pub(crate) fn fits(&self, need: &Need) -> bool {
        let free = |(name, wanted): &(Arc<str>, u64)| {
            self.resources
                .get(name)
                .is_some_and(|resource| wanted.checked_add(resource.used).is_some_and(|sum| sum <= resource.total))
        };
        // If nothing runs that will free bytes, only whoever holds results could: waiting for that may be for ever.
        let room = self.memory_limit.is_none_or(|limit| self.reserved.saturating_add(need.bytes) <= limit);
        need.resources.iter().all(free) && (need.bytes == 0 || room || self.running == 0)
    }

    /// Reserves what a call needs, free or not.
    pub(crate) fn take(&mut self, need: &Need) {
        self.reserved = self.reserved.saturating_add(need.bytes);
        self.running += usize::from(need.bytes > 0);
        for (name, wanted) in &need.resources {
            let used = &mut self.resources.entry(name.clone()).or_default().used;
            *used = used.saturating_add(*wanted);
        }
    }

    /// A call has ended: its resources are free, its bytes are still held.
    pub(crate) fn give_back(&mut self, need: &Need) {
        self.running -= usize::from(need.bytes > 0);
        for (name, wanted) in &need.resources {
            let used = &mut self.resources.entry(name.clone()).or_default().used;
            *used = used.saturating_sub(*wanted);
        }
    }

    /// Bytes that had been reserved are free.
    pub(crate) fn free(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// Takes all calls out.
    pub(crate) fn drain(&mut self) -> Vec<C> {
        self.ready = 0;
        let ready = self.lines.drain(..).flat_map(|line| line.calls.into_values());
        let calls: Vec<C> = ready.chain(std::mem::take(&mut self.later).into_values()).map(|(_, call)| call).collect();
        calls
    }

    /// What the calls wait for that are ready and do not fit, for whoever asks why nothing runs.
    pub(crate) fn stuck(&self, wanted: impl Fn(&C) -> bool) -> Vec<String> {
        let waits = |line: &Line<C>| {
            let (need, _) = line.calls.values().find(|(_, call)| wanted(call))?;
            (!self.fits(need)).then(|| {
                let count = line.calls.values().filter(|(_, call)| wanted(call)).count();
                let mut wants: Vec<String> =
                    need.resources.iter().map(|(name, wanted)| format!("{wanted} {name}")).collect();
                if need.bytes > 0 {
                    wants.push(format_bytes(need.bytes));
                }
                format!("{count} calls wait for {}", wants.join(", "))
            })
        };
        self.lines.iter().filter_map(waits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::Rng;
    use proptest::prelude::*;

    fn need(rng: &mut Rng) -> Need {
        let mut need = Need { priority: rng.below(3) as i32 - 1, ..Need::default() };
        for (name, total) in [("gpu", 2), ("port", 3)] {
            if rng.below(3) == 0 {
                need.resources.push((name.into(), 1 + rng.below(total) as u64));
            }
        }
        if rng.below(3) == 0 {
            need.bytes = 1 + rng.below(100) as u64;
        }
        need
    }

    proptest! {
        /// Whatever comes and ends in whatever order: all calls start, none beyond what there is, none while a more urgent or an
        /// equally urgent older one that fits has not started.
        #[test]
        fn all_start_in_order_within_what_there_is(seed in 0_u64..1_000_000, count in 1_usize..60) {
            let mut rng = Rng::new(seed);
            let mut agenda: Agenda<usize> = Agenda::default();
            agenda.set_resource("gpu".into(), 2);
            agenda.set_resource("port".into(), 3);
            agenda.set_memory_limit(Some(100));
            let needs: Vec<Arc<Need>> = (0..count).map(|_| Arc::new(need(&mut rng))).collect();
            let (mut added, mut started, mut running) = (0, vec![false; count], Vec::new());
            let mut open: Vec<(Duration, usize)> = Vec::new();
            let (mut now, mut held) = (Duration::ZERO, 0);
            // Every seventh is dropped before it starts.
            let abandoned = rng.below(2) == 0;
            let wanted = |call: usize| !(abandoned && call % 7 == 5);
            while (0..count).any(|call| wanted(call) && !started[call]) {
                match rng.below(3) {
                    0 if added < count => {
                        agenda.check(&needs[added], "call").unwrap();
                        let wait = Duration::from_secs(rng.below(4) as u64);
                        if wait.is_zero() { agenda.add(needs[added].clone(), added) } else { agenda.add_later(now + wait, needs[added].clone(), added) }
                        open.push((now + wait, added));
                        added += 1;
                    }
                    1 => {
                        let before: Vec<usize> = open.iter().filter(|&&(time, call)| time <= now && wanted(call)).map(|&(_, call)| call).collect();
                        let used = |name: &str| running.iter().flat_map(|&call: &usize| needs[call].resources.clone()).filter(|(held, _)| &**held == name).map(|(_, n)| n).sum::<u64>();
                        let bytes: u64 = running.iter().map(|&call| needs[call].bytes).sum();
                        let fits = |call: usize| needs[call].resources.iter().all(|(name, n)| used(name) + n <= if &**name == "gpu" { 2 } else { 3 })
                            && (needs[call].bytes == 0 || bytes == 0 || bytes + held + needs[call].bytes <= 100);
                        match agenda.next(now, |&call| wanted(call)) {
                            Some((_, call)) => {
                                prop_assert!(before.contains(&call) && fits(call) && !started[call]);
                                // Nobody who stands in the same line is passed by.
                                for &other in before.iter().filter(|&&other| needs[other].same_line(&needs[call])) {
                                    let key = |call: usize| (Reverse(needs[call].priority), call);
                                    prop_assert!(key(call) <= key(other));
                                }
                                started[call] = true;
                                open.retain(|&(_, other)| other != call);
                                running.push(call);
                            }
                            None => prop_assert!(
                                !before.iter().any(|&call| fits(call) && before.iter().all(|&other| !needs[other].same_line(&needs[call]) || other == call)),
                                "something fits, and nothing starts"
                            ),
                        }
                    }
                    _ => {
                        if running.is_empty() { now += Duration::from_secs(1); continue }
                        let call = running.swap_remove(rng.below(running.len()));
                        agenda.give_back(&needs[call]);
                        // Some results are held for ever.
                        if rng.below(8) == 0 { held += needs[call].bytes } else { agenda.free(needs[call].bytes) }
                        now += Duration::from_millis(400);
                    }
                }
            }
            running.into_iter().for_each(|call| { agenda.give_back(&needs[call]); agenda.free(needs[call].bytes) });
            while added < count { agenda.add(needs[added].clone(), added); added += 1; }
            prop_assert!(agenda.next(now + Duration::from_secs(9), |&call| wanted(call) && !started[call]).is_none());
            prop_assert_eq!((agenda.reserved(), agenda.ready(), agenda.deadline()), (held, 0, None));
        }
    }

    #[test]
    fn what_can_never_be_is_refused() {
        let mut agenda: Agenda<()> = Agenda::default();
        agenda.set_resource("gpu".into(), 2);
        agenda.set_memory_limit(Some(1 << 20));
        let wants =
            |name: &str, count| Need { resources: [(name.into(), count)].into_iter().collect(), ..Need::default() };
        assert!(agenda.check(&wants("gpu", 2), "train").is_ok());
        insta::assert_snapshot!(agenda.check(&wants("gpu", 3), "train").unwrap_err(), @r#"train wants 3 of the resource "gpu", and there are 2: say how many there are when the session is built, or want fewer"#);
        insta::assert_snapshot!(agenda.check(&wants("tape", 1), "train").unwrap_err(), @r#"train wants 1 of the resource "tape", and there are 0: say how many there are when the session is built, or want fewer"#);
        insta::assert_snapshot!(agenda.check(&Need { bytes: 2 << 20, ..Need::default() }, "train").unwrap_err(), @"train needs 2.0 MiB for one task: its inputs, its result and its scratch memory, but the memory limit is 1.0 MiB: use smaller chunks or partitions, or raise memory_limit");
    }
}
