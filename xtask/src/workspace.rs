//! Where things are: the repository, and the folder that cargo builds into.

use std::path::{Path, PathBuf};

use crate::{Result, process, site::Profile};

/// The two folders every step needs.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever `CARGO_TARGET_DIR` or a cargo configuration put it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo. Fails outside the repository, or where cargo is broken.
    pub(crate) fn find() -> Result<Self> {
        // As it is now: two clones with one target folder share this executable, whichever of them compiled it.
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&xtask).parent().ok_or("xtask stands in no repository")?.to_owned();
        let json = process::output(process::cargo(&root).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ]))?;
        let metadata: serde_json::Value = serde_json::from_str(&json)?;
        let target = metadata["target_directory"].as_str().ok_or("`cargo metadata` names no target_directory")?;
        Ok(Self { target: PathBuf::from(target), root })
    }

    /// Cargo's output folder for native builds of `profile`.
    pub(crate) fn native(&self, profile: Profile) -> PathBuf {
        self.target.join(match profile {
            Profile::Release => "release",
            Profile::Dev => "debug",
        })
    }

    /// The server's binary.
    pub(crate) fn binary(&self, profile: Profile) -> PathBuf {
        self.native(profile).join("outlast")
    }

    /// The site, beside the binary, where the server looks for it.
    pub(crate) fn site(&self, profile: Profile) -> PathBuf {
        self.native(profile).join("site")
    }
}
