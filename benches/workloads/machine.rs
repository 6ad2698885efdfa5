//! Facts of the machine, and the memory of this process.

/// Prints what the numbers were measured on.
pub fn print() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    eprintln!("machine: {cores} cores, {}", model.trim_start_matches([' ', '\t', ':']));
}

/// A field of `/proc/self/status` in bytes, e.g. `VmHWM`, the peak of resident memory; 0 where there is none.
pub fn status_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    let kilobytes: String = line.chars().filter(char::is_ascii_digit).collect();
    kilobytes.parse::<u64>().unwrap_or(0) * 1024
}
