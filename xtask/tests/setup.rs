//! What is missing is said in one line, or fetched. Every program here is a stand-in on a PATH of the test's own, so
//! that nothing is installed and it does not matter what this machine has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Programs of the system that the scripts use; everything else must be put there by the test.
const SYSTEM: &[&str] = &["sh", "sed", "dirname", "sort", "head", "printf", "cat", "chmod"];

/// A machine with nothing but what is put on it.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn bare() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.bin()).unwrap();
        for name in SYSTEM {
            let real = ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
            symlink(real.unwrap(), machine.bin().join(name)).unwrap();
        }
        machine
    }

    /// With all that `setup` looks for, as far as it looks.
    fn complete() -> Self {
        let machine = Self::bare();
        machine.has("node", "echo v22.1.0");
        machine.has("npm", "echo 10.0.0");
        machine.has("java", "echo 'openjdk version \"21.0.2\"' >&2");
        machine.has("chromium", "");
        // A Python as Debian has it: without venv. So every set-up ends there, and nothing is fetched.
        machine.has("python3", "[ \"$1\" = --version ] && echo Python 3.12.0");
        machine.has("id", "echo 1000");
        machine
    }

    fn bin(&self) -> std::path::PathBuf {
        self.folder.path().join("bin")
    }

    fn has(&self, program: &str, script: &str) {
        // Written by another process: while this one has it open, a test beside may start a program that inherits the
        // open file, and the kernel refuses to run a file that somebody may still write.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"";
        let path = self.bin().join(program);
        assert!(Command::new("/bin/sh").args(["-c", write, "sh"]).arg(path).arg(script).status().unwrap().success());
    }

    fn lacks(&self, program: &str) {
        fs::remove_file(self.bin().join(program)).unwrap();
    }

    /// Root, with an apt-get that notes what it is asked for and puts `script` there as `program`.
    fn installs(&self, program: &str, script: &str) {
        let [bin, log] = ["bin", "apt"].map(|name| self.folder.path().join(name).display().to_string());
        self.has("id", "echo 0");
        self.has(
            "apt-get",
            &format!(
                "echo \"$@\" >> {log}\n[ \"$1\" = install ] || exit 0\n\
                 cat > {bin}/{program} <<'END'\n#!/bin/sh\n{script}\nEND\nchmod +x {bin}/{program}"
            ),
        );
    }

    fn installed(&self) -> String {
        fs::read_to_string(self.folder.path().join("apt")).unwrap_or_default()
    }

    fn run(&self, command: &mut Command) -> Output {
        command
            .env("PATH", self.bin())
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path())
            .env("OUTLAST_DYNAMODB_LOCAL", self.folder.path())
            .env_remove("OUTLAST_CHROMIUM")
            .output()
            .unwrap()
    }

    /// Runs `xtask`, which must fail with one line, and returns that line.
    fn fails(&self, args: &[&str]) -> String {
        one_line(&self.run(Command::new(env!("CARGO_BIN_EXE_xtask")).args(args)))
    }

    /// Runs what stands before every `make` target, which must fail with one line, and returns that line.
    fn needs_rust(&self) -> String {
        let script = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../scripts/need-rust.sh");
        one_line(&self.run(Command::new("/bin/sh").arg(script)))
    }
}

fn one_line(out: &Output) -> String {
    let said = String::from_utf8(out.stderr.clone()).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().strip_prefix("error: ").unwrap().to_owned()
}

#[test]
fn rust_and_a_c_compiler() {
    let machine = Machine::bare();
    assert!(machine.needs_rust().starts_with("Rust is missing: https://rustup.rs installs it"));
    machine.has("cargo", "");
    assert_eq!(machine.needs_rust(), "rustc does not start: `rustup default stable` may mend it");
    machine.has("rustc", "echo 'rustc 1.9.0 (abc 2016-05-23)'");
    assert!(machine.needs_rust().starts_with("Rust 1.9.0 is too old: version 1."));
    machine.has("rustc", "echo 'rustc 1.999.0 (abc 2096-05-23)'");
    assert_eq!(machine.needs_rust(), "a C compiler is missing (Debian and Ubuntu: apt-get install build-essential)");
    machine.has("cc", "");
    let script = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../scripts/need-rust.sh");
    let out = machine.run(Command::new("/bin/sh").arg(script));
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
}

#[test]
fn the_target_for_the_browser() {
    let machine = Machine::bare();
    machine.has("rustc", &format!("echo {}", machine.folder.path().display()));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let out = machine.run(command.arg("run").env("OUTLAST_ADDR", free.to_string()));
    assert_eq!(
        one_line(&out),
        "Rust's target wasm32-unknown-unknown is missing, and there is no rustup to fetch it with"
    );
}

#[test]
fn node_and_npm() {
    let machine = Machine::complete();
    let missing = "Node 20 or later with npm is missing (the tests need it; Debian: nodejs, npm)";
    machine.lacks("npm");
    assert_eq!(machine.fails(&["setup"]), missing);
    machine.has("npm", "echo 10.0.0");
    machine.has("node", "echo v18.20.4");
    assert_eq!(machine.fails(&["setup"]), missing);
    machine.lacks("node");
    assert_eq!(machine.fails(&["setup"]), missing);
}

#[test]
fn python_and_its_venv() {
    let machine = Machine::complete();
    assert_eq!(
        machine.fails(&["setup"]),
        "Python's venv module is missing; Debian and Ubuntu: apt-get install python3-venv"
    );
    machine.lacks("python3");
    assert_eq!(machine.fails(&["setup"]), "Python 3 is missing (the tests need it; Debian: python3, python3-venv)");
}

#[test]
fn java_is_asked_for_or_installed() {
    let machine = Machine::complete();
    let asked = "Java 17 or later is missing (DynamoDB Local needs it); \
                 Debian and Ubuntu: apt-get install openjdk-17-jre-headless";
    machine.has("java", "echo 'openjdk version \"11.0.2\"' >&2");
    assert_eq!(machine.fails(&["setup"]), asked);
    machine.lacks("java");
    assert_eq!(machine.fails(&["setup"]), asked);
    machine.installs("java", "echo 'openjdk version \"17.0.15\"' >&2");
    let said = machine.fails(&["setup"]);
    assert!(said.starts_with("`python3 -m venv` failed"), "it went on to the next thing: {said}");
    assert!(machine.installed().contains("install -y -qq --no-install-recommends openjdk-17-jre-headless\n"));
}

#[test]
fn chromium_is_asked_for_or_installed() {
    let machine = Machine::complete();
    machine.lacks("chromium");
    assert_eq!(
        machine.fails(&["setup"]),
        "Chromium is missing (the browser tests need it; OUTLAST_CHROMIUM may name one); \
         Debian and Ubuntu: apt-get install chromium"
    );
    let mut named = Command::new(env!("CARGO_BIN_EXE_xtask"));
    named.arg("setup").env("PATH", machine.bin()).env("OUTLAST_CHROMIUM", "/nowhere/chromium");
    named.env("XDG_CACHE_HOME", machine.folder.path()).env("OUTLAST_DYNAMODB_LOCAL", machine.folder.path());
    assert_eq!(one_line(&named.output().unwrap()), "OUTLAST_CHROMIUM names /nowhere/chromium, which is not there");
    machine.installs("chromium", "");
    machine.fails(&["setup"]);
    assert!(machine.installed().contains("--no-install-recommends chromium\n"));
}

#[test]
fn an_installation_that_fails_says_what_was_missing() {
    let machine = Machine::complete();
    machine.lacks("java");
    machine.installs("java", "");
    machine.has("apt-get", "echo E: no network >&2; exit 100");
    assert_eq!(
        machine.fails(&["setup"]),
        "Java 17 or later is missing (DynamoDB Local needs it), and installing openjdk-17-jre-headless failed: \
         `apt-get update -qq` failed (exit status: 100): E: no network"
    );
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let said = one_line(&Machine::bare().run(command.arg("run").env("OUTLAST_ADDR", &addr)));
    assert_eq!(said, format!("{addr} is taken by another program; choose one with OUTLAST_ADDR=127.0.0.1:3001"));
}
