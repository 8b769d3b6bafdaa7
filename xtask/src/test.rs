//! `test`: every stage in order, one driver, one summary line.
//!
//! A stage counts what its program counts (`N passed; N failed`), and a check without a count is one test. A stage
//! that fails stops only those that need what it makes, so one run tells everything; what failed is named again at
//! the end.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use crate::{
    Result, bundle, lambda, lambda::Arch, process, simulator::Simulator, site::seconds, tools, tools::Tools,
    workspace::Workspace,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Format,
    Lint,
    Rust,
    Build,
    Sdk,
    Infra,
    Browser,
    Lambda,
}

const STAGES: &[(Stage, &str, &str)] = &[
    (Stage::Format, "format", "cargo fmt"),
    (Stage::Lint, "lint", "clippy for server, browser and xtask; the first time about 4 minutes"),
    (Stage::Rust, "rust", "unit, property and integration tests; the first time about 5 minutes"),
    (Stage::Build, "build", "the bundle in release; the first time about 7 minutes"),
    (Stage::Sdk, "sdk", "the official SDKs against the simulator"),
    (Stage::Infra, "infra", "the template, its policies and `make deploy` against a stand-in for AWS, about a minute"),
    (Stage::Browser, "browser", "the pages in Chromium, about 15 minutes"),
    (
        Stage::Lambda,
        "lambda",
        "what is deployed, and the chat through Lambda's doors with the Web Adapter and without, about 12 minutes",
    ),
];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Count {
    const ONE: Self = Self { passed: 1, failed: 0 };

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs all stages, or the named ones, and prints the summary whatever happens.
pub(crate) fn run(names: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = names.iter().find(|n| !STAGES.iter().any(|(_, name, _)| name == n)) {
        let known: Vec<_> = STAGES.iter().map(|(_, name, _)| *name).collect();
        return Err(format!("no such stage: {unknown} (there are {})", known.join(", ")).into());
    }
    let chosen: Vec<_> =
        STAGES.iter().filter(|(_, name, _)| names.is_empty() || names.iter().any(|n| n == name)).collect();
    let ws = Workspace::find()?;
    let mut total = Count::default();
    let mut lines = Vec::new();
    let mut failures = Vec::new();
    let mut broken: Vec<Stage> = Vec::new();
    let tools = if chosen.iter().any(|(stage, ..)| !matches!(stage, Stage::Format | Stage::Lint | Stage::Build)) {
        tools::wasm_target().and_then(|()| tools::prepare(&ws)).map(Some)
    } else {
        Ok(None)
    };
    match tools {
        Err(e) => {
            eprintln!("error: {e}");
            total.failed += 1;
        }
        Ok(tools) => {
            for &&(stage, name, what) in &chosen {
                if matches!(stage, Stage::Sdk | Stage::Browser | Stage::Lambda) && broken.contains(&Stage::Build) {
                    lines.push(format!("{name:<8} not run: there is no bundle"));
                    continue;
                }
                println!("\n== {name}: {what}");
                let started = Instant::now();
                let count = run_stage(stage, &ws, tools.as_ref(), &mut failures).unwrap_or_else(|e| {
                    eprintln!("error: {e}");
                    failures.push(format!("{name}: {e}"));
                    Count { passed: 0, failed: 1 }
                });
                if count.failed > 0 {
                    broken.push(stage);
                }
                total.add(count);
                lines.push(format!(
                    "{name:<8} {:>5} passed {:>3} failed  {:>8}",
                    count.passed,
                    count.failed,
                    seconds(started.elapsed())
                ));
            }
        }
    }
    println!();
    for line in failures.iter().chain(&lines) {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_stage(stage: Stage, ws: &Workspace, tools: Option<&Tools>, failures: &mut Vec<String>) -> Result<Count> {
    let cargo = |args: &str| {
        let mut command = process::cargo(&ws.root);
        command.args(args.split_whitespace());
        command
    };
    let tools = || tools.ok_or("the tools are not set up");
    let mut count = Count::default();
    match stage {
        Stage::Format => {
            process::run(&mut cargo("fmt --all --check"))?;
            return Ok(Count::ONE);
        }
        Stage::Lint => {
            for args in [
                "clippy -q -p app -p server --features app/ssr --all-targets -- -D warnings",
                // Features of the browser's half alone: one build never holds both.
                "clippy -q -p frontend -p app --features app/hydrate --target wasm32-unknown-unknown -- -D warnings",
                "clippy -q -p xtask --all-targets -- -D warnings",
            ] {
                match process::run(&mut cargo(args)) {
                    Ok(()) => count.passed += 1,
                    Err(e) => {
                        eprintln!("error: {e}");
                        failures.push(format!("FAILED {args}"));
                        count.failed += 1;
                    }
                }
            }
        }
        Stage::Rust => {
            let dynamodb = &tools()?.dynamodb;
            for args in ["test --no-fail-fast -p app -p server --features app/ssr", "test --no-fail-fast -p xtask"] {
                count.add(counted(cargo(args).env("OUTLAST_DYNAMODB_LOCAL", dynamodb), failures)?);
            }
        }
        Stage::Build => {
            bundle::dist()?;
            return Ok(Count::ONE);
        }
        Stage::Sdk => {
            let simulator = Simulator::start(&ws.root.join("dist/outlast"))?;
            for (program, script) in [(tools()?.python.clone(), "check.py"), (PathBuf::from("node"), "check.mjs")] {
                let folder = ws.root.join("end2end/sdk");
                count.add(counted(
                    Command::new(program).arg(script).arg(simulator.url()).current_dir(folder),
                    failures,
                )?);
            }
        }
        Stage::Infra => {
            let mut command = Command::new(&tools()?.infra);
            command.arg("infra/tests/run.py").env("OUTLAST_MINISTACK", &tools()?.ministack).current_dir(&ws.root);
            count.add(counted(&mut command, failures)?);
        }
        Stage::Browser => {
            // Only this run's pictures and logs.
            let artifacts = ws.root.join("end2end/artifacts");
            if artifacts.exists() {
                std::fs::remove_dir_all(artifacts)?;
            }
            count.add(counted(&mut playwright(ws, tools()?, "playwright.config.js"), failures)?);
        }
        Stage::Lambda => {
            let tools::LambdaTools { emulator, adapter, arm64, clock } = tools::lambda(ws)?;
            lambda::archive(ws, Arch::Arm64)?;
            let mut command = playwright(ws, tools()?, "playwright.lambda.config.js");
            command.env("OUTLAST_CARGO_LAMBDA", emulator).env("OUTLAST_LAMBDA_ADAPTER", adapter);
            command.env("OUTLAST_QEMU_AARCH64", arm64.unwrap_or_default()).env("OUTLAST_FAKETIME", clock);
            count.add(counted(&mut command, failures)?);
        }
    }
    Ok(count)
}

/// The browser's tests, as that configuration has them.
fn playwright(ws: &Workspace, tools: &Tools, config: &str) -> Command {
    let mut command = Command::new("node");
    command.args(["node_modules/@playwright/test/cli.js", "test", "-c", config]);
    command.env("OUTLAST_CHROMIUM", &tools.chromium).env("OUTLAST_DYNAMODB_LOCAL", &tools.dynamodb);
    command.env("OUTLAST_BIN", ws.root.join("dist/outlast")).env("OUTLAST_SITE", ws.root.join("dist/site"));
    command.current_dir(ws.root.join("end2end"));
    command
}

/// Runs a test program, shows what it prints, and adds up the counts in it. A program that fails without having
/// counted a failure (it did not compile, it crashed), or that counts nothing at all, is one failure.
fn counted(command: &mut Command, failures: &mut Vec<String>) -> Result<Count> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut count = Count::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            count.add(counts(&line).unwrap_or_default());
            if let Some(name) = failure(&line) {
                failures.push(format!("FAILED {name}"));
            }
        }
    }
    let status = child.wait()?;
    if (!status.success() && count.failed == 0) || count == Count::default() {
        count.failed += 1;
    }
    Ok(count)
}

/// Reads `… 12 passed; 0 failed; …` and `12 passed, 0 failed`.
fn counts(line: &str) -> Option<Count> {
    let number = |word: &str| -> Option<u64> {
        let before = &line[..line.find(word)?];
        before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some(Count { passed: number(" passed")?, failed: number(" failed")? })
}

/// Reads `test name ... FAILED` and `FAILED name`: which test failed.
fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_test_programs_print() {
        let count = |passed, failed| Some(Count { passed, failed });
        assert_eq!(counts("test result: ok. 12 passed; 0 failed; 1 ignored; finished in 0.01s"), count(12, 0));
        assert_eq!(counts("test result: FAILED. 3 passed; 2 failed; 0 ignored"), count(3, 2));
        assert_eq!(counts("41 passed, 1 failed"), count(41, 1));
        assert_eq!(counts("test it_passed ... ok"), None);
        assert_eq!(counts("running 3 tests"), None);
    }

    #[test]
    fn names_what_failed() {
        assert_eq!(failure("test log::ends_once ... FAILED"), Some("log::ends_once"));
        assert_eq!(failure("FAILED [phone] chat.spec.js:12 › sends"), Some("[phone] chat.spec.js:12 › sends"));
        assert_eq!(failure("test log::ends_once ... ok"), None);
        assert_eq!(failure("test result: FAILED. 3 passed; 2 failed; 0 ignored"), None);
        let mut failures = Vec::new();
        counted(Command::new("sh").args(["-c", "echo test a ... FAILED; echo 1 passed, 1 failed"]), &mut failures)
            .unwrap();
        assert_eq!(failures, ["FAILED a"]);
    }

    #[test]
    fn a_program_that_fails_or_counts_nothing_is_a_failure() {
        let sh = |script: &str| counted(Command::new("sh").args(["-c", script]), &mut Vec::new()).unwrap();
        assert_eq!(sh("echo 2 passed, 1 failed; exit 1"), Count { passed: 2, failed: 1 });
        assert_eq!(sh("echo 2 passed, 0 failed; exit 1"), Count { passed: 2, failed: 1 });
        assert_eq!(sh("exit 1"), Count { passed: 0, failed: 1 });
        assert_eq!(sh("echo nothing to see"), Count { passed: 0, failed: 1 });
        assert_eq!(sh("echo 2 passed, 0 failed; echo 3 passed, 0 failed"), Count { passed: 5, failed: 0 });
    }
}
