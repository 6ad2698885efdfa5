//! Time per byte as the data grows past the limit.

use std::fmt::Write;

use talatat::Session;
use talatat::array::uniform;
use talatat::prelude::*;

use crate::flag;

/// Sizes, as shares of the limit.
const SIZES: [f64; 8] = [0.5, 0.8, 1.2, 2.0, 4.0, 8.0, 14.0, 20.0];

/// Blocks of the limit.
const BLOCKS: u64 = 32;

/// Rechunks from rows to columns and takes medians, at sizes around the limit; prints nanoseconds a byte and draws them.
pub(crate) fn main(words: &[&str]) -> Result<bool, String> {
    let limit: u64 = flag(words, "--limit", 256 << 20)?;
    let file: String = flag(words, "--svg", String::new())?;
    let session = Session::builder().memory_limit(limit).build().map_err(|error| error.to_string())?;
    let mut points = Vec::new();
    println!("| bytes / limit | seconds | ns a byte | GB written, read |");
    println!("|---|---|---|---|");
    for size in SIZES {
        let side = ((limit as f64 * size / 8.0).sqrt()) as usize;
        let (begin, traffic) = (std::time::Instant::now(), session.spill_traffic());
        let run = || -> talatat::Result<f64> {
            let wide = ((limit / BLOCKS / 8) as usize / side).clamp(1, side);
            let x = uniform(0.0, 1.0, [side, side], 1)?.rechunk([wide, side])?;
            let x = x.map_blocks::<f64, _>(|_, block| block.to_owned())?;
            x.rechunk([side, wide])?.median(0)?.sum(..)?.item()?.compute()
        };
        session.scope(run).map_err(|error| error.to_string())?;
        let (seconds, after) = (begin.elapsed().as_secs_f64(), session.spill_traffic());
        let per_byte = seconds * 1e9 / (side * side * 8) as f64;
        println!(
            "| {size} | {seconds:.2} | {per_byte:.2} | {:.2}, {:.2} |",
            (after.0 - traffic.0) as f64 / 1e9,
            (after.1 - traffic.1) as f64 / 1e9
        );
        points.push((size, per_byte));
    }
    if !file.is_empty() {
        std::fs::write(&file, svg(&points)).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(true)
}

/// The points as a picture: the size goes to the right, on a logarithmic scale.
fn svg(points: &[(f64, f64)]) -> String {
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max) * 1.1;
    let x = |size: f64| 60.0 + (size / SIZES[0]).log2() / (SIZES[SIZES.len() - 1] / SIZES[0]).log2() * 500.0;
    let y = |value: f64| 260.0 - value / highest * 230.0;
    let mut text = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 310\" font-family=\"sans-serif\" font-size=\"12\">\n",
    );
    let path: Vec<String> = points.iter().map(|&(size, value)| format!("{:.1},{:.1}", x(size), y(value))).collect();
    let _ = writeln!(text, "<path d=\"M60,20 V260 H570\" fill=\"none\" stroke=\"#888\"/>");
    let _ =
        writeln!(text, "<polyline points=\"{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>", path.join(" "));
    for &(size, value) in points {
        let _ = writeln!(text, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#06c\"/>", x(size), y(value));
        let _ = writeln!(text, "<text x=\"{:.1}\" y=\"278\" text-anchor=\"middle\">{size}</text>", x(size));
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.1}</text>",
            x(size),
            y(value) - 8.0
        );
    }
    let _ = writeln!(text, "<text x=\"310\" y=\"300\" text-anchor=\"middle\">bytes of the data / memory limit</text>");
    let _ = writeln!(text, "<text x=\"64\" y=\"16\">nanoseconds a byte</text>\n</svg>");
    text
}
