//! The command line: parses and dispatches.

use std::{net::SocketAddr, process::ExitCode};

use app::domain::TurnId;
use server::command;

const HELP: &str = "\
Outlast: a chat that never loses a reply.

usage: outlast [command]

commands:
  serve                              serve pages and API over HTTP (the default)
  lambda                             the same on Lambda's runtime API, without the Lambda Web Adapter
  worker                             work on what SQS delivers
  simulate --addr 127.0.0.1:PORT     answer as the Messages API does, with made-up replies
  init                               create the table, and queues where they are configured; may be repeated
  doctor                             check configuration, store, queue and Claude; list abandoned turns
  turn ID [--text]                   what happened to a turn, by its log; with its text only if asked
  hash                               read a secret, and print what the configuration takes for it

options:
  --help      this text
  --version   the version

The environment configures it; README.md lists the variables.
";

#[derive(Debug, PartialEq)]
enum Command {
    Serve,
    Lambda,
    Simulate(SocketAddr),
    Init,
    Worker,
    Doctor,
    Turn { id: TurnId, text: bool },
    Hash,
    Say(String),
}

fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut command, mut addr, mut id, mut text) = (None, None, None, false);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(Command::Say(HELP.to_owned())),
            Long("version") | Short('V') => {
                return Ok(Command::Say(format!("outlast {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("addr") if command.as_deref() == Some("simulate") => addr = Some(parser.value()?.parse()?),
            Long("text") if command.as_deref() == Some("turn") => text = true,
            Value(given) if command.as_deref() == Some("turn") && id.is_none() => id = Some(given.string()?),
            Value(name) if command.is_none() => command = Some(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match (command.as_deref(), addr) {
        (None | Some("serve"), _) => Ok(Command::Serve),
        (Some("simulate"), Some(addr)) => Ok(Command::Simulate(addr)),
        (Some("simulate"), None) => Err("simulate needs --addr, such as --addr 127.0.0.1:4000".into()),
        (Some("init"), _) => Ok(Command::Init),
        (Some("lambda"), _) => Ok(Command::Lambda),
        (Some("worker"), _) => Ok(Command::Worker),
        (Some("doctor"), _) => Ok(Command::Doctor),
        (Some("turn"), _) => {
            let id = id.ok_or("turn needs an id, as a turn's events and log lines give it")?;
            let id = id.parse().map_err(|_| format!("{id:?} is no turn's id: those have 26 letters and digits"))?;
            Ok(Command::Turn { id, text })
        }
        (Some("hash"), _) => Ok(Command::Hash),
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
        Command::Serve => command::serve(),
        Command::Lambda => command::lambda(),
        Command::Init => command::init(),
        Command::Hash => command::hash(),
        Command::Worker => command::worker(),
        Command::Doctor => command::doctor(),
        Command::Turn { id, text } => command::turn(id, text),
        Command::Simulate(addr) => command::simulate(addr),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("outlast: {line}");
            ExitCode::FAILURE
        }
    }
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
        assert_eq!(parsed(&["lambda"]), Ok(Command::Lambda));
        assert_eq!(parsed(&["init"]), Ok(Command::Init));
        assert_eq!(parsed(&["hash"]), Ok(Command::Hash));
        let addr = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(parsed(&["simulate", "--addr", "127.0.0.1:4000"]), Ok(Command::Simulate(addr)));
        assert_eq!(parsed(&["doctor"]), Ok(Command::Doctor));
        let id: TurnId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let turn = |text| Ok(Command::Turn { id, text });
        assert_eq!(parsed(&["turn", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]), turn(false));
        assert_eq!(parsed(&["turn", "--text", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]), turn(true));
        assert!(matches!(parsed(&["serve", "--help"]), Ok(Command::Say(text)) if text.contains("simulate")));
        assert!(matches!(parsed(&["--version"]), Ok(Command::Say(text)) if text.starts_with("outlast ")));
        for bad in [
            &["fly"][..],
            &["serve", "init"],
            &["--addr", "127.0.0.1:1"],
            &["simulate"],
            &["simulate", "--addr", "x"],
            &["turn"],
            &["turn", "x\ny"],
            &["turn", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "more"],
            &["doctor", "--text"],
        ] {
            let line = parsed(bad).unwrap_err();
            assert!(!line.is_empty() && !line.contains('\n'), "{line}");
        }
    }
}
