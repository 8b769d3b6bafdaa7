//! A running simulator, for the checks that need one.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::Result;

/// How long it may take to listen.
const START: Duration = Duration::from_secs(10);

/// `outlast simulate` on a port of its own; ends when dropped.
pub(crate) struct Simulator {
    child: Child,
    addr: SocketAddr,
}

impl Simulator {
    /// Starts it, and returns when it listens.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        // A port that was free a moment ago.
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(binary)
            .args(["simulate", "--addr", &addr.to_string()])
            .spawn()
            .map_err(|e| format!("{} cannot be started: {e}", binary.display()))?;
        let mut simulator = Self { child, addr };
        let since = Instant::now();
        while TcpStream::connect(addr).is_err() {
            if let Some(status) = simulator.child.try_wait()? {
                return Err(format!("the simulator ended at its start ({status})").into());
            }
            if since.elapsed() > START {
                return Err(format!("the simulator does not listen on {addr}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(simulator)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // If it ended by itself there is nothing to do, and nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
