//! `bench`: sets up what is compared with, builds, and lets `end2end/bench/run.js` measure.

use std::{path::PathBuf, process::Command};

use crate::{Result, bundle, process, site::Profile, tools, workspace::Workspace};

/// Measures everything and prints one table; `quick` makes it short.
///
/// # Errors
/// If something is missing, or cannot be built or measured.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let ws = Workspace::find()?;
    let tools = tools::prepare(&ws)?;
    let peer = tools::python(&ws, "end2end/bench/peer_fastapi/requirements.txt", &[])?;
    let nginx = tools::nginx()?;
    let doors = tools::lambda(&ws)?;
    bundle::dist()?;
    println!("Bench: compiling what measures the store alone");
    process::run(process::cargo(&ws.root).args([
        "build",
        "--release",
        "--package",
        "server",
        "--example",
        "store_figures",
    ]))?;
    let store = ws.native(Profile::Release).join("examples/store_figures");
    let paths: serde_json::Map<_, _> = [
        ("outlast", ws.root.join("dist/outlast")),
        ("site", ws.root.join("dist/site")),
        ("store", store),
        ("dynamodb", tools.dynamodb),
        ("ministack", ws.root.join(".tools/ministack")),
        ("chromium", tools.chromium),
        ("python", peer),
        ("nginx", nginx),
        ("cargo_lambda", doors.emulator),
        ("lambda_adapter", doors.adapter),
    ]
    .map(|(name, path): (&str, PathBuf)| (name.to_owned(), path.to_string_lossy().into()))
    .into_iter()
    .collect();
    println!("Bench: measuring takes about 15 minutes; whatever else runs on this machine shows in the figures");
    process::run(
        Command::new("node")
            .arg("end2end/bench/run.js")
            .args(args)
            .current_dir(&ws.root)
            .env("OUTLAST_BENCH_TOOLS", serde_json::Value::from(paths).to_string()),
    )
}
