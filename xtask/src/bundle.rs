//! `run` and `build`: the server in release with its site, in place or as a folder to take away.

use std::{fs, io, net::TcpListener, os::unix::process::CommandExt, path::Path, process::Command};

use crate::{
    Result, process,
    site::{self, Profile},
    tools,
    workspace::Workspace,
};

/// Builds what has changed and becomes `outlast serve`. Returns only when that fails.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let ws = Workspace::find()?;
    port_is_free()?;
    let binary = release(&ws)?;
    println!("Starting {} serve", binary.display());
    let error = Command::new(&binary).arg("serve").args(args).current_dir(&ws.root).exec();
    Err(format!("{} cannot be started: {error}", binary.display()).into())
}

/// Puts `dist/outlast` and `dist/site/` together; they run from any directory.
pub(crate) fn dist() -> Result<()> {
    let ws = Workspace::find()?;
    let binary = release(&ws)?;
    let dist = ws.root.join("dist");
    fs::create_dir_all(&dist)?;
    // By rename: a running server keeps its old file, where overwriting it would be refused.
    let fresh = dist.join("outlast.new");
    fs::copy(binary, &fresh)?;
    fs::rename(fresh, dist.join("outlast"))?;
    let site = dist.join("site");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    copy_folder(&ws.site(Profile::Release), &site)?;
    println!("Bundle: {} and {}", dist.join("outlast").display(), site.display());
    Ok(())
}

/// The release binary, with its site beside it.
fn release(ws: &Workspace) -> Result<std::path::PathBuf> {
    if !ws.binary(Profile::Release).exists() {
        println!(
            "First build: everything is compiled once, about 14 minutes of CPU time in all, \
             so about 7 minutes on two cores. Later starts take seconds."
        );
    }
    tools::wasm_target()?;
    println!("Server: compiling in release");
    process::run(process::cargo(&ws.root).args(["build", "--release", "--package", "server"]))?;
    site::build(&ws.site(Profile::Release), Profile::Release)?;
    Ok(ws.binary(Profile::Release))
}

/// Says so before minutes of compiling, not after, if the address is taken.
fn port_is_free() -> Result<()> {
    let addr = std::env::var("OUTLAST_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into());
    match TcpListener::bind(&addr) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            Err(format!("{addr} is taken by another program; choose one with OUTLAST_ADDR=127.0.0.1:3001").into())
        }
        // Anything else is the server's to explain.
        _ => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
