//! The project's own build tool: the site, the development loop, the bundle and the tests.
//!
//! `cargo xtask <command>`; the Makefile is a thin list of these. It needs nothing but Rust until a test wants more.

mod bench;
mod bundle;
mod chaos;
mod css;
mod dev;
mod fuzz;
mod inputs;
mod lambda;
mod process;
mod simulator;
mod site;
mod test;
mod tools;
mod workspace;

use std::{error::Error, path::PathBuf, process::ExitCode};

/// What every step here returns: the message is the one line a person sees.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
cargo xtask <command>

  site [--out DIR] [--dev]  build the browser's half into DIR (default: beside the server's binary)
  run [ARGS]                build everything in release, then `outlast serve`
  dev                       build in debug, serve, and do both again whenever a source changes
  build                     dist/outlast and dist/site/
  lambda [x86_64]           dist/lambda/outlast.zip, for arm64 unless told
  setup                     fetch what the tests need (DynamoDB Local, Node packages, a Python venv)
  test [STAGE]              every test, or the named stages; the last line is `N passed, N failed`
  model                     walk millions of states of the turn log's model, in release
  chaos [NAME=NUMBER ...]   kills, freezes and cuts off servers in mid-reply: turns=1000 seed=7 tokens=120 servers=2
                            at_once=32 store_faults=30 (per cent) calm_ms=1700 (between blows) patience=120 (seconds)
  fuzz [TARGET] [SECONDS]   the fuzz targets, where a nightly Rust with cargo-fuzz is; 60 s each
  bench [quick]             the measured figures beside those of FastAPI and nginx, as a table
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let (command, rest) = args.split_first().map_or(("help", args), |(c, rest)| (c.as_str(), rest));
    match command {
        "site" => {
            let profile = if rest.iter().any(|a| a == "--dev") { site::Profile::Dev } else { site::Profile::Release };
            let out = match rest.iter().position(|a| a == "--out") {
                Some(i) => PathBuf::from(rest.get(i + 1).ok_or("--out needs a folder")?),
                None => workspace::Workspace::find()?.site(profile),
            };
            site::build(&out, profile)?;
        }
        "run" => bundle::run(rest)?,
        "dev" => dev::run()?,
        "build" => bundle::dist()?,
        "lambda" => lambda::run(rest)?,
        "setup" => {
            tools::prepare(&workspace::Workspace::find()?)?;
        }
        "test" => return test::run(rest),
        "model" => {
            let mut cargo = process::cargo(&workspace::Workspace::find()?.root);
            cargo.args("test --release -q -p server --test model -- --ignored --nocapture".split(' '));
            process::run(&mut cargo)?;
        }
        "fuzz" => fuzz::run(rest)?,
        "bench" => bench::run(rest)?,
        "chaos" => chaos::run(rest)?,
        "help" | "--help" | "-h" => print!("{HELP}"),
        other => return Err(format!("no such command: {other} (`cargo xtask help` lists them)").into()),
    }
    Ok(ExitCode::SUCCESS)
}
