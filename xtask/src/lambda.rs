//! `lambda`: the server without its laptop's parts, static, with the site and what starts it, as Lambda takes it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::{
    Result, process,
    site::{self, Profile},
    tools,
    workspace::Workspace,
};

/// What Lambda runs on. Graviton is a fifth cheaper and no slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arch {
    Arm64,
    X86_64,
}

impl Arch {
    /// As Lambda names it.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "arm64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86_64),
            other => Err(format!("Lambda has no {other}; there are arm64 and x86_64").into()),
        }
    }

    /// With musl the executable needs nothing of the system that it will meet.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::X86_64 => "x86_64-unknown-linux-musl",
        }
    }
}

/// Makes `dist/lambda/outlast.zip`, and beside it the folder that is in it.
pub(crate) fn run(args: &[String]) -> Result<()> {
    archive(&Workspace::find()?, args.first().map_or(Ok(Arch::Arm64), |name| Arch::parse(name))?)
}

/// The same for a workspace that is found.
pub(crate) fn archive(ws: &Workspace, arch: Arch) -> Result<()> {
    let binary = binary(ws, arch)?;
    let dist = ws.root.join("dist/lambda");
    let folder = dist.join("outlast");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::copy(binary, folder.join("outlast"))?;
    for script in ["run.sh", "bootstrap"] {
        fs::copy(ws.root.join("infra/lambda").join(script), folder.join(script))?;
    }
    site::build(&folder.join("site"), Profile::Release)?;
    let archive = dist.join("outlast.zip");
    zip(&folder, &archive)?;
    check(&folder, &archive)?;
    let size = fs::metadata(&archive)?.len();
    println!("Lambda: {} ({:.1} MB)", archive.display(), size as f64 / 1e6);
    Ok(())
}

/// The executable, without embedded store and simulator.
fn binary(ws: &Workspace, arch: Arch) -> Result<PathBuf> {
    let target = arch.target();
    tools::rust_target(target)?;
    let clang = tools::clang()?;
    let variable = |prefix: &str| format!("{prefix}_{}", target.replace('-', "_"));
    let built = ws.target.join(target).join("lambda/outlast");
    if !built.exists() {
        println!("Lambda: the first build for {target} takes about 8 minutes on two cores");
    }
    process::run(
        process::cargo(&ws.root)
            .args([
                "build",
                "--profile",
                "lambda",
                "--package",
                "server",
                "--no-default-features",
                "--features",
                "lambda",
            ])
            .args(["--target", target])
            // ring's few files of C need no library; Rust brings what linking takes.
            .env(variable("CC"), clang)
            .env(variable("CARGO_TARGET").to_uppercase() + "_LINKER", "rust-lld"),
    )?;
    Ok(built)
}

/// The folder's files, in order and without times, so that the same files make the same archive.
fn zip(folder: &Path, archive: &Path) -> Result<()> {
    let fresh = archive.with_extension("new");
    let mut writer = ZipWriter::new(fs::File::create(&fresh)?);
    let mut names = Vec::new();
    files(folder, folder, &mut names)?;
    names.sort();
    for name in names {
        let runs = !name.starts_with("site/");
        // What is compressed already only costs time to unpack.
        let packed = [".br", ".gz", ".png"].iter().any(|end| name.ends_with(end));
        let options = SimpleFileOptions::default()
            .compression_method(if packed { CompressionMethod::Stored } else { CompressionMethod::Deflated })
            .compression_level((!packed).then_some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(if runs { 0o755 } else { 0o644 });
        writer.start_file(name.clone(), options)?;
        writer.write_all(&fs::read(folder.join(&name))?)?;
    }
    writer.finish()?;
    Ok(fs::rename(fresh, archive)?)
}

fn files(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(root, &path, names)?;
        } else {
            names.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Checks what no run shows: that nothing is in the executable that is not to be, and that it asks nothing of a system.
fn check(folder: &Path, archive: &Path) -> Result<()> {
    let bytes = fs::read(folder.join("outlast"))?;
    let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    for absent in ["SQLite format 3", "dynoxide", "/sim/calls", "GLIBC_"] {
        if has(absent) {
            return Err(format!("the Lambda executable holds {absent:?}").into());
        }
    }
    if !has("GetParametersByPath") {
        return Err("the Lambda executable is searched in vain: it ought to hold a name that it uses".into());
    }
    let size = fs::metadata(archive)?.len();
    if size > 10_000_000 {
        return Err(format!("dist/lambda/outlast.zip has {size} bytes, more than 10 MB").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive_and_what_runs_may_run() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("in");
        fs::create_dir_all(folder.join("site/pkg")).unwrap();
        for name in ["outlast", "run.sh", "site/pkg/a.js", "site/pkg/a.js.br"] {
            fs::write(folder.join(name), name.repeat(50)).unwrap();
        }
        let made: Vec<_> = ["one.zip", "two.zip"]
            .iter()
            .map(|name| {
                let archive = dir.path().join(name);
                zip(&folder, &archive).unwrap();
                fs::read(archive).unwrap()
            })
            .collect();
        assert_eq!(made[0], made[1]);
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&made[0])).unwrap();
        let names: Vec<_> = archive.file_names().map(str::to_owned).collect();
        assert_eq!(names.len(), 4);
        assert_eq!(archive.by_name("run.sh").unwrap().unix_mode().map(|m| m & 0o777), Some(0o755));
        assert_eq!(archive.by_name("site/pkg/a.js").unwrap().unix_mode().map(|m| m & 0o777), Some(0o644));
    }
}
