//! A PostgreSQL server over a temporary folder, from the programs of the system.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The user that the server knows.
pub const USER: &str = "mason";
/// Its password.
pub const PASSWORD: &str = "cut by hand";

/// A running server on 127.0.0.1; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct PostgresServer {
    control: PathBuf,
    port: u16,
    folder: TempDir,
}

type Failed = Box<dyn std::error::Error>;

impl PostgresServer {
    /// Starts a server. `None`, with a line that tells so, where PostgreSQL is not installed; with `TALATAT_REQUIRE_POSTGRES=1` that is an error.
    ///
    /// # Errors
    /// When the programs are there and do not do their work.
    pub fn start() -> Result<Option<Self>, Failed> {
        let (Some(initdb), Some(control)) = (program("initdb"), program("pg_ctl")) else {
            let required = std::env::var_os("TALATAT_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
            if required {
                return Err("TALATAT_REQUIRE_POSTGRES=1, and `initdb` and `pg_ctl` are not on the PATH".into());
            }
            // Not with a macro: the test runner would keep those lines to itself.
            writeln!(std::io::stderr(), "SKIPPED: no PostgreSQL; `initdb` and `pg_ctl` are not on the PATH")?;
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let (data, secret) = (folder.path().join("data"), folder.path().join("password"));
        std::fs::create_dir(&data)?;
        std::fs::write(&secret, PASSWORD)?;
        give_away(&[folder.path(), &data, &secret])?;
        let mut init = as_somebody(&initdb);
        init.args(["-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "-D"]);
        run(init.arg(&data).arg("--pwfile").arg(&secret), folder.path())?;
        // The system chooses the port; should another program take it in between, the server says so and ends.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = PostgresServer { control, port, folder };
        let options = format!("-h 127.0.0.1 -k '' -F -p {port}");
        server.control(&["-w", "-o", &options, "start"])?;
        Ok(Some(server))
    }

    fn control(&self, arguments: &[&str]) -> Result<(), Failed> {
        let (data, log) = (self.folder.path().join("data"), self.folder.path().join("log"));
        let mut control = as_somebody(&self.control);
        run(control.arg("-D").arg(data).arg("-l").arg(log).args(arguments), self.folder.path())
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}:{}@127.0.0.1:{}/{database}", PASSWORD.replace(' ', "%20"), self.port)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = self.control(&["-m", "immediate", "stop"]);
    }
}

/// Runs a program to its end. What it starts may go on, so that its output goes to a file.
fn run(command: &mut Command, folder: &Path) -> Result<(), Failed> {
    let told = folder.join("told");
    let file = std::fs::File::create(&told)?;
    let status = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", std::fs::read_to_string(told)?).into()),
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())?;
    found.canonicalize().ok()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| owner(&meta) == 0)
}

#[cfg(unix)]
fn owner(meta: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(meta)
}

#[cfg(not(unix))]
fn owner(_: &std::fs::Metadata) -> u32 {
    1
}

/// The server refuses to be run by root: then it is run by nobody.
fn as_somebody(program: &Path) -> Command {
    let mut command = match is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.env("LC_ALL", "C").current_dir(std::env::temp_dir());
    command
}

fn give_away(paths: &[&Path]) -> Result<(), Failed> {
    if is_root() {
        #[cfg(unix)]
        paths.iter().try_for_each(|path| std::os::unix::fs::chown(path, Some(65_534), Some(65_534)))?;
    }
    Ok(())
}
