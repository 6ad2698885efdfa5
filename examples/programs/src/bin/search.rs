//! Looks for the best parameters of a random forest: see `programs::search`.

use programs::search::{Data, grid, search};
use talatat::Compute;

fn main() -> talatat::Result<()> {
    let found = search(Data::spirals(2000), grid(), 5);
    println!("{}", found.explain()?);
    let (((best, mean), last), report) = found.compute_reported()?;
    println!("{report}");
    println!("{best:?}: {:.1} % right in cross-validation, {:.1} % of new points", mean * 100.0, last * 100.0);
    Ok(())
}
