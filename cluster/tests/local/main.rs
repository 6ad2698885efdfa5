//! The cluster on real schedulers and workers on 127.0.0.1.

mod campaign;
mod faults;
mod kept;
mod support;
mod tls;
mod values;
