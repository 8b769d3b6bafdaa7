//! A real SQS API, one for a test binary: PyPI's `ministack`, started at first use, gone with it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// `OUTLAST_MINISTACK`, or `.tools/ministack` as `make test` links it.
fn program() -> PathBuf {
    let program = std::env::var_os("OUTLAST_MINISTACK")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/ministack"), PathBuf::from);
    assert!(program.exists(), "no ministack at {}: run `make test`, or set OUTLAST_MINISTACK to it", program.display());
    program
}

/// Its address; starts it if it isn't running yet.
pub(crate) fn endpoint() -> &'static str {
    static STACK: OnceLock<Stack> = OnceLock::new();
    &STACK.get_or_init(start).endpoint
}

struct Stack {
    endpoint: String,
    // The shell waits for the end of its input, which comes when this process ends, however it does.
    _shell: Child,
}

fn start() -> Stack {
    const SCRIPT: &str = r#"GATEWAY_PORT="$1" "$0" >/dev/null 2>&1 </dev/null & stack=$!; read _; kill "$stack"; wait"#;
    for _ in 0..3 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(program())
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        if answers(port) {
            return Stack { endpoint: format!("http://127.0.0.1:{port}"), _shell: shell };
        }
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
    panic!("ministack does not start");
}

/// Waits until it speaks HTTP.
fn answers(port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(90);
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
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
