//! `chaos`: the long form of `server/tests/chaos`, on the server in release.

use crate::{Result, process, site::Profile, tools, workspace::Workspace};

/// Runs it; `options` are `name=number`, such as `turns=200 seed=7`.
///
/// # Errors
/// If something is missing or does not compile, or if anything was wrong in the end.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let ws = Workspace::find()?;
    let dynamodb = tools::dynamodb_local(&ws)?;
    println!("Chaos: compiling the server in release, and what torments it");
    process::run(process::cargo(&ws.root).args(["build", "--release", "--package", "server"]))?;
    let test = "test --quiet --package server --test chaos -- --ignored --exact a_thousand_turns --nocapture";
    process::run(
        process::cargo(&ws.root)
            .args(test.split_whitespace())
            .env("OUTLAST_CHAOS", options.join(" "))
            .env("OUTLAST_CHAOS_BIN", ws.binary(Profile::Release))
            .env("OUTLAST_DYNAMODB_LOCAL", dynamodb),
    )
}
