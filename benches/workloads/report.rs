//! Options in, one JSON line out.

use std::collections::BTreeMap;
use std::time::Instant;

use talatat::{Compute, Session};

/// What the command line says.
pub struct Options {
    pub name: String,
    pub scale: f64,
    pub threads: usize,
    pub memory: Option<u64>,
    /// Rewrites and passes to leave out.
    pub skip: Vec<String>,
    /// Tells on standard error what was planned and what ran.
    pub report: bool,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options =
            Options { name: String::new(), scale: 1.0, threads: 2, memory: None, skip: Vec::new(), report: false };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            let wrong = |what: &str| format!("{what:?} is not a number");
            match argument.as_str() {
                "--bench" => {}
                "--scale" => options.scale = value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?,
                "--threads" => options.threads = value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?,
                "--memory" => options.memory = Some(value().and_then(|v| v.parse().map_err(|_| wrong(&v)))?),
                "--skip" => options.skip.push(value()?),
                "--report" => options.report = true,
                name if !name.starts_with('-') && options.name.is_empty() => options.name = name.into(),
                other => return Err(format!("unknown argument {other:?}")),
            }
        }
        Ok(options)
    }

    /// `n` scaled, at least `least` and a multiple of it.
    pub fn scaled(&self, n: f64, least: usize) -> usize {
        least.max((n * self.scale) as usize / least * least)
    }

    /// The session that the options ask for, also as the current one.
    pub fn session(&self) -> talatat::Result<Session> {
        let mut builder = Session::builder().threads(self.threads);
        if let Some(bytes) = self.memory {
            builder = builder.memory_limit(bytes);
        }
        builder = self.skip.iter().fold(builder, |builder, name| builder.skip(name));
        let session = builder.build()?;
        session.make_current();
        Ok(session)
    }

    /// Computes on the current session, and tells of it if that is asked for.
    #[cfg_attr(not(any(feature = "array", feature = "frame")), allow(dead_code))]
    pub fn compute<C: Compute>(&self, collection: &C) -> talatat::Result<C::Output> {
        if !self.report {
            return collection.compute();
        }
        eprintln!("{}", collection.explain()?);
        let (result, report) = collection.compute_reported()?;
        eprintln!("{report}");
        Ok(result)
    }
}

/// What a workload found.
#[derive(Default)]
pub struct Report {
    pub digest: BTreeMap<String, f64>,
    pub parts: BTreeMap<String, f64>,
    pub metrics: BTreeMap<String, f64>,
    pub inner_s: Option<f64>,
}

impl Report {
    /// Times a part of the workload, by the clock and in seconds of all processors.
    pub fn part<T>(&mut self, name: &str, run: impl FnOnce() -> T) -> T {
        let (start, busy) = (Instant::now(), processor_seconds());
        let result = run();
        if let (Some(before), Some(after)) = (busy, processor_seconds()) {
            self.metric(&format!("{name}_cpu_s"), after - before);
        }
        self.parts.insert(name.into(), start.elapsed().as_secs_f64());
        result
    }

    pub fn digest(&mut self, name: &str, value: f64) {
        self.digest.insert(name.into(), value);
    }

    pub fn metric(&mut self, name: &str, value: f64) {
        self.metrics.insert(name.into(), value);
    }

    pub fn json(&self) -> String {
        let object = |map: &BTreeMap<String, f64>| {
            // NaN and infinities are not JSON.
            let number = |x: f64| if x.is_finite() { x.to_string() } else { "null".into() };
            let fields: Vec<String> = map.iter().map(|(name, &x)| format!("\"{name}\": {}", number(x))).collect();
            format!("{{{}}}", fields.join(", "))
        };
        format!(
            "{{\"digest\": {}, \"inner_s\": {}, \"parts\": {}, \"metrics\": {}}}",
            object(&self.digest),
            self.inner_s.unwrap_or(0.0),
            object(&self.parts),
            object(&self.metrics)
        )
    }
}

/// What this process has used of all processors, where the system tells; to a hundredth.
fn processor_seconds() -> Option<f64> {
    let line = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces. After it, the twelfth and thirteenth fields are user's and system's ticks.
    let fields = line.rsplit_once(')')?.1;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(ticks / 100.0)
}
