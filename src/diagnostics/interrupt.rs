//! Ctrl-C ends computations instead of the program.

use std::sync::OnceLock;

use parking_lot::Mutex;
use talatat_collections::{Error, Result};
use talatat_graph::Cancel;

use crate::session::Session;

/// What Ctrl-C cancels.
static HANDLES: Mutex<Vec<Cancel>> = Mutex::new(Vec::new());

/// Whether the handler could be installed, and if not, why.
static INSTALLED: OnceLock<std::result::Result<(), String>> = OnceLock::new();

/// The exit status of a program that Ctrl-C ended, as shells count it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Lets Ctrl-C cancel the computations of a session: they end with [`Cancelled`](crate::graph::Error::Cancelled) when the tasks
/// that are running end. When Ctrl-C finds every such session cancelled already, it ends the program with status 130.
///
/// This installs a handler for the whole process, and it stays: earlier handlers of Ctrl-C are not put back, a second library
/// that wants one cannot have it. That is why it happens only if you ask for it. A cancelled session stays cancelled;
/// [`Session::with_cancel`] gives one that works again.
///
/// ```no_run
/// use talatat::{Session, diagnostics::cancel_on_ctrl_c};
/// cancel_on_ctrl_c(&Session::current()?)?;
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the process has a handler that another library installed, or the system refuses.
#[track_caller]
pub fn cancel_on_ctrl_c(session: &Session) -> Result<()> {
    HANDLES.lock().push(session.cancel_handle());
    let installed = INSTALLED.get_or_init(|| ctrlc::try_set_handler(interrupt).map_err(|error| error.to_string()));
    let caller = std::panic::Location::caller();
    installed.clone().map_err(|reason| {
        let reason = format!(
            "no handler for Ctrl-C: {reason}; call Session::cancel_handle().cancel() from the one that is there"
        );
        Error::invalid_at("cancel_on_ctrl_c", reason, caller)
    })
}

/// Runs on a thread of its own, not within the signal: it may take locks.
fn interrupt() {
    let mut handles = HANDLES.lock();
    handles.retain(|handle| !handle.is_cancelled());
    if handles.is_empty() {
        std::process::exit(INTERRUPTED);
    }
    handles.iter().for_each(Cancel::cancel);
}
