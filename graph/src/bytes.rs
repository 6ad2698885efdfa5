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

/// Reads a number of bytes as people write it: `64MiB`, `1.5 GB`, `1_000`, `2e9`. `kB`, `MB`, `GB`, `TB` are powers of 1000;
/// `KiB`, `MiB`, `GiB`, `TiB` of 1024; upper and lower case are the same.
///
/// ```
/// assert_eq!(talatat_graph::parse_bytes("1.5 KiB")?, 1536);
/// assert_eq!(talatat_graph::parse_bytes("64MB")?, 64_000_000);
/// assert!(talatat_graph::parse_bytes("many").is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let cleaned: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect::<String>().to_ascii_lowercase();
    let wrong = || format!("{text:?} is not a number of bytes: write 1000000, 64MiB or 1.5GB");
    let units: [(&str, f64); 14] = [
        ("kib", 1024.0),
        ("mib", 1048576.0),
        ("gib", 1073741824.0),
        ("tib", 1099511627776.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("k", 1e3),
        ("m", 1e6),
        ("g", 1e9),
        ("t", 1e12),
        ("b", 1.0),
        ("", 1.0),
    ];
    let found = units.iter().find_map(|(unit, scale)| cleaned.strip_suffix(unit).map(|number| (number, scale)));
    let (number, scale) = found.ok_or_else(wrong)?;
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * scale;
    if !bytes.is_finite() || bytes < 0.0 || bytes >= u64::MAX as f64 {
        return Err(wrong());
    }
    Ok(bytes as u64)
}
