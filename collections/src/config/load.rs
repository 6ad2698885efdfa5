//! Reading of settings: one table of keys, whatever the source.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bytes::parse_bytes;
use super::{Compression, Costs, ExecutorChoice, Progress, Settings, machine};
use crate::error::Result;

/// A setting that cannot be used: where it stands, what is wrong with it and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {problem}")]
pub struct ConfigError {
    /// The file or the environment variable, and the key.
    source_name: String,
    problem: String,
}

/// One setting: its key and how a value's text is put into the settings.
struct Key {
    name: &'static str,
    set: fn(&mut Settings, &str) -> std::result::Result<(), String>,
}

const KEYS: [Key; 10] = [
    Key { name: "threads", set: |settings, text| threads(text).map(|value| settings.threads = value) },
    Key { name: "memory_limit", set: |settings, text| memory_limit(text).map(|value| settings.memory_limit = value) },
    Key {
        name: "spill_folder",
        set: |settings, text| {
            settings.spill_folder = (!text.is_empty()).then(|| PathBuf::from(text));
            Ok(())
        },
    },
    Key { name: "spill_limit", set: |settings, text| bytes(text).map(|value| settings.spill_limit = value) },
    Key {
        name: "spill_compression",
        set: |settings, text| named(text, &COMPRESSIONS).map(|value| settings.spill_compression = value),
    },
    Key { name: "progress", set: |settings, text| named(text, &PROGRESS).map(|value| settings.progress = value) },
    Key { name: "chunk_target", set: |settings, text| chunk_target(text).map(|value| settings.chunk_target = value) },
    Key { name: "watchdog", set: |settings, text| watchdog(text).map(|value| settings.watchdog = value) },
    Key {
        name: "costs",
        set: |settings, text| {
            settings.costs = match text.to_ascii_lowercase().as_str() {
                "" | "auto" | "on" => Costs::Auto,
                "off" | "none" => Costs::Off,
                _ => Costs::File(PathBuf::from(text)),
            };
            Ok(())
        },
    },
    Key { name: "executor", set: |settings, text| named(text, &EXECUTORS).map(|value| settings.executor = value) },
];

const COMPRESSIONS: [(&str, Compression); 2] = [("none", Compression::None), ("lz4", Compression::Lz4)];

const PROGRESS: [(&str, Progress); 3] = [("auto", Progress::Auto), ("on", Progress::On), ("off", Progress::Off)];

const EXECUTORS: [(&str, ExecutorChoice); 4] = [
    ("threads", ExecutorChoice::Threads),
    ("sync", ExecutorChoice::Synchronous),
    ("serialize", ExecutorChoice::Serialize),
    ("refuse", ExecutorChoice::Refuse),
];

impl Settings {
    /// The settings of the environment and the file, over the defaults.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, holds a key that does not exist, or a value makes no sense.
    pub fn load() -> Result<Settings> {
        Settings::load_from(&|name| std::env::var(name).ok(), Path::new(""))
    }

    /// [`load`](Settings::load) with another environment and another working directory.
    ///
    /// # Errors
    /// As [`load`](Settings::load).
    pub fn load_from(environment: &dyn Fn(&str) -> Option<String>, folder: &Path) -> Result<Settings> {
        let mut settings = Settings::default();
        if let Some(file) = find_file(environment, folder)? {
            read_file(&file, &mut settings)?;
        }
        for key in &KEYS {
            let variable = format!("TALATAT_{}", key.name.to_ascii_uppercase());
            // An empty variable counts as none: shells make them easily.
            if let Some(text) = environment(&variable).filter(|text| !text.trim().is_empty()) {
                let failed = |problem| ConfigError { source_name: format!("environment variable {variable}"), problem };
                (key.set)(&mut settings, text.trim()).map_err(failed)?;
            }
        }
        Ok(settings)
    }
}

/// The file with the settings, if there is one; one that is asked for by name must be there.
fn find_file(environment: &dyn Fn(&str) -> Option<String>, folder: &Path) -> Result<Option<PathBuf>> {
    let set = |name: &str| environment(name).filter(|text| !text.is_empty());
    if let Some(named) = set("TALATAT_CONFIG") {
        let file = folder.join(&named);
        if !file.is_file() {
            let problem = "there is no such file; make it, or unset the variable".to_string();
            return Err(ConfigError { source_name: format!("TALATAT_CONFIG={named}"), problem }.into());
        }
        return Ok(Some(file));
    }
    let home = || set("HOME").map(|home| Path::new(&home).join(".config"));
    let user = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let files = [Some(folder.join("talatat.toml")), user.map(|config| config.join("talatat/config.toml"))];
    Ok(files.into_iter().flatten().find(|file| file.is_file()))
}

fn read_file(file: &Path, settings: &mut Settings) -> Result<()> {
    let failed = |key: Option<&str>, problem: String| {
        let source_name = key.map_or(file.display().to_string(), |key| format!("{}: {key}", file.display()));
        ConfigError { source_name, problem }
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed(None, format!("cannot be read: {error}")))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| failed(None, error.to_string()))?;
    for (name, value) in table {
        let known = KEYS.iter().find(|key| key.name == name);
        let key = known.ok_or_else(|| failed(Some(&name), unknown(&name)))?;
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(true) => "on".into(),
            toml::Value::Boolean(false) => "off".into(),
            other => {
                let problem = format!("is of type {}; give a number or a text in quotes", other.type_str());
                return Err(failed(Some(&name), problem).into());
            }
        };
        (key.set)(settings, text.trim()).map_err(|problem| failed(Some(&name), problem))?;
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    let flat = |name: &str| name.to_ascii_lowercase().replace(['-', '_', ' '], "");
    match names.iter().find(|known| flat(known) == flat(name)) {
        Some(near) => format!("is no setting; did you mean {near}?"),
        None => format!("is no setting; there are {}", names.join(", ")),
    }
}

fn named<T: Copy>(text: &str, values: &[(&str, T)]) -> std::result::Result<T, String> {
    let found = values.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    let names = || values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is not one of {}", names()))
}

fn threads(text: &str) -> std::result::Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=65_536).contains(threads));
    threads.ok_or_else(|| format!("{text:?} is not a number of threads: give a whole number from 1"))
}

fn watchdog(text: &str) -> std::result::Result<Option<Duration>, String> {
    if text.eq_ignore_ascii_case("off") || text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.map(Some).ok_or_else(|| format!("{text:?} is not a number of seconds: give one such as 60, or off"))
}

fn chunk_target(text: &str) -> std::result::Result<u64, String> {
    match parse_bytes(text)? {
        0 => Err("chunks of no bytes cannot be made; give a size such as 128 MiB".into()),
        bytes => Ok(bytes),
    }
}

fn bytes(text: &str) -> std::result::Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("none") { Ok(None) } else { parse_bytes(text).map(Some) }
}

fn memory_limit(text: &str) -> std::result::Result<Option<u64>, String> {
    let Some(percent) = text.strip_suffix('%') else {
        return bytes(text);
    };
    let share = percent.trim().parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share));
    let share = share.ok_or_else(|| format!("{text:?} is not a share of the memory: give 1% to 100%"))?;
    let memory = machine::memory();
    let memory = memory.ok_or("this system does not tell how much memory there is: give bytes, as in 2 GiB")?;
    Ok(Some((memory as f64 * (share / 100.0)) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)], file: Option<&str>) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join("talatat.toml"), text).unwrap();
        }
        let value = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        Settings::load_from(&value, folder.path())
    }

    fn problem(environment: &[(&str, &str)], file: Option<&str>) -> String {
        let text = load(environment, file).unwrap_err().to_string();
        // The folder's name is another one each time.
        text.find("talatat.toml").map_or(text.clone(), |at| text[at..].to_string())
    }

    #[test]
    fn defaults() {
        assert_eq!(load(&[], None).unwrap(), Settings::default());
        assert_eq!(load(&[("TALATAT_THREADS", " ")], Some("")).unwrap(), Settings::default());
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let file = "threads = 3\nmemory_limit = '1 GB'\nprogress = false\nchunk_target = 1024\nexecutor = 'SYNC'\nspill_limit = '2 GB'\nspill_compression = 'lz4'\nwatchdog = '1.5'\ncosts = '/c'\n";
        let settings = load(&[("TALATAT_THREADS", "5"), ("TALATAT_SPILL_FOLDER", "/x")], Some(file)).unwrap();
        assert_eq!(settings.threads, 5);
        assert_eq!(settings.memory_limit, Some(1_000_000_000));
        assert_eq!((settings.spill_limit, settings.spill_compression), (Some(2_000_000_000), Compression::Lz4));
        assert_eq!(settings.progress, Progress::Off);
        assert_eq!(settings.chunk_target, 1024);
        assert_eq!((settings.watchdog, settings.costs), (Some(Duration::from_millis(1500)), Costs::File("/c".into())));
        assert_eq!(load(&[("TALATAT_COSTS", "off")], Some(file)).unwrap().costs_file(), None);
        assert_eq!(load(&[("TALATAT_WATCHDOG", "off")], Some(file)).unwrap().watchdog, None);
        assert_eq!(settings.executor, ExecutorChoice::Synchronous);
        assert_eq!(settings.spill_folder.as_deref(), Some(Path::new("/x")));
        assert_eq!(load(&[("TALATAT_MEMORY_LIMIT", "none")], Some(file)).unwrap().memory_limit, None);
    }

    #[test]
    fn a_file_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("talatat")).unwrap();
        std::fs::write(folder.path().join("talatat/config.toml"), "threads = 7").unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(load(&[("XDG_CONFIG_HOME", home)], None).unwrap().threads, 7);
        assert_eq!(load(&[("XDG_CONFIG_HOME", home)], Some("threads = 2")).unwrap().threads, 2);
        let named = format!("{home}/talatat/config.toml");
        assert_eq!(load(&[("TALATAT_CONFIG", &named)], Some("threads = 2")).unwrap().threads, 7);
    }

    #[test]
    fn shares_of_the_memory() {
        let limit = |text: &str| load(&[("TALATAT_MEMORY_LIMIT", text)], None).map(|settings| settings.memory_limit);
        if let Some(memory) = machine::memory() {
            assert_eq!(limit("100%").unwrap(), Some(memory));
            assert_eq!(limit("0%").unwrap(), Some(0));
            let half = limit("50 %").unwrap().unwrap();
            assert!(half.abs_diff(memory / 2) <= 1);
        }
        for text in ["101%", "-1%", "nan%", "%"] {
            assert!(limit(text).unwrap_err().to_string().contains("share of the memory"), "{text}");
        }
    }

    #[test]
    fn errors_say_where_what_and_how() {
        insta::assert_snapshot!(problem(&[], Some("memory-limit = 1")), @"talatat.toml: memory-limit: is no setting; did you mean memory_limit?");
        insta::assert_snapshot!(problem(&[], Some("color = 1")), @"talatat.toml: color: is no setting; there are threads, memory_limit, spill_folder, spill_limit, spill_compression, progress, chunk_target, watchdog, costs, executor");
        insta::assert_snapshot!(problem(&[], Some("threads = 0")), @r#"talatat.toml: threads: "0" is not a number of threads: give a whole number from 1"#);
        insta::assert_snapshot!(problem(&[], Some("threads = []")), @"talatat.toml: threads: is of type array; give a number or a text in quotes");
        insta::assert_snapshot!(problem(&[], Some("chunk_target = 0")), @"talatat.toml: chunk_target: chunks of no bytes cannot be made; give a size such as 128 MiB");
        insta::assert_snapshot!(problem(&[], Some("watchdog = 0")), @r#"talatat.toml: watchdog: "0" is not a number of seconds: give one such as 60, or off"#);
        insta::assert_snapshot!(problem(&[("TALATAT_PROGRESS", "maybe")], None), @r#"environment variable TALATAT_PROGRESS: "maybe" is not one of auto, on, off"#);
        insta::assert_snapshot!(problem(&[("TALATAT_CONFIG", "gone.toml")], None), @"TALATAT_CONFIG=gone.toml: there is no such file; make it, or unset the variable");
        assert!(problem(&[], Some("threads = ")).contains("TOML parse error at line 1"));
    }
}
