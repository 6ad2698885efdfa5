//! The file in which costs are kept between runs.
//!
//! A line `talatat costs 1 CHECKSUM`, then JSON. It is only a memory of how long things took: whatever is wrong with it, it is left out of
//! account, said, and written anew with the next run. Writers take turns by a lock on a file beside it, and readers see the old file
//! or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use talatat_collections::storage::{Location, write_atomic};

use super::costs::Costs;

const MAGIC: &str = "talatat costs ";
/// Changes with the meaning of the numbers.
const VERSION: u32 = 1;

/// What a file holds, and if it is of no use, why.
pub(crate) fn read(path: &Path) -> (Costs, Option<String>) {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Costs::default(), None),
        Err(error) => return (Costs::default(), Some(format!("{} cannot be read: {error}", path.display()))),
    };
    match decode(&bytes) {
        Ok(costs) => (costs, None),
        Err(problem) => {
            let note = format!(
                "{} {problem}: what was measured before is not used, and the next run starts it anew",
                path.display()
            );
            (Costs::default(), Some(note))
        }
    }
}

/// Adds to what a file holds. Several processes may do so at once.
///
/// # Errors
/// If the folder cannot be made, or the file not be locked or written; the old one is then as it was.
pub(crate) fn update(path: &Path, change: impl FnOnce(&mut Costs)) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{} cannot be written: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock =
        File::options().create(true).truncate(false).write(true).open(&beside).map_err(|error| failed(&error))?;
    lock.lock().map_err(|error| failed(&error))?;
    let (mut costs, _) = read(path);
    change(&mut costs);
    let location = path.to_str().ok_or("the name is not valid UTF-8").map_err(|error| failed(&error))?;
    let location = Location::parse(location).map_err(|error| failed(&error))?;
    write_atomic(&location, |writer| writer.write_all(&encode(&costs))).map_err(|error| failed(&error))
    // The lock ends with its file.
}

fn checksum(body: &[u8]) -> String {
    format!("{:032x}", talatat_graph::Key::of(MAGIC, body).bits())
}

fn encode(costs: &Costs) -> Vec<u8> {
    let body = serde_json::to_vec(costs).unwrap_or_default();
    let mut bytes = format!("{MAGIC}{VERSION} {}\n", checksum(&body)).into_bytes();
    bytes.extend(body);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Costs, String> {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let head = std::str::from_utf8(&bytes[..end]).ok().and_then(|head| head.strip_prefix(MAGIC));
    let head = head.ok_or("is no file of measured costs")?;
    let (version, sum) = head.split_once(' ').unwrap_or((head, ""));
    if version != VERSION.to_string() {
        return Err(format!("is of version {version:?}, not {VERSION}"));
    }
    let body = bytes.get(end + 1..).unwrap_or_default();
    if checksum(body) != sum {
        return Err("is cut short or was changed".into());
    }
    let costs: Costs = serde_json::from_slice(body).map_err(|error| format!("cannot be understood ({error})"))?;
    Ok(costs.sound())
}

#[cfg(test)]
mod tests {
    use super::super::costs::Key;
    use super::*;
    use crate::diagnostics::recording::Sums;
    use proptest::prelude::*;

    fn run(name: &str, time: u64) -> Vec<(Key, Sums)> {
        vec![((name.into(), 1), Sums { tasks: 1, time, ..Sums::default() })]
    }

    fn some() -> Costs {
        let mut costs = Costs::default();
        costs.learn(&run("a \"b\"\n", 5), Some(1.25));
        costs
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/costs");
        assert_eq!(read(&path), (Costs::default(), None), "no file is no problem");
        update(&path, |costs| *costs = some()).unwrap();
        assert_eq!(read(&path), (some(), None));
    }

    #[test]
    fn a_file_of_another_version_or_cut_short_is_said_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("costs");
        let good = encode(&some());
        let newer = String::from_utf8(good.clone()).unwrap().replace("costs 1", "costs 2");
        let cases: [(&[u8], &str); 5] = [
            (newer.as_bytes(), "is of version \"2\", not 1"),
            (&good[..good.len() - 1], "is cut short or was changed"),
            (&good[..20], "is cut short or was changed"),
            (b"", "is no file of measured costs"),
            (b"\xff\xfe\n{}", "is no file of measured costs"),
        ];
        for (bytes, problem) in cases {
            fs::write(&path, bytes).unwrap();
            let (costs, note) = read(&path);
            assert!(costs.is_empty() && note.as_ref().is_some_and(|note| note.contains(problem)), "{note:?}");
            update(&path, |costs| costs.learn(&run("b", 1), None)).unwrap();
            let (costs, note) = read(&path);
            assert_eq!((costs.runs, note), (1, None));
        }
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).1.unwrap().contains("cannot be read"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(update(&file.join("costs"), |_| {}).unwrap_err().contains("cannot be written"));
    }

    #[test]
    fn several_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("costs");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..25 {
                        update(path, |costs| costs.learn(&run(&format!("{writer} {number}"), 1), None)).unwrap();
                        assert_eq!(read(path).1, None, "readers see whole files");
                    }
                });
            }
        });
        let (costs, _) = read(&path);
        assert_eq!(costs.runs, 100);
        assert!((0..4).all(|writer| (0..25).all(|number| costs.of(&format!("{writer} {number}"), 1).is_some())));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}: no temporary file is left");
    }

    proptest! {
        /// Whatever is in the file: no panic, and numbers that can be worked with.
        #[test]
        fn any_bytes(at in 0_usize..400, byte: u8, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
            let mut good = encode(&some());
            let at = at % good.len();
            let changed = good[at] != byte;
            good[at] = byte;
            prop_assert_eq!(decode(&good).is_err(), changed);
            // Even with the right sum.
            let body = [b"{\"runs\":1,\"ratios\":[],\"operations\":", bytes.as_slice(), b"}"].concat();
            let head = format!("{MAGIC}{VERSION} {}\n", checksum(&body));
            let _ = decode(&[head.as_bytes(), &body].concat());
        }
    }
}
