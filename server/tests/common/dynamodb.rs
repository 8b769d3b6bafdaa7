//! Amazon's DynamoDB Local, one for a test binary: started at first use, gone with it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

#[path = "local.rs"]
pub(crate) mod local;

use self::local::Local;

/// The folder with `DynamoDBLocal.jar`: `OUTLAST_DYNAMODB_LOCAL`, or `.tools/dynamodb` as `make test` unpacks it.
fn folder() -> PathBuf {
    let folder = std::env::var_os("OUTLAST_DYNAMODB_LOCAL").map_or_else(
        || Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../.tools/dynamodb"),
        PathBuf::from,
    );
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

fn start() -> Local {
    const JAVA: &str = r#"java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -disableTelemetry -port "$0""#;
    let folder = folder();
    let local = Local::start(JAVA, |shell| {
        shell.current_dir(&folder);
    });
    local.expect("DynamoDB Local starts: is Java 17 installed?")
}
