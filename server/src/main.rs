//! The command line: parses and dispatches.

use std::{net::SocketAddr, process::ExitCode};

use server::{
    config::{Config, LogFormat},
    serve, telemetry,
};

const HELP: &str = "\
Outlast: a chat that never loses a reply.

usage: outlast [command]

commands:
  serve                              serve pages and API over HTTP (the default)
  worker                             work on what SQS delivers
  simulate --addr 127.0.0.1:PORT     answer as the Messages API does, with made-up replies
  init                               create the table, and queues where they are configured; may be repeated

options:
  --help      this text
  --version   the version

The environment configures it; README.md lists the variables.
";

#[derive(Debug, PartialEq)]
enum Command {
    Serve,
    Simulate(SocketAddr),
    Init,
    Worker,
    Say(String),
}

fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut command, mut addr) = (None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(Command::Say(HELP.to_owned())),
            Long("version") | Short('V') => {
                return Ok(Command::Say(format!("outlast {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("addr") if command.as_deref() == Some("simulate") => addr = Some(parser.value()?.parse()?),
            Value(name) if command.is_none() => command = Some(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match (command.as_deref(), addr) {
        (None | Some("serve"), _) => Ok(Command::Serve),
        (Some("simulate"), Some(addr)) => Ok(Command::Simulate(addr)),
        (Some("simulate"), None) => Err("simulate needs --addr, such as --addr 127.0.0.1:4000".into()),
        (Some("init"), _) => Ok(Command::Init),
        (Some("worker"), _) => Ok(Command::Worker),
        (Some(name), _) => Err(format!("there is no command {name:?}; --help lists them").into()),
    }
}

fn main() -> ExitCode {
    let parsed = parse(lexopt::Parser::from_env()).map_err(|e| e.to_string());
    let done = parsed.and_then(|command| match command {
        Command::Say(text) => {
            print!("{text}");
            Ok(())
        }
        Command::Serve => run(serve::serve(configured()?)),
        Command::Init => run(serve::init(configured()?)),
        Command::Worker => run(serve::worker(configured()?)),
        Command::Simulate(addr) => {
            telemetry::init(LogFormat::Text);
            run(serve::simulate(addr))
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("outlast: {line}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, with the log already in its format.
fn configured() -> Result<Config, String> {
    let config = Config::from_env().map_err(|e| e.to_string())?;
    telemetry::init(config.log);
    Ok(config)
}

/// Runs one command to its end, with what all of them need.
fn run<E: std::error::Error>(command: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    // Installed before: by nobody else in this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(command).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, String> {
        parse(lexopt::Parser::from_args(args)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_what_it_says() {
        assert_eq!(parsed(&[]), Ok(Command::Serve));
        assert_eq!(parsed(&["serve"]), Ok(Command::Serve));
        assert_eq!(parsed(&["init"]), Ok(Command::Init));
        let addr = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(parsed(&["simulate", "--addr", "127.0.0.1:4000"]), Ok(Command::Simulate(addr)));
        assert!(matches!(parsed(&["serve", "--help"]), Ok(Command::Say(text)) if text.contains("simulate")));
        assert!(matches!(parsed(&["--version"]), Ok(Command::Say(text)) if text.starts_with("outlast ")));
        for bad in
            [&["fly"][..], &["serve", "init"], &["--addr", "127.0.0.1:1"], &["simulate"], &["simulate", "--addr", "x"]]
        {
            let line = parsed(bad).unwrap_err();
            assert!(!line.is_empty() && !line.contains('\n'), "{line}");
        }
    }
}
