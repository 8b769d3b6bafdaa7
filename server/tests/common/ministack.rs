//! A real SQS API, one for a test binary: PyPI's `ministack`, started at first use, gone with it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::dynamodb::local::Local;

/// `OUTLAST_MINISTACK`, or `.tools/ministack` as `make test` links it.
fn program() -> PathBuf {
    let program = std::env::var_os("OUTLAST_MINISTACK").map_or_else(
        || Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../.tools/ministack"),
        PathBuf::from,
    );
    assert!(program.exists(), "no ministack at {}: run `make test`, or set OUTLAST_MINISTACK to it", program.display());
    program
}

/// Its address; starts it if it isn't running yet.
pub(crate) fn endpoint() -> &'static str {
    static STACK: OnceLock<Local> = OnceLock::new();
    &STACK.get_or_init(start).endpoint
}

fn start() -> Local {
    let program = program();
    let stack = Local::start(r#"GATEWAY_PORT="$0" "$MINISTACK""#, |shell| {
        shell.env("MINISTACK", &program);
    });
    stack.expect("ministack starts")
}
