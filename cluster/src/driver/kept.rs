//! Results that stay on the workers.

use std::any::Any;
use std::sync::Arc;

use hashbrown::HashMap;
use talatat_graph::{Brief, Registry, Remote, Result, Value};

use super::link::{Connection, Link};
use super::python::unavailable;
use crate::wire::{Request, Wanted};
use crate::worker::Size;

/// What the engine keeps for us under a name; the last handle's drop gives it up.
pub(super) struct KeptUnit {
    pub(super) key: String,
    /// What the worker says of its outputs.
    pub(super) outputs: Vec<Size>,
    /// For whom the engine keeps it.
    pub(super) connection: Arc<Connection>,
    /// A local cluster lives as long as what is kept there.
    pub(super) link: Arc<Link>,
}

impl KeptUnit {
    /// Some of its outputs, given in their order.
    fn wanted(&self, outputs: Vec<u32>) -> Wanted {
        Wanted { key: self.key.clone(), pick: (outputs.len() < self.outputs.len()).then_some(outputs) }
    }

    /// An error of bringing it, or the reason behind it.
    fn told(&self, error: talatat_graph::Error) -> talatat_graph::Error {
        let Some(gone) = self.connection.helper.gone() else { return error };
        let address = &self.link.address;
        unavailable(format!(
            "what was persisted on the cluster at {address} is lost, as the connection was: persist it again ({gone})"
        ))
    }

    fn missing(&self) -> talatat_graph::Error {
        unavailable(format!("the helper did not bring {}", self.key))
    }
}

impl Drop for KeptUnit {
    fn drop(&mut self) {
        // If nobody listens there is nobody who keeps it.
        let _ = self.connection.helper.send(&Request::Release { keys: vec![self.key.clone()] }, &[]);
    }
}

/// One result of it, as a value of the driver.
pub(super) struct KeptValue {
    pub(super) unit: Arc<KeptUnit>,
    pub(super) output: u32,
    pub(super) part: Option<u32>,
    pub(super) registry: Arc<Registry>,
}

impl KeptValue {
    /// A value as one that is kept for this connection.
    pub(super) fn of<'a>(value: &'a Value, connection: &Arc<Connection>) -> Option<&'a KeptValue> {
        let Value::Remote(remote) = value else { return None };
        let any: &dyn Any = &**remote;
        any.downcast_ref::<KeptValue>().filter(|kept| Arc::ptr_eq(&kept.unit.connection, connection))
    }

    fn size(&self) -> Option<&Size> {
        self.unit.outputs.get(self.output as usize)
    }

    /// The part of what was brought that it stands for.
    fn part(&self, value: Value) -> Result<Value> {
        let Some(part) = self.part else { return Ok(value) };
        let part = value.part(part).cloned();
        part.ok_or_else(|| unavailable(format!("{} has fewer parts than it had", self.unit.key)))
    }
}

impl Remote for KeptValue {
    fn nbytes(&self) -> u64 {
        self.size().and_then(|size| size.nbytes(self.part)).unwrap_or(0)
    }

    fn brief(&self) -> Brief {
        self.size().map_or_else(|| Brief::new("remote", &[]), |size| size.brief(self.part))
    }

    fn fetch(&self) -> Result<Value> {
        let wanted = vec![self.unit.wanted(vec![self.output])];
        let helper = &self.unit.connection.helper;
        let found = helper.fetch(|id| Request::Gather { id, wanted }, self.registry.clone());
        let found = found.map_err(|error| self.unit.told(error))?;
        self.part(found.into_iter().next().ok_or_else(|| self.unit.missing())?)
    }
}

/// Brings the values that are kept for a connection, all at once: of each unit what is wanted, and that once.
pub(super) fn bring(values: &mut [Value], connection: &Arc<Connection>) -> Result<()> {
    let mut outputs: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut units: Vec<&KeptUnit> = Vec::new();
    let mut registry = None;
    for kept in values.iter().filter_map(|value| KeptValue::of(value, connection)) {
        registry.get_or_insert_with(|| kept.registry.clone());
        outputs
            .entry(kept.unit.key.as_str())
            .or_insert_with(|| {
                units.push(&kept.unit);
                Vec::new()
            })
            .push(kept.output);
    }
    let Some(registry) = registry else { return Ok(()) };
    let mut places: HashMap<(String, u32), usize> = HashMap::new();
    let mut wanted = Vec::with_capacity(units.len());
    for unit in units {
        let mut pick = outputs.remove(unit.key.as_str()).unwrap_or_default();
        pick.sort_unstable();
        pick.dedup();
        for &output in &pick {
            places.insert((unit.key.clone(), output), places.len());
        }
        wanted.push(unit.wanted(pick));
    }
    drop(outputs);
    let found = connection.helper.fetch(|id| Request::Gather { id, wanted }, registry)?;
    for value in values {
        if let Some(kept) = KeptValue::of(value, connection) {
            let place = places.get(&(kept.unit.key.clone(), kept.output));
            let whole = place.and_then(|&place| found.get(place)).cloned();
            *value = kept.part(whole.ok_or_else(|| kept.unit.missing())?)?;
        }
    }
    Ok(())
}
