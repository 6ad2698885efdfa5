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

/// Bytes that this process has read from disks, and those it has given the system to write to them; 0 where the system does not tell.
#[cfg_attr(not(feature = "zarr"), allow(dead_code))]
pub fn io_bytes() -> (u64, u64) {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let field = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([':', ' ']).parse().unwrap_or(0)
    };
    (field("read_bytes"), field("write_bytes"))
}

/// Gigabytes a second of `c = a + 3 b` on arrays of 240 MB each, the best of five: what memory can do.
/// (McCalpin's STREAM counts 24 bytes an element, as here.)
#[cfg_attr(not(feature = "array"), allow(dead_code))]
pub fn triad(threads: usize) -> f64 {
    const ELEMENTS: usize = 30_000_000;
    let (a, b, mut c) = (vec![1.0_f64; ELEMENTS], vec![2.0_f64; ELEMENTS], vec![0.0_f64; ELEMENTS]);
    let share = ELEMENTS.div_ceil(threads.max(1));
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = std::time::Instant::now();
        std::thread::scope(|scope| {
            for ((a, b), c) in a.chunks(share).zip(b.chunks(share)).zip(c.chunks_mut(share)) {
                scope.spawn(move || c.iter_mut().zip(a).zip(b).for_each(|((c, a), b)| *c = a + 3.0 * b));
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    std::hint::black_box(&c);
    24.0 * ELEMENTS as f64 / best / 1e9
}
