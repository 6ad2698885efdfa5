//! A cluster of three workers on this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use talatat::cluster::{Cluster, ClusterBuilder, Costs, Rate};

/// The Python of the tests: made by `python/venv.sh`, with what arrays and frames need, once for a test run. `None`, with a line that tells so,
/// where there is no Python; with `TALATAT_REQUIRE_SHARED=1` that is an error.
pub fn python() -> Option<&'static Path> {
    static PYTHON: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
            let required = std::env::var_os("TALATAT_REQUIRE_SHARED").is_some_and(|value| value == "1");
            assert!(!required, "TALATAT_REQUIRE_SHARED=1, and there is no python3 on the PATH");
            // Not with a macro: the test runner would keep that line to itself.
            std::io::stderr().write_all(b"SKIPPED: no python3 on the PATH for the tests of the cluster\n").unwrap();
            return None;
        }
        let features = if cfg!(feature = "zarr") { "array,zarr" } else { "array" };
        // With frames there is polars, which the tests of the workspace have compiled.
        let frames = cfg!(feature = "frame");
        let (features, kind) =
            if frames { (format!("{features},frame"), "frame") } else { (features.into(), features) };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{kind}"));
        // The repository is this package's folder or one above.
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("python/venv.sh"));
        let mut script = Command::new(scripts.take(3).find(|path| path.exists()).expect("the script"));
        script.arg(&folder).env("TALATAT_WORKER_FEATURES", features);
        if frames && std::env::var_os("TALATAT_WORKER_WITH").is_none() {
            script.env("TALATAT_WORKER_WITH", "--workspace --test units");
        }
        let output = script.output().expect("the script runs");
        assert!(output.status.success(), "python/venv.sh: {}", String::from_utf8_lossy(&output.stderr));
        Some(folder.join("venv/bin/python"))
    });
    PYTHON.as_deref()
}

/// Options for a cluster of the tests' Python, whose session neither the environment nor a file can change.
pub fn cluster_builder() -> Option<ClusterBuilder> {
    // By these rates a unit has two or three tasks, so that even of small arrays most goes from worker to worker.
    let rate = Rate { task: Duration::from_millis(2), bytes_per_second: 1e12 };
    let costs = Costs::default().otherwise(rate);
    let builder = |python| Cluster::builder().session(super::builder()).python(python);
    python().map(|python| builder(python).costs(costs).memory_limit(1 << 30))
}

/// The cluster that the tests of this process share.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: LazyLock<Option<Cluster>> =
        LazyLock::new(|| cluster_builder().map(|builder| builder.local(3).expect("a cluster on this machine")));
    CLUSTER.as_ref()
}
