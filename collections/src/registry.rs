//! All built-in kernels and blocks.

use talatat_graph::Registry;

/// A registry with every built-in kernel and block: what a process needs to run tasks of another one.
pub fn registry() -> Registry {
    let registry = crate::lower::register_manipulation(crate::lower::register_durable(Registry::new()));
    let registry = crate::bag::register(crate::delayed::register(registry));
    #[cfg(feature = "array")]
    let registry = crate::lower::register_arrays(registry);
    #[cfg(feature = "frame")]
    let registry = crate::frame::register(registry);
    #[cfg(all(feature = "array", feature = "frame"))]
    let registry = crate::bridge::register(registry);
    registry
}
