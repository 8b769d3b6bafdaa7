//! The secret that a laptop's server makes for itself: without it every restart would make everybody a new user.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{clock, config::Secret};

/// Reads `secret` in the data directory, and makes both (0600 and 0700) where they are not there yet.
///
/// # Errors
/// If it can be neither read nor made, or is no secret.
pub fn load_or_create(dir: &Path) -> io::Result<Secret> {
    let make = || Some(URL_SAFE_NO_PAD.encode(clock::random::<48>()));
    kept(dir, "secret", make).map(Secret::new)
}

/// The file of the data directory that holds the hash of the admin's password.
pub const ADMIN: &str = "admin-password-hash";

/// Reads a file of the data directory, and makes both (0600 and 0700) where they are not there yet.
///
/// # Errors
/// If it can be neither read nor made, or is too short to be what it ought to be.
pub fn kept(dir: &Path, name: &str, make: impl FnOnce() -> Option<String>) -> io::Result<String> {
    let path = dir.join(name);
    if let Some(text) = read(&path)? {
        return Ok(text);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let text = make().ok_or_else(|| io::Error::other("it cannot be made up"))?;
    // Whole under a name of its own first, then linked: of two servers that start together one's secret wins, and
    // neither ever reads half a file.
    let draft = dir.join(format!("{name}.{:032x}", clock::random_u128()));
    let made = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&draft, &path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    })();
    let _ = fs::remove_file(&draft);
    made?;
    read(&path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 32 => Ok(Some(text.trim().to_owned())),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "shorter than 32 bytes; delete it to get a new one")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("data");
        let first = load_or_create(&dir).unwrap();
        assert!(first.expose().len() >= 32);
        assert_eq!(load_or_create(&dir).unwrap(), first);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("secret"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn of_servers_that_start_together_all_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| load_or_create(dir.path()).unwrap())).collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|s| *s == secrets[0]));
    }

    #[test]
    fn a_broken_file_is_an_error_not_a_new_secret() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), "short").unwrap();
        assert_eq!(load_or_create(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
