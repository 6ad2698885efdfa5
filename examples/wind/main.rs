//! Wind speed from its two components: how it varies along a circle of latitude, where it blows hardest.
//!
//! ```text
//! cargo run --release --example wind -- U.npy V.npy [--explain] [--dot FILE]
//! ```
//!
//! The files hold `float32`, the last axis is the longitude (for instance month x level x latitude x longitude). Without files
//! the program makes up some and says where.

mod job;

use std::path::Path;

use talatat::Result;
use talatat::array::{normal, open_npy};
use talatat::prelude::*;

fn main() -> Result<()> {
    let (mut files, mut explain, mut dot) = (Vec::new(), false, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--explain" => explain = true,
            "--dot" => dot = args.next(),
            _ => files.push(arg),
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [u, v] = match <[String; 2]>::try_from(files) {
        Ok(files) => files,
        Err(given) if given.is_empty() => made_up(folder.path())?,
        Err(_) => {
            eprintln!("usage: wind [U.npy V.npy] [--explain] [--dot FILE]");
            std::process::exit(2);
        }
    };

    let (u, v) = (open_npy::<f32>(&u, "auto")?, open_npy::<f32>(&v, "auto")?);
    println!("u  {u}\nv  {v}\n");
    let wind = job::wind(&u, &v)?;
    if explain {
        println!("mean\n{}\nanomaly\n{}", wind.mean.explain()?, wind.anomaly.explain()?);
    }
    if let Some(file) = dot {
        wind.anomaly.visualize(&file)?;
        println!("the graph of the anomaly is in {file}\n");
    }

    let summary = wind.summary(10.0)?;
    println!("mean speed          {:8.3} m/s, standard deviation {:.3}", summary.mean, summary.std);
    println!("it blows hardest at {:?} with {:.3} m/s", summary.place, summary.hardest);
    println!("above 10 m/s        {:8.2} % of all cells", 100.0 * summary.share);
    println!("zonal anomaly       {:8.3} to {:.3} m/s", summary.anomalies.0, summary.anomalies.1);
    println!("most varied circle  {:8.3} m/s standard deviation", summary.most_varied);
    Ok(())
}

/// Two files of random components.
fn made_up(folder: &Path) -> Result<[String; 2]> {
    let shape = [12, 3, 181, 360];
    let file = |name: &str, mean: f64, seed: u64| -> Result<String> {
        let path = folder.join(name).to_string_lossy().into_owned();
        normal(mean, 7.0, shape, seed)?.astype::<f32>().to_npy(&path)?;
        Ok(path)
    };
    println!("no files given: random ones of shape {shape:?} in {}", folder.display());
    Ok([file("u.npy", 4.0, 1)?, file("v.npy", 0.0, 2)?])
}
