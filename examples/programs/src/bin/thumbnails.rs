//! Makes thumbnails of a folder of pictures: `thumbnails 'pictures/*.jpg' small/`, or of samples if nothing is named. See `programs::thumbnails`.

use std::error::Error;

use programs::thumbnails::{draw_samples, thumbnails};
use talatat::Compute;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (glob, target) = match (arguments.next(), arguments.next()) {
        (Some(glob), Some(target)) => (glob, target.into()),
        _ => {
            let folder = std::env::temp_dir().join("talatat-pictures");
            std::fs::create_dir_all(&folder)?;
            draw_samples(&folder, 60)?;
            (format!("{}/*.{{png,jpg}}", folder.display()), folder.join("small"))
        }
    };
    std::fs::create_dir_all(&target)?;
    let ((kinds, brightest, pixels), report) = thumbnails(&glob, target, 64)?.compute_reported()?;
    println!("{report}\n{pixels} pixels");
    for (kind, sums) in kinds {
        println!("{:4} {:5} pictures, mean brightness {:.1}", kind, sums.pictures, sums.light / sums.pixels as f64);
    }
    for picture in brightest {
        println!("{} ({} x {}): {:.1}", picture.name, picture.width, picture.height, picture.brightness);
    }
    Ok(())
}
