//! Processes that end with the run, however it ends.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// A shell that kills what is on its list when its input ends: with this process, even if that is killed.
pub(crate) struct Watchdog {
    shell: Child,
    input: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    pub(crate) fn start() -> Arc<Self> {
        const SCRIPT: &str = r#"trap '' INT TERM
            while read -r word pid; do case $word in
                add) pids="$pids $pid " ;;
                gone) pids=$(echo "$pids" | sed "s/ $pid / /") ;;
            esac; done
            for pid in $pids; do kill -9 "$pid"; done"#;
        let mut shell = Command::new("sh").args(["-c", SCRIPT]).stdin(Stdio::piped()).spawn().unwrap();
        let input = Mutex::new(shell.stdin.take());
        Arc::new(Self { shell, input })
    }

    fn tell(&self, word: &str, pid: u32) {
        if let Some(input) = self.input.lock().unwrap().as_mut() {
            let _ = writeln!(input, "{word} {pid}");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.input.lock().unwrap() = None;
        let _ = self.shell.wait();
    }
}

/// A running program.
pub(crate) struct Process {
    child: Child,
    watchdog: Arc<Watchdog>,
}

impl Process {
    /// Starts it, with what it prints at the end of a file.
    pub(crate) fn start(command: &mut Command, log: &Path, watchdog: &Arc<Watchdog>) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        watchdog.tell("add", child.id());
        Self { child, watchdog: Arc::clone(watchdog) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name. Harmless if it has ended: it is waited for only here, so its id is still its own.
    pub(crate) fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).stderr(Stdio::null()).status();
    }

    /// Whether it ends by itself in time.
    pub(crate) async fn ends_within(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.ended().is_none() {
            if Instant::now() > until {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.watchdog.tell("gone", self.id());
    }
}
