//! `dev`: serve in debug, and build again when a source changes. The page reloads itself (see `site::DEV_STAMP`),
//! so nothing of this is in the server.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    Result, inputs, process,
    site::{self, Profile},
    workspace::Workspace,
};

/// Everything that makes the site or the server.
const WATCHED: &[&str] = &["Cargo.toml", "Cargo.lock", "app", "frontend", "server", "style", "public"];
/// How often the files' times are looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How long the server may take to end when asked.
const GRACE: Duration = Duration::from_secs(5);

/// Runs until interrupted.
pub(crate) fn run() -> Result<()> {
    let ws = Workspace::find()?;
    println!("Development: debug builds; the first takes about 5 minutes on two cores, later ones seconds.");
    let mut server: Option<Child> = None;
    loop {
        let seen = times(&ws)?;
        match build(&ws) {
            Ok(()) => {
                stop(server.take())?;
                server = Some(start(&ws)?);
            }
            Err(e) => eprintln!("error: {e}\nWaiting for the next change; what ran before still runs."),
        }
        while times(&ws)? == seen {
            std::thread::sleep(LOOK);
            if let Some(child) = &mut server
                && let Some(status) = child.try_wait()?
            {
                eprintln!("The server ended ({status}). Waiting for the next change.");
                server = None;
            }
        }
        println!("A source changed.");
    }
}

fn build(ws: &Workspace) -> Result<()> {
    site::build(&ws.site(Profile::Dev), Profile::Dev)?;
    process::run(process::cargo(&ws.root).args(["build", "--package", "server"]))
}

fn start(ws: &Workspace) -> Result<Child> {
    let child = Command::new(ws.binary(Profile::Dev)).arg("serve").current_dir(&ws.root).spawn()?;
    let stamp = inputs::hash(&ws.root, WATCHED, "dev")?;
    fs::write(ws.site(Profile::Dev).join(site::DEV_STAMP), stamp)?;
    Ok(child)
}

/// Asks politely first: a server that is asked hands over what it is doing.
fn stop(server: Option<Child>) -> Result<()> {
    let Some(mut child) = server else { return Ok(()) };
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    process::quiet(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
    let asked = Instant::now();
    while child.try_wait()?.is_none() {
        if asked.elapsed() > GRACE {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What to compare: every file with its time and length.
fn times(ws: &Workspace) -> Result<Vec<(PathBuf, SystemTime, u64)>> {
    let mut all = Vec::new();
    for file in inputs::files(&ws.root, WATCHED)? {
        // An editor may have taken it away in between.
        if let Ok(meta) = fs::metadata(&file) {
            all.push((file, meta.modified()?, meta.len()));
        }
    }
    Ok(all)
}
