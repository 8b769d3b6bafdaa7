//! A hash over source files: the reason not to build again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::Result;

/// Every file under `paths` (files or folders, relative to `root`), sorted; what is missing is left out.
pub(crate) fn files(root: &Path, paths: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        walk(&root.join(path), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), found)?;
        }
    } else if path.is_file() {
        found.push(path.to_owned());
    }
    Ok(())
}

/// One hash over `salt` and the names and contents of the files.
pub(crate) fn hash(root: &Path, paths: &[&str], salt: &str) -> Result<String> {
    let mut sha = Sha256::new();
    sha.update(salt);
    for file in files(root, paths)? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        let bytes = fs::read(&file)?;
        // Lengths first, so that no two different trees give the same stream of bytes.
        sha.update((name.len() as u64).to_le_bytes());
        sha.update(name);
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    }
    Ok(hex(&sha.finalize()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_moves_with_content_name_and_salt_and_with_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let now = |salt: &str| hash(dir.path(), &["a", "missing", "b.txt"], salt).unwrap();
        put("a/one", "1");
        put("a/deep/two", "2");
        put("b.txt", "b");
        put("c.txt", "not asked for");
        let first = now("s");
        put("c.txt", "changed");
        put("a/one", "1");
        assert_eq!(now("s"), first);
        assert_ne!(now("t"), first);
        put("a/one", "12");
        assert_ne!(now("s"), first);
        put("a/one", "1");
        fs::rename(dir.path().join("a/one"), dir.path().join("a/uno")).unwrap();
        assert_ne!(now("s"), first);
    }
}
