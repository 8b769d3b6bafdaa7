//! The commands, each from its start to its end.
//!
//! The runtime is made here and not in the binary: whoever polls the server's future compiles all of it, and the binary
//! would compile again what the library has already.

use std::net::SocketAddr;

use app::domain::TurnId;

use crate::{
    auth::password,
    config::{Config, LogFormat},
    operator,
    serve::{self, StartError},
    telemetry,
};

/// Serves until SIGTERM or an interrupt.
///
/// # Errors
/// One line that says why it cannot start.
pub fn serve() -> Result<(), String> {
    configured(serve::serve)
}

/// Takes events from Lambda's runtime API, without the Web Adapter.
///
/// # Errors
/// One line that says why it cannot start.
#[cfg(feature = "lambda")]
pub fn lambda() -> Result<(), String> {
    // What the runtime sets for whoever speaks its API, and without which nothing can be asked there.
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if let Some(missing) = ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME"].into_iter().find(|name| !set(name)) {
        return Err(format!("{missing} is not set; `lambda` is for Lambda, and `serve` for anywhere else"));
    }
    configured(serve::lambda)
}

/// Takes events from Lambda's runtime API, where that is not part of the build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "lambda"))]
pub fn lambda() -> Result<(), String> {
    Err("this build cannot speak Lambda's runtime API; use `serve` behind the Lambda Web Adapter".to_owned())
}

/// Works on what SQS delivers, until SIGTERM or an interrupt.
///
/// # Errors
/// One line that says why it cannot start.
pub fn worker() -> Result<(), String> {
    configured(serve::worker)
}

/// Creates what the store needs.
///
/// # Errors
/// One line that says why it cannot.
pub fn init() -> Result<(), String> {
    configured(serve::init)
}

/// Whether everything is as it has to be, one line each.
///
/// # Errors
/// One line if something is not.
pub fn doctor() -> Result<(), String> {
    telemetry::aside();
    run(async { operator::doctor(Config::from_env().await).await })
}

/// A turn's log in words.
///
/// # Errors
/// One line that says why it cannot be told.
pub fn turn(id: TurnId, text: bool) -> Result<(), String> {
    telemetry::aside();
    run(async move {
        operator::turn(Config::from_env().await.map_err(|e| e.to_string())?, id, text).await.map_err(|e| e.to_string())
    })
}

/// Reads a secret from the first line of what comes in, and prints its PHC string.
///
/// # Errors
/// One line that says why it cannot be taken.
pub fn hash() -> Result<(), String> {
    use std::io::{self, IsTerminal};
    if io::stdin().is_terminal() {
        eprintln!("The secret, then Enter (it is shown as you type; to keep it off the screen, pipe it in):");
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|e| format!("the secret cannot be read ({e})"))?;
    // As the sign-in takes it: space at either end is nobody's secret.
    let secret = line.trim();
    if secret.chars().count() < 8 {
        return Err("a secret needs 8 characters or more; a few words that you make up are best".to_owned());
    }
    if secret.len() > password::LONGEST {
        return Err(format!("a secret has {} bytes at most", password::LONGEST));
    }
    println!("{}", password::hash(secret).ok_or("the secret cannot be hashed")?);
    Ok(())
}

/// The Messages API simulator alone.
///
/// # Errors
/// One line that says why it cannot start.
pub fn simulate(addr: SocketAddr) -> Result<(), String> {
    telemetry::init(LogFormat::Text);
    run(serve::simulate(addr))
}

/// Runs a command that needs the configuration, with the log already in its format.
fn configured<F: Future<Output = Result<(), StartError>>>(command: impl FnOnce(Config) -> F) -> Result<(), String> {
    run(async {
        let config = Config::from_env().await.map_err(|e| e.to_string())?;
        telemetry::init(config.log);
        command(config).await.map_err(|e| e.to_string())
    })
}

/// Runs one command to its end, with what all of them need.
fn run<E: std::fmt::Display>(command: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    // Installed before: by nobody else in this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(command).map_err(|e| e.to_string())
}
