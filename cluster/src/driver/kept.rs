//! Results that stay on the workers.

use std::sync::Arc;

use talatat_graph::{Brief, Registry, Remote, Result, Value};

use super::Link;
use super::python::unavailable;
use crate::wire::Request;

/// What the engine keeps for us under a name; the last handle's drop gives it up.
pub(super) struct KeptUnit {
    pub(super) key: String,
    pub(super) link: Arc<Link>,
}

impl Drop for KeptUnit {
    fn drop(&mut self) {
        // If nobody listens there is nobody who keeps it.
        let _ = self.link.helper.send(&Request::Release { keys: vec![self.key.clone()] }, &[]);
    }
}

/// One result of it, as a value of the driver.
pub(super) struct KeptValue {
    pub(super) unit: Arc<KeptUnit>,
    pub(super) output: u32,
    pub(super) part: Option<u32>,
    /// As its layer declared.
    pub(super) bytes: u64,
    pub(super) registry: Arc<Registry>,
}

impl Remote for KeptValue {
    fn nbytes(&self) -> u64 {
        self.bytes
    }

    fn brief(&self) -> Brief {
        Brief::new("remote", &[])
    }

    fn fetch(&self) -> Result<Value> {
        let keys = vec![self.unit.key.clone()];
        let link = &self.unit.link;
        let values = link.helper.fetch(|id| Request::Gather { id, keys }, self.registry.clone())?;
        let value = values.into_iter().nth(self.output as usize);
        let value = value.ok_or_else(|| unavailable(format!("the helper did not bring {}", self.unit.key)))?;
        match self.part {
            None => Ok(value),
            Some(part) => {
                let part = value.part(part).cloned();
                part.ok_or_else(|| unavailable(format!("{} has fewer parts than it had", self.unit.key)))
            }
        }
    }
}
