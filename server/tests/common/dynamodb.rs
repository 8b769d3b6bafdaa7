//! Amazon's DynamoDB Local, one for a test binary: started at first use, gone with it.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The folder with `DynamoDBLocal.jar`: `OUTLAST_DYNAMODB_LOCAL`, or `.tools/dynamodb` as `make test` unpacks it.
fn folder() -> PathBuf {
    let folder = std::env::var_os("OUTLAST_DYNAMODB_LOCAL")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/dynamodb"), PathBuf::from);
    assert!(
        folder.join("DynamoDBLocal.jar").exists(),
        "no DynamoDBLocal.jar in {}: run `make test`, or set OUTLAST_DYNAMODB_LOCAL to its folder",
        folder.display()
    );
    folder
}

/// Its URL; starts it if it isn't running yet. Everything is kept in memory, and each test makes a table of its own.
pub(crate) fn endpoint() -> &'static str {
    static LOCAL: OnceLock<Local> = OnceLock::new();
    &LOCAL.get_or_init(start).endpoint
}

struct Local {
    endpoint: String,
    // The shell waits for the end of its input, which comes when this process ends, however it does; then it ends
    // Java.
    _shell: Child,
}

fn start() -> Local {
    const SCRIPT: &str = r#"java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -disableTelemetry -port "$0" \
        >/dev/null 2>&1 </dev/null & java=$!; read _; kill "$java"; wait "$java""#;
    for _ in 0..3 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, &port.to_string()])
            .current_dir(folder())
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        if answers(port) {
            return Local { endpoint: format!("http://127.0.0.1:{port}"), _shell: shell };
        }
        // The port was taken meanwhile, or Java is missing: closing its input ends the shell.
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
    panic!("DynamoDB Local does not start: is Java 17 installed?");
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
