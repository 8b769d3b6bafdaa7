//! A service that a test binary starts on a port of its own, and that ends with it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A service that answers.
pub(crate) struct Local {
    pub(crate) endpoint: String,
    // The shell waits for the end of its input, which comes when this process ends, however it does; then it ends the
    // service.
    _shell: Child,
}

impl Local {
    /// Starts `program`, shell words with `$0` for the port, and waits until it speaks HTTP. `None` if it does not.
    pub(crate) fn start(program: &str, prepare: impl Fn(&mut Command)) -> Option<Self> {
        let script =
            format!(r#"{program} >/dev/null 2>&1 </dev/null & service=$!; read _; kill "$service"; wait "$service""#);
        for _ in 0..3 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new("sh");
            command.args(["-c", &script, &port.to_string()]).stdin(Stdio::piped());
            prepare(&mut command);
            let mut shell = command.spawn().expect("a shell");
            if answers(port) {
                return Some(Self { endpoint: format!("http://127.0.0.1:{port}"), _shell: shell });
            }
            // The port was taken meanwhile, or something is missing: closing its input ends the shell.
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
        None
    }
}

/// Waits until it speaks HTTP.
fn answers(port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) {
            connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut answer = [0; 5];
            if connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").is_ok()
                && connection.read_exact(&mut answer).is_ok()
                && &answer == b"HTTP/"
            {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
