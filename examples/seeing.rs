//! What a computation did, in pictures: `cargo run --release --example seeing -- FOLDER` computes the value at risk of a portfolio from simulated
//! days, and leaves a profile (for a browser and for Perfetto) and the plan as a page in the folder.
//!
//! `--live` serves a page that shows it at work, and waits for Enter at the end.

use std::path::PathBuf;

use talatat::prelude::*;

/// Days that one task simulates.
const DAYS: usize = 200_000;

/// Losses of so many days: eight prices that move together, from a generator of Marsaglia's ("Xorshift RNGs", 2003).
fn simulate(seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let day = |_| {
        let market: f64 = (0..6).map(|_| uniform()).sum::<f64>() - 3.0;
        (0..8).map(|_| 0.6 * market + 0.8 * (uniform() - 0.5)).sum::<f64>()
    };
    (0..DAYS).map(day).collect()
}

/// The largest losses of two lists of them.
fn worst(mut a: Vec<f64>, b: Vec<f64>, keep: usize) -> Vec<f64> {
    a.extend(b);
    a.sort_by(|x, y| y.total_cmp(x));
    a.truncate(keep);
    a
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let live = arguments.iter().position(|argument| argument == "--live").map(|at| arguments.remove(at)).is_some();
    let folder = arguments.first().map_or_else(|| std::env::temp_dir().join("talatat-seeing"), PathBuf::from);
    let mut builder = Session::builder().watchdog(std::time::Duration::from_secs(30));
    if live {
        builder = builder.live_page(0);
    }
    let session = builder.build()?;
    session.make_current();
    session.live_address().into_iter().for_each(|address| println!("http://{address}/"));

    let blocks = 96_u64;
    let keep = DAYS * blocks as usize / 100 / 100;
    let simulate = delayed(simulate).named("simulate");
    let worst = delayed(worst).named("worst");
    let mut level: Vec<Delayed<Vec<f64>>> = (1..=blocks).map(|seed| simulate.call(seed)).collect();
    while level.len() > 1 {
        let merge = |pair: &[Delayed<Vec<f64>>]| match pair {
            [a, b] => worst.call((a.clone(), b.clone(), keep)),
            _ => pair[0].clone(),
        };
        level = level.chunks(2).map(merge).collect();
    }
    let losses = level.swap_remove(0);

    println!("{}", losses.explain()?);
    println!("predicted, at 0.05 for a core and an hour\n{}", losses.predict()?.priced(0.05));
    let (losses_found, profile) = losses.compute_profiled()?;
    println!("{}", profile.report());
    println!("in one of {} days the loss is {:.2} or more", 10_000, losses_found[keep - 1]);
    for name in ["profile.html", "profile.json"] {
        profile.save(folder.join(name))?;
    }
    losses.visualize_plan(folder.join("plan.html"))?;
    println!("see {}", folder.display());
    if live {
        std::io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}
