//! What a thread does that waits for a call: only what the call needs. `README.md` says why.

use std::sync::Arc;

use super::sleep::{Parker, Use};
use super::{Here, Shared};
use crate::error::{Error, Result};
use crate::futures::{Node, Standing, Then};
use crate::sync::{thread, thread_local};

thread_local! {
    static PARKER: Arc<Parker> = Arc::new(Parker::default());
}

/// How often a waiting thread looks for something to do before it sleeps.
const SPINS: usize = if cfg!(shuttle) { 1 } else { 64 };

/// How many calls that wait for each other are followed to find one that can be helped.
const FAR: usize = 64;

/// Waits until a call has ended; works for it meanwhile.
///
/// # Errors
/// If the call cannot end before the caller does.
pub(crate) fn wait(call: &Arc<dyn Node>) -> Result<()> {
    // The call, an argument that it lacks, one that this lacks ...
    let mut path = vec![call.clone()];
    let mut idle = 0;
    while let Some(last) = path.last().cloned()
        && call.standing() != Standing::Done
    {
        match last.standing() {
            Standing::Done => {
                path.pop();
                continue;
            }
            Standing::Blocked => {
                if let Some(missing) = last.missing() {
                    path.push(missing);
                    continue;
                }
            }
            Standing::Ready if begin(&last) => {
                idle = 0;
                continue;
            }
            Standing::Ready | Standing::Running => {}
        }
        if let Some(other) = helpful(&last) {
            other.run(None);
            idle = 0;
        } else if idle < SPINS {
            idle += 1;
            thread::yield_now();
        } else {
            idle = 0;
            sleep(call, &last)?;
        }
    }
    Ok(())
}

/// Runs one of some calls, or an argument of it, if one can be begun.
pub(crate) fn run_one<'a>(calls: impl Iterator<Item = &'a Arc<dyn Node>>) -> bool {
    for call in calls {
        let mut call = call.clone();
        while call.standing() == Standing::Blocked
            && let Some(missing) = call.missing()
        {
            call = missing;
        }
        if call.standing() == Standing::Ready && begin(&call) {
            return true;
        }
    }
    false
}

/// Runs a call here if nothing stands against it.
pub(crate) fn begin(call: &Arc<dyn Node>) -> bool {
    let core = call.core();
    if core.pool.is_none() {
        // The call of a thread of the pool, in that thread's deque. A thread from outside leaves it there.
        let own = Here::with(|here| here.deque.map(|deque| here.pool.deque(deque).begins(call, here.mark())));
        return own.flatten().is_some() && call.clone().run(None);
    }
    let Some(pool) = &core.pool else { return false };
    if core.rest().is_some() {
        return false;
    }
    if pool.is_inline() {
        return call.clone().run(None);
    }
    let pool = pool.shared();
    let grant = match &core.need {
        Some(need) if !need.is_free() => match pool.reserve(need) {
            Some(grant) => Some(grant),
            None => return false,
        },
        _ => None,
    };
    if Here::is(pool) {
        call.clone().run(grant)
    } else {
        let _visit = Here::visit(pool);
        call.clone().run(grant)
    }
}

/// A call that helps the thread to get on: a child of the call that it is running, or of the one that it waits for, wherever that runs.
fn helpful(awaited: &Arc<dyn Node>) -> Option<Arc<dyn Node>> {
    let (pool, deque, mark) = Here::with(|here| (here.pool.clone(), here.deque, here.mark()))?;
    if let Some(deque) = deque
        && let Some(child) = pool.deque(deque).pop(mark)
    {
        return Some(child);
    }
    let mut awaited = awaited.clone();
    for _ in 0..FAR {
        let (place, mark) = awaited.core().place()?;
        let runs = || awaited.standing() == Standing::Running;
        if let Some(child) = pool.deques.get(place)?.steal_behind(mark, runs) {
            return Some(child);
        }
        // As below: what ended in between has nothing to do with what its thread waits for now.
        awaited = pool.deque(place).awaited().filter(|_| runs())?;
    }
    None
}

/// The thread where the call runs that an awaited call waits for, at the end of the chain.
///
/// # Errors
/// If the chain comes back to this thread.
fn whom(
    pool: &Shared,
    deque: Option<usize>,
    awaited: &Arc<dyn Node>,
) -> std::result::Result<Option<usize>, Arc<dyn Node>> {
    let mut awaited = awaited.clone();
    let mut found = None;
    for _ in 0..FAR {
        match awaited.standing() {
            Standing::Running => {}
            Standing::Blocked => match awaited.missing() {
                Some(missing) => {
                    awaited = missing;
                    continue;
                }
                None => return Ok(found),
            },
            _ => return Ok(found),
        }
        if Here::with(|here| here.runs(&awaited)).unwrap_or(false) {
            return Err(awaited);
        }
        let Some((place, _)) = awaited.core().place() else { return Ok(found) };
        if Some(place) == deque {
            return Ok(found);
        }
        found = Some(place);
        let Some(deque) = pool.deques.get(place) else { return Ok(found) };
        let next = deque.awaited();
        // If the call has ended meanwhile, its thread may wait for this one with something else: that is no circle. While it runs, what its thread waits for is
        // what it waits for, until that ends: so all links that are found hold at once.
        match next.filter(|_| awaited.standing() == Standing::Running) {
            Some(next) => awaited = next,
            None => return Ok(found),
        }
    }
    Ok(found)
}

/// Sleeps until the call, or what it lacks, has ended, until `awaited` may be tried again, or until there is something to help with.
fn sleep(call: &Arc<dyn Node>, awaited: &Arc<dyn Node>) -> Result<()> {
    let Ok(parker) = PARKER.try_with(Arc::clone) else {
        thread::yield_now();
        return Ok(());
    };
    for end in [call, awaited] {
        if end.subscribe(Then::Unpark(parker.clone())).is_err() {
            return Ok(());
        }
    }
    let pool = awaited.core().pool.as_ref().map(|pool| pool.shared().clone());
    let here = Here::current();
    let deque = here.as_ref().and_then(|(_, deque)| *deque);
    let Some(pool) = here.map(|(pool, _)| pool).or(pool) else {
        parker.park(awaited.core().rest());
        return Ok(());
    };
    let before = deque.map(|deque| pool.deque(deque).awaits(Some(awaited.clone())));
    let slept = whom(&pool, deque, awaited).and_then(|place| lie(&pool, deque, place, awaited, &parker));
    if let (Some(deque), Some(before)) = (deque, before) {
        pool.deque(deque).awaits(before);
    }
    slept.map_err(|own| {
        let waiting = Here::with(|here| here.call().map(|call| call.core().describe())).flatten();
        let awaited = if own.standing() == Standing::Running { own.core().describe() } else { call.core().describe() };
        Error::Circular { waiting: waiting.unwrap_or_else(|| "a task".into()), awaited }
    })
}

/// Sleeps, on the list of those who can be called for what they wait for.
fn lie(
    pool: &Arc<Shared>,
    deque: Option<usize>,
    place: Option<usize>,
    awaited: &Arc<dyn Node>,
    parker: &Arc<Parker>,
) -> std::result::Result<(), Arc<dyn Node>> {
    let core = awaited.core();
    let need = core.need.as_ref().filter(|need| !need.is_free() && awaited.standing() == Standing::Ready);
    if let Some(need) = need
        && Here::with(|here| {
            let held: Vec<_> = here.calls().filter_map(|call| call.core().need.as_deref()).collect();
            pool.agenda.lock().needs_any_of(need, held.into_iter())
        }) == Some(true)
    {
        return Err(awaited.clone());
    }
    let what = match (need, place) {
        (Some(_), _) => Some(Use::Need),
        (None, Some(place)) if deque.is_some() => Some(Use::Help(place)),
        _ => None,
    };
    if let Some(what) = what {
        pool.sleep.lie_down(deque.unwrap_or(usize::MAX), what, parker);
    }
    // Once more, now that whoever brings something sees this thread.
    let help = if what.is_some() { helpful(awaited) } else { None };
    let rest = core.rest();
    let may_begin = core.need.as_ref().is_some_and(|need| {
        rest.is_none() && awaited.standing() == Standing::Ready && (need.is_free() || pool.agenda.lock().fits(need))
    });
    if help.is_none() && !may_begin && awaited.standing() != Standing::Done {
        parker.park(rest);
    }
    if what.is_some() {
        pool.sleep.get_up(parker);
    }
    if let Some(help) = help {
        help.run(None);
    }
    Ok(())
}
