//! Bytes for people.

/// Bytes as people read them: `1.5 MiB`.
///
/// ```
/// assert_eq!(talatat_graph::format_bytes(1536), "1.5 KiB");
/// assert_eq!(talatat_graph::format_bytes(12), "12 B");
/// ```
pub fn format_bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scaled = count as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}
