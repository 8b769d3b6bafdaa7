//! Running other programs, so that a failure is one line that names the program.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::Result;

/// The cargo that runs this tool, in the repository's root.
///
/// What cargo told this tool about the tool's own package is taken out: `ring` asks to be built again whenever one of
/// these differs, and everything that speaks TLS with it, so each clone that shares a target folder did that anew.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end with this terminal; an exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|e| format!("{} cannot be started: {e}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", name(command)).into()) }
}

/// Runs to the end, quietly; what it printed is in the error if it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs to the end and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().map_err(|e| format!("{} cannot be started: {e}", name(command)))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(if out.stderr.is_empty() { &out.stdout } else { &out.stderr });
    Err(format!("{} failed ({}): {}", name(command), out.status, said.trim()).into())
}

/// Whether the program is there at all: asks it for its version, in the way it wants to be asked.
pub(crate) fn version(program: &str, flag: &str) -> Option<String> {
    let out = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    // Java answers on standard error.
    let text = if out.stdout.is_empty() { out.stderr } else { out.stdout };
    out.status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The program and its first words, for messages.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<_> = command.get_args().take(2).map(|a| a.to_string_lossy().into_owned()).collect();
    format!("`{program} {}`", words.join(" ")).replace(" `", "`")
}
