//! The browser's half: WebAssembly, its JavaScript glue, the style sheet and the public files, as one folder that
//! the server serves as it is.
//!
//! ```text
//! DIR/assets.txt             what the page links to, a kind and a path a line
//! DIR/pkg/<hash>/…           named by content, so cached for ever; .br and .gz beside each file
//! DIR/favicon.svg …          everything in public/
//! ```

use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::{Result, css, inputs, process, tools, workspace::Workspace};

/// What the site is made of: if none of it changed, neither did the site.
pub(crate) const INPUTS: &[&str] = &["Cargo.toml", "Cargo.lock", "app", "frontend", "style", "public", "xtask"];

/// Named by xtask in the development loop; the page of a `--dev` site reloads itself when it changes.
pub(crate) const DEV_STAMP: &str = "pkg/dev-stamp";

const BOOT: &str = "import init,{hydrate} from './outlast.js';\
init({module_or_path:new URL('./outlast_bg.wasm',import.meta.url)}).then(hydrate);\n";

/// Only in a `--dev` site: asks every second whether a newer one stands there. No server code is part of it.
const RELOAD: &str = "\
let seen;
setInterval(async () => {
  try {
    const answer = await fetch('/pkg/dev-stamp', { cache: 'no-store' });
    const now = answer.ok ? await answer.text() : seen;
    if (seen !== undefined && now !== seen) location.reload();
    seen = now;
  } catch { /* the server is starting again */ }
}, 1000);
";

/// How much care goes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Small, compressed.
    Release,
    /// Quick to build, uncompressed, reloads itself.
    Dev,
}

/// Builds the site into `out`, or does nothing if it stands there already, made from the same sources.
///
/// # Errors
/// One line, if the WASM target is missing, the compiler refuses, or `out` holds something that is not a site.
pub(crate) fn build(out: &Path, profile: Profile) -> Result<()> {
    let ws = Workspace::find()?;
    let rustc = process::version("rustc", "--version").unwrap_or_default();
    let stamp = inputs::hash(&ws.root, INPUTS, &format!("{profile:?} {rustc}"))?;
    if fs::read_to_string(out.join(".stamp")).is_ok_and(|s| s == stamp) {
        println!("Site: unchanged.");
        return Ok(());
    }
    if out.exists() && !out.join("assets.txt").exists() && fs::read_dir(out)?.next().is_some() {
        return Err(format!("{} holds something that is not a site; it is left alone", out.display()).into());
    }
    tools::wasm_target()?;
    let wasm_path = compile(&ws, profile)?;

    let started = Instant::now();
    let mut bindgen = Bindgen::new();
    let mut bound = bindgen
        .web(true)?
        .input_path(&wasm_path)
        .out_name("outlast")
        .typescript(false)
        .debug(profile == Profile::Dev)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate_output()?;
    if !bound.local_modules().is_empty() || bound.snippets().values().any(|s| !s.is_empty()) {
        return Err("a crate brings JavaScript snippets, which the site does not carry".into());
    }
    let boot = if profile == Profile::Dev { format!("{BOOT}{RELOAD}") } else { BOOT.to_owned() };
    let files = [
        ("outlast_bg.wasm", bound.wasm_mut().emit_wasm()),
        ("outlast.js", bound.js().as_bytes().to_vec()),
        ("boot.js", boot.into_bytes()),
        ("outlast.css", stylesheet(&ws.root.join("style"))?.into_bytes()),
        ("desk.css", stylesheet(&ws.root.join("style/desk"))?.into_bytes()),
    ];

    // Beside its place first, so that nobody ever finds half a site.
    let fresh = out.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let hash = content_hash(&files);
    let pkg = fresh.join("pkg").join(&hash);
    fs::create_dir_all(&pkg)?;
    let mut manifest = String::new();
    let mut total = 0;
    for ((name, bytes), kind) in files.iter().zip(["wasm", "js", "boot", "css", "desk"]) {
        manifest.push_str(&format!("{kind} pkg/{hash}/{name}\n"));
        fs::write(pkg.join(name), bytes)?;
        match profile {
            Profile::Dev => println!("  {name:<16} {:>9} bytes", bytes.len()),
            Profile::Release => {
                let (br, gz) = (brotli(bytes)?, gzip(bytes)?);
                println!("  {name:<16} {:>9} bytes {:>8} br {:>8} gz", bytes.len(), br.len(), gz.len());
                // The chat does without it.
                total += if kind == "desk" { 0 } else { br.len() };
                fs::write(pkg.join(format!("{name}.br")), br)?;
                fs::write(pkg.join(format!("{name}.gz")), gz)?;
            }
        }
    }
    copy_public(&ws.root.join("public"), &fresh)?;
    fs::write(fresh.join("assets.txt"), manifest)?;
    fs::write(fresh.join(".stamp"), stamp)?;
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::rename(&fresh, out)?;
    if total > 0 {
        println!("  first load       {:>9} bytes in brotli", total);
    }
    println!("Site: {} ({}).", out.display(), seconds(started.elapsed()));
    Ok(())
}

/// `12.3 s`.
pub(crate) fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

fn compile(ws: &Workspace, profile: Profile) -> Result<std::path::PathBuf> {
    let (name, folder) = match profile {
        Profile::Release => ("wasm-release", "wasm-release"),
        Profile::Dev => ("dev", "debug"),
    };
    println!("Site: compiling for the browser (the first time about 3 minutes of CPU, later seconds)");
    process::run(process::cargo(&ws.root).args([
        "build",
        "--package",
        "frontend",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        name,
    ]))?;
    Ok(ws.target.join("wasm32-unknown-unknown").join(folder).join("frontend.wasm"))
}

/// `tokens.css`, then the folder's other sheets by name: the order of the cascade.
fn stylesheet(folder: &Path) -> Result<String> {
    let mut sheets = inputs::files(folder, &["."])?;
    sheets.retain(|f| f.extension().is_some_and(|e| e == "css") && f.parent() == Some(folder));
    sheets.sort_by_key(|f| (!f.ends_with("tokens.css"), f.clone()));
    let mut all = String::new();
    for sheet in sheets {
        all.push_str(&fs::read_to_string(sheet)?);
        all.push('\n');
    }
    Ok(css::minify(&all))
}

fn copy_public(from: &Path, to: &Path) -> Result<()> {
    for file in inputs::files(from, &["."])? {
        let target = to.join(file.strip_prefix(from.join("."))?);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&file, target)?;
    }
    Ok(())
}

/// Sixteen hexadecimal digits over everything in the folder: the parts refer to each other by plain names, so they
/// change their address together.
fn content_hash(files: &[(&str, Vec<u8>)]) -> String {
    let mut sha = Sha256::new();
    for (name, bytes) in files {
        sha.update(name);
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    }
    let mut hex = inputs::hex(&sha.finalize());
    hex.truncate(16);
    hex
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    {
        let mut writer = brotli::CompressorWriter::new(&mut out, 1 << 16, 11, 22);
        writer.write_all(bytes)?;
    }
    Ok(out)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let text = "one two three ".repeat(1000).into_bytes();
        let mut back = Vec::new();
        brotli::Decompressor::new(brotli(&text).unwrap().as_slice(), 4096).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
        back.clear();
        flate2::read::GzDecoder::new(gzip(&text).unwrap().as_slice()).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn the_tokens_lead_the_cascade() {
        let dir = tempfile::tempdir().unwrap();
        let style = dir.path().join("style");
        fs::create_dir_all(style.join("desk")).unwrap();
        fs::write(style.join("desk/b.css"), "b{}").unwrap();
        for (name, text) in [("a.css", "a{}"), ("tokens.css", ":root{}"), ("z.css", "z{}"), ("notes.txt", "no")] {
            fs::write(style.join(name), text).unwrap();
        }
        assert_eq!(stylesheet(&style).unwrap(), ":root{}a{}z{}");
        assert_eq!(stylesheet(&style.join("desk")).unwrap(), "b{}");
    }

    #[test]
    fn one_changed_file_moves_the_whole_folder() {
        let a = content_hash(&[("x", b"1".to_vec()), ("y", b"2".to_vec())]);
        assert_eq!(a.len(), 16);
        assert_ne!(a, content_hash(&[("x", b"1".to_vec()), ("y", b"3".to_vec())]));
        assert_ne!(a, content_hash(&[("x", b"12".to_vec()), ("y", b"".to_vec())]));
    }
}
