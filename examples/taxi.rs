//! Mean tip fraction of taxi trips by hour of the day and day of the week (Monday is 0).
//!
//! ```text
//! cargo run --release --example taxi -- [--explain] [--dot FILE] [PATH, URL or GLOB ...]
//! ```
//! Trips have a time of pickup, a fare and a tip, in columns of one of several names; free rides are left out. Without a path a
//! small sample is written and read.

use std::error::Error;
use std::fmt::Write as _;

use talatat::diagnostics::dot;
use talatat::prelude::*;

/// The names that the columns have in different files.
const PICKUP: [&str; 3] = ["pickup", "pickup_datetime", "tpep_pickup_datetime"];
const FARE: [&str; 2] = ["fare", "fare_amount"];
const TIP: [&str; 2] = ["tip", "tip_amount"];

#[derive(Default)]
struct Args {
    explain: bool,
    dot: Option<String>,
    paths: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = arguments()?;
    // The sample's folder lives as long as the program needs it.
    let mut folder = None;
    if args.paths.is_empty() {
        let sample = tempfile::tempdir()?;
        write_sample(sample.path())?;
        println!("no trips were named: using a made-up sample in {}", sample.path().display());
        args.paths.push(format!("{}/trips-*.csv", sample.path().display()));
        folder = Some(sample);
    }
    let table = tip_fractions(&args.paths)?;
    if args.explain {
        println!("{}", table.explain()?);
    }
    if let Some(file) = &args.dot {
        std::fs::write(file, dot(table.plan()?.graph()))?;
    }
    print(&table.compute()?)?;
    drop(folder);
    Ok(())
}

fn arguments() -> Result<Args, Box<dyn Error>> {
    let mut args = Args::default();
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--explain" => args.explain = true,
            "--dot" => args.dot = Some(given.next().ok_or("--dot needs the name of a file")?),
            option if option.starts_with("--") => {
                return Err(format!("{option} is unknown; there are --explain and --dot FILE").into());
            }
            _ => args.paths.push(arg),
        }
    }
    Ok(args)
}

/// The whole job, lazily.
fn tip_fractions(paths: &[String]) -> Result<Frame, Box<dyn Error>> {
    let seen = read_csv(paths, CsvOptions::new())?;
    let pick = |names: &[&'static str]| {
        let found = names.iter().find(|name| seen.schema().contains(name));
        found.copied().ok_or_else(|| format!("none of the columns {names:?} is there, but {:?}", seen.column_names()))
    };
    let (pickup, fare, tip) = (pick(&PICKUP)?, pick(&FARE)?, pick(&TIP)?);
    // Whole dollars in the first records must not make an integer column of it.
    let options = CsvOptions::new()
        .parse_dates([pickup], None)
        .with_dtype(fare, DataType::Float64)
        .with_dtype(tip, DataType::Float64);
    let table = read_csv(paths, options)?
        .filter(col(fare).gt(lit(0.0)))?
        .with_columns([
            (col(tip) / col(fare)).alias("fraction"),
            col(pickup).dt().hour().alias("hour"),
            (col(pickup).dt().weekday() - lit(1)).alias("weekday"),
        ])?
        .groupby(["hour", "weekday"])?
        .agg([agg::mean("fraction").alias("mean"), agg::count("fraction").alias("trips")])?;
    Ok(table)
}

/// Hours down, days across, per cent.
fn print(table: &DataFrame) -> Result<(), Box<dyn Error>> {
    let column = |name: &str| -> Result<Vec<f64>, Box<dyn Error>> {
        let floats = table.column(name)?.cast(&DataType::Float64)?;
        Ok(floats.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    };
    let (hours, days, means, trips) = (column("hour")?, column("weekday")?, column("mean")?, column("trips")?);
    let mut cells = vec![[None; 7]; 24];
    for ((hour, day), mean) in hours.iter().zip(&days).zip(&means) {
        if let Some(cell) = cells.get_mut(*hour as usize).and_then(|row| row.get_mut(*day as usize)) {
            *cell = Some(100.0 * mean);
        }
    }
    println!(
        "mean tip, per cent of the fare, by hour and day of the week\n\n       Mon   Tue   Wed   Thu   Fri   Sat   Sun"
    );
    for (hour, row) in cells.iter().enumerate() {
        let mut line = format!("{hour:>3} ");
        for cell in row {
            match cell {
                Some(mean) => write!(line, "{mean:6.1}")?,
                None => line.push_str("     -"),
            }
        }
        println!("{line}");
    }
    println!("\n{} groups, {} trips", table.height(), trips.iter().sum::<f64>());
    Ok(())
}

/// Two files of trips, the same in every run.
fn write_sample(folder: &std::path::Path) -> std::io::Result<()> {
    let mut state = 12345_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for month in 1..=2 {
        let mut text = String::from("pickup_datetime,fare_amount,tip_amount\n");
        for _ in 0..20_000 {
            let (day, hour, minute) = (1 + draw(28), draw(24), draw(60));
            let fare = draw(6000);
            let tip = fare * draw(30) / 100;
            text += &format!(
                "2024-{month:02}-{day:02} {hour:02}:{minute:02}:00,{}.{:02},{}.{:02}\n",
                fare / 100,
                fare % 100,
                tip / 100,
                tip % 100
            );
        }
        std::fs::write(folder.join(format!("trips-{month}.csv")), text)?;
    }
    Ok(())
}
