//! Snapshots of the rules.
