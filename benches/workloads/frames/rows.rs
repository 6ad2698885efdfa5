//! f7: a branchy function of several columns for each row, beside the same loop written by hand.

use talatat::frame::polars::prelude::{Column, DataFrame};
use talatat::frame::{Frame, agg};
use talatat::{Compute, Result};

use super::floats;
use crate::report::{Options, Report};

/// A price with steps, caps and refusals.
fn price(distance: f64, minutes: i64, people: i64) -> f64 {
    if people <= 0 || distance < 0.0 {
        return 0.0;
    }
    let base = if distance < 2.0 { 3.0 } else { 2.5 + 0.8 * distance };
    let slow = if minutes > 30 { (minutes - 30) as f64 * 0.25 } else { 0.0 };
    let total = base + slow + if people > 4 { 2.0 } else { 0.0 };
    if total > 50.0 { 50.0 + (total - 50.0).sqrt() } else { total }
}

fn row(i: usize) -> (f64, i64, i64) {
    let z = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11;
    ((z % 4001) as f64 / 100.0 - 0.5, (z >> 12) as i64 % 90, (z >> 24) as i64 % 7)
}

pub fn function(options: &Options, report: &mut Report) -> Result<()> {
    let session = options.session()?;
    let rows = options.scaled(5e7, 1000);
    let (mut distance, mut minutes, mut people) = (Vec::new(), Vec::new(), Vec::new());
    for (d, m, p) in (0..rows).map(row) {
        distance.push(d);
        minutes.push(m);
        people.push(p);
    }
    // The loop, on as many threads.
    let threads = options.threads.max(1);
    let share = rows.div_ceil(threads);
    let by_hand: f64 = report.part("loop", || {
        std::thread::scope(|scope| {
            let parts = distance.chunks(share).zip(minutes.chunks(share)).zip(people.chunks(share));
            let sum = |((d, m), p): ((&[f64], &[i64]), &[i64])| -> f64 {
                let made: Vec<f64> = d.iter().zip(m).zip(p).map(|((&d, &m), &p)| price(d, m, p)).collect();
                made.iter().sum()
            };
            let handles: Vec<_> = parts.map(|part| scope.spawn(move || sum(part))).collect();
            handles.into_iter().map(|handle| handle.join().unwrap_or(f64::NAN)).sum()
        })
    });
    let columns = vec![
        Column::new("distance".into(), distance),
        Column::new("minutes".into(), minutes),
        Column::new("people".into(), people),
    ];
    let table =
        DataFrame::new_infer_height(columns).map_err(|error| talatat::Error::invalid("f7", error.to_string()))?;
    let frame = Frame::from_polars(table, 4 * threads);
    let priced = frame.map_rows("price", ["distance", "minutes", "people"], price)?;
    let total = report.part("map_rows", || priced.agg([agg::sum("price").alias("price")])?.compute_on(&session))?;
    report.digest("rows", rows as f64);
    report.digest("price", (floats(&total, "price").iter().sum::<f64>() / by_hand * 1e6).round());
    Ok(())
}
