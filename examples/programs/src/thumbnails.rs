//! An image pipeline: a folder of pictures becomes thumbnails and statistics, one picture at a time on each thread.

use std::path::{Path, PathBuf};

use image::{ImageReader, ImageResult, Rgb, RgbImage};
use talatat::bag::Bag;
use talatat::delayed::Delayed;
use talatat::storage::expand;

/// What is known of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The file's name.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// From 0 (black) to 255 (white).
    pub brightness: f64,
}

/// Sums over pictures of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// How many there are.
    pub pictures: u64,
    /// Of all of them.
    pub pixels: u64,
    /// Of the mean pixel, times the pixels.
    pub light: f64,
}

/// What a folder comes to: the sums of each kind of file, and the three brightest pictures. They are computed together, and each file is read once.
pub type Summary = (Bag<(String, Sums)>, Bag<Picture>, Delayed<u64>);

/// Writes pictures to try it with: gradients, some as PNG, some as JPEG.
///
/// # Errors
/// If they cannot be written.
pub fn draw_samples(folder: &Path, count: u32) -> ImageResult<()> {
    for number in 0..count {
        let (width, height) = (160 + 40 * (number % 5), 120 + 30 * (number % 3));
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, (number * 255 / count) as u8])
        });
        let kind = if number % 3 == 0 { "jpg" } else { "png" };
        picture.save(folder.join(format!("sample-{number:03}.{kind}")))?;
    }
    Ok(())
}

/// Reads a picture, writes its thumbnail of at most `edge` pixels each way as PNG, and measures it.
fn shrink(path: &Path, target: &Path, edge: u32) -> Result<Picture, String> {
    let told = |error: image::ImageError| format!("{}: {error}", path.display());
    let reader = ImageReader::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let picture = reader.decode().map_err(told)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    picture.thumbnail(edge, edge).save(target.join(format!("{name}.png"))).map_err(told)?;
    let grey = picture.to_luma8();
    let sum: u64 = grey.pixels().map(|pixel| u64::from(pixel.0[0])).sum();
    Ok(Picture {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        width: picture.width(),
        height: picture.height(),
        brightness: sum as f64 / f64::from(picture.width() * picture.height()),
    })
}

/// Thumbnails of all pictures that a glob names, in the folder `target`, and what they come to: lazily.
///
/// # Errors
/// If nothing matches.
pub fn thumbnails(glob: &str, target: PathBuf, edge: u32) -> talatat::Result<Summary> {
    let files: Vec<PathBuf> = expand(&[glob])?.iter().filter_map(|file| file.location().local_path()).collect();
    // A partition a file: pictures take long, and are of all sizes.
    let partitions = files.len();
    let pictures = Bag::from_sequence(files, partitions).try_map(move |path| shrink(&path, &target, edge));
    let kinds = pictures.foldby(
        |picture| picture.name.rsplit('.').next().unwrap_or_default().to_string(),
        Sums::default(),
        |sums, picture| {
            let pixels = u64::from(picture.width) * u64::from(picture.height);
            Sums {
                pictures: sums.pictures + 1,
                pixels: sums.pixels + pixels,
                light: sums.light + picture.brightness * pixels as f64,
            }
        },
        |one, other| Sums {
            pictures: one.pictures + other.pictures,
            pixels: one.pixels + other.pixels,
            light: one.light + other.light,
        },
    );
    let brightest = pictures.topk_by_key(3, |picture| (picture.brightness * 1000.0) as u64);
    let pixels = pictures.map(|picture| u64::from(picture.width) * u64::from(picture.height)).sum();
    Ok((kinds, brightest, pixels))
}
