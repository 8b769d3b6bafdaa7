//! `fuzz`: the targets in `server/fuzz`, where a nightly Rust with `cargo fuzz` is. Without it nothing is lost but depth:
//! `test` checks the same properties with proptest.

use std::{fs, process::Command};

use crate::{Result, process, workspace::Workspace};

/// Each target, and where it finds examples to begin with, named from `server/`.
const TARGETS: &[(&str, Option<&str>)] =
    &[("claude", Some("tests/fixtures")), ("sse", None), ("cursor", None), ("markdown", None)];
const MISSING: &str = "`cargo +nightly fuzz` is not here: `rustup toolchain install nightly` and \
     `cargo install cargo-fuzz` bring it (`make test` has the same properties, with proptest)";

/// Runs the named target, or all of them, each for so many seconds.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let seconds: u64 = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(60);
    let named: Vec<_> = args.iter().filter(|arg| arg.parse::<u64>().is_err()).collect();
    if let Some(unknown) = named.iter().find(|name| !TARGETS.iter().any(|(target, _)| target == *name)) {
        return Err(format!("no such fuzz target: {unknown}").into());
    }
    // By rustup's name: the cargo that runs this tool knows no `+nightly`.
    let nightly = || {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "fuzz"]);
        command
    };
    if process::quiet(nightly().arg("--version")).is_err() {
        return Err(MISSING.into());
    }
    let folder = Workspace::find()?.root.join("server");
    // Begin with the versions that everything else is tested with; what only fuzzing needs is added to the copy.
    fs::copy(folder.join("../Cargo.lock"), folder.join("fuzz/Cargo.lock"))?;
    for (target, examples) in
        TARGETS.iter().filter(|(target, _)| named.is_empty() || named.iter().any(|name| name == target))
    {
        println!("Fuzzing {target} for {seconds} s");
        let corpus = format!("fuzz/corpus/{target}");
        fs::create_dir_all(folder.join(&corpus))?;
        process::run(
            nightly()
                .args(["run", target, &corpus])
                .args(*examples)
                .args(["--", &format!("-max_total_time={seconds}")])
                .current_dir(&folder),
        )?;
    }
    Ok(())
}
