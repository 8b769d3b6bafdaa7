use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_lookup(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

/// Of `x`, hashed as cheaply as can be.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$5B62xwEfcm9KK2IFWnXXnyROOQWwWnM4dK6tzNmMmYU";

type Vars<'a> = &'a [(&'a str, &'a str)];

const LAMBDA: Vars = &[
    ("AWS_LAMBDA_FUNCTION_NAME", "outlast"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIA"),
    ("AWS_SECRET_ACCESS_KEY", "canary-aws"),
    ("AWS_SESSION_TOKEN", "canary-token"),
    ("ANTHROPIC_API_KEY", "canary-key"),
    ("OUTLAST_SECRET", "canary-secret-of-at-least-32-bytes"),
    ("OUTLAST_ACCESS", "open"),
    ("OUTLAST_DAILY_USD", "5"),
];

fn lambda(more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (more, base) = (more.to_vec(), LAMBDA.to_vec());
    read(&[more, base].concat())
}

#[test]
fn nothing_set_is_the_laptop() {
    let config = read(&[]).unwrap();
    assert_eq!(config.listen.addr.to_string(), "127.0.0.1:3000");
    assert_eq!(config.store.kind, StoreKind::Embedded);
    assert_eq!((config.store.table.as_str(), config.store.region.as_str()), ("outlast", "us-east-1"));
    assert_eq!(config.store.data_dir, PathBuf::from("./data"));
    assert_eq!((config.store.retention_days, config.store.credentials), (365, None));
    assert!(config.claude.simulated());
    assert_eq!((config.claude.model.as_str(), config.claude.max_tokens), ("claude-sonnet-5-5", None));
    assert_eq!(config.claude.thinking, Thinking::Off);
    let Turn { lease_ms, flush_ms, run_seconds, turn_minutes, stall_ms } = config.turn;
    assert_eq!((lease_ms, flush_ms, run_seconds, turn_minutes, stall_ms), (10_000, 300, None, 120, 60_000));
    assert_eq!(config.limits, Limits { max_prompt_chars: 200_000, max_body_bytes: 3_145_728, max_title_chars: 200 });
    assert!(config.signing.secrets.is_empty() && !config.lambda);
    // An empty value is none, as shells and templates leave them.
    assert_eq!(read(&[("OUTLAST_ADDR", ""), ("OUTLAST_SECRET", " "), ("ANTHROPIC_API_KEY", "")]), read(&[]));
}

#[test]
fn the_adapters_port_decides_under_it() {
    let port = |vars: &[(&str, &str)]| lambda(vars).unwrap().listen.addr.to_string();
    assert_eq!(port(&[]), "127.0.0.1:8080");
    assert_eq!(port(&[("PORT", "9000"), ("OUTLAST_ADDR", "127.0.0.1:1")]), "127.0.0.1:9000");
    assert_eq!(port(&[("PORT", "9000"), ("AWS_LWA_PORT", "9001")]), "127.0.0.1:9001");
    assert_eq!(port(&[("OUTLAST_ADDR", "127.0.0.1:7000")]), "127.0.0.1:7000");
    // Elsewhere `PORT` is somebody else's word.
    assert_eq!(read(&[("PORT", "9000")]).unwrap().listen.addr.port(), 3000);
    assert_eq!(read(&[("OUTLAST_ADDR", "[::1]:80")]).unwrap().listen.addr.to_string(), "[::1]:80");
}

#[test]
fn each_bad_value_is_named_with_its_fault_and_what_would_do() {
    let cases: &[(Vars, &str, &[&str])] = &[
        (&[("OUTLAST_ADDR", "localhost")], "OUTLAST_ADDR", &["localhost", "127.0.0.1:3000"]),
        (&[("OUTLAST_ADDR", ":3000")], "OUTLAST_ADDR", &[":3000"]),
        (&[("AWS_LWA_PORT", "0")], "AWS_LWA_PORT", &["65535"]),
        (&[("OUTLAST_STORE", "postgres")], "OUTLAST_STORE", &["postgres", "`embedded` or `dynamodb`"]),
        (&[("OUTLAST_STORE", "dynamodb")], "AWS_REGION", &["not set", "eu-central-1"]),
        (&[("OUTLAST_STORE", "dynamodb"), ("AWS_REGION", "x")], "AWS_ACCESS_KEY_ID", &["not set"]),
        (&[("AWS_ACCESS_KEY_ID", "x")], "AWS_SECRET_ACCESS_KEY", &["set both"]),
        (&[("AWS_SECRET_ACCESS_KEY", "canary")], "AWS_ACCESS_KEY_ID", &["set both"]),
        (&[("OUTLAST_TABLE", "a b")], "OUTLAST_TABLE", &["a b", "255"]),
        (&[("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000")], "AWS_ENDPOINT_URL_DYNAMODB", &["http://"]),
        (&[("ANTHROPIC_BASE_URL", "ftp://x")], "ANTHROPIC_BASE_URL", &["https://"]),
        (&[("ANTHROPIC_BASE_URL", "https://me:canary@x")], "ANTHROPIC_BASE_URL", &["password"]),
        (&[("ANTHROPIC_API_KEY", "canary key")], "ANTHROPIC_API_KEY", &["space"]),
        (&[("OUTLAST_SECRET", "canary")], "OUTLAST_SECRET", &["6 bytes", "32"]),
        (&[("OUTLAST_SECRET", "canary-secret-of-at-least-32-bytes,")], "OUTLAST_SECRET", &["secret 2 of 2"]),
        (&[("OUTLAST_LEASE_MS", "999")], "OUTLAST_LEASE_MS", &["999", "1000"]),
        (&[("OUTLAST_LEASE_MS", "ten")], "OUTLAST_LEASE_MS", &["ten"]),
        (&[("OUTLAST_FLUSH_MS", "3334")], "OUTLAST_FLUSH_MS", &["3334", "third", "3333"]),
        (&[("OUTLAST_FLUSH_MS", "0")], "OUTLAST_FLUSH_MS", &["from 1"]),
        (&[("OUTLAST_RUN_SECONDS", "-1")], "OUTLAST_RUN_SECONDS", &["-1"]),
        (&[("OUTLAST_TURN_MINUTES", "0")], "OUTLAST_TURN_MINUTES", &["from 1"]),
        (&[("OUTLAST_STALL_MS", "1.5")], "OUTLAST_STALL_MS", &["whole number"]),
        (&[("OUTLAST_MAX_TOKENS", "0")], "OUTLAST_MAX_TOKENS", &["from 1"]),
        (&[("OUTLAST_THINKING", "on")], "OUTLAST_THINKING", &["`off` or `adaptive`"]),
        (&[("OUTLAST_RETENTION_DAYS", "0")], "OUTLAST_RETENTION_DAYS", &["days"]),
        (&[("OUTLAST_MAX_BODY_BYTES", "1")], "OUTLAST_MAX_BODY_BYTES", &["bytes"]),
        (&[("OUTLAST_MAX_PROMPT_CHARS", "x\ny")], "OUTLAST_MAX_PROMPT_CHARS", &["characters"]),
        (&[("OUTLAST_MAX_TITLE_CHARS", "0")], "OUTLAST_MAX_TITLE_CHARS", &["characters"]),
        (&[("OUTLAST_ACCESS", "closed")], "OUTLAST_ACCESS", &["closed", "`open` or `code`"]),
        (&[("OUTLAST_ACCESS", "code")], "OUTLAST_ACCESS_CODE_HASH", &["not set", "outlast hash"]),
        (
            &[("OUTLAST_ACCESS", "code"), ("OUTLAST_ACCESS_CODE_HASH", "canary")],
            "OUTLAST_ACCESS_CODE_HASH",
            &["argon2id"],
        ),
        (&[("OUTLAST_ACCESS_CODE_HASH", HASH)], "OUTLAST_ACCESS", &["not set", "`code`"]),
        (&[("OUTLAST_ADMIN_PASSWORD_HASH", "canary")], "OUTLAST_ADMIN_PASSWORD_HASH", &["outlast hash", "quotes"]),
        (&[("OUTLAST_DAILY_USD", "free")], "OUTLAST_DAILY_USD", &["free", "2.50"]),
        (&[("OUTLAST_DAILY_USD_USER", "-1")], "OUTLAST_DAILY_USD_USER", &["-1"]),
        (&[("OUTLAST_DAILY_USD", "NaN")], "OUTLAST_DAILY_USD", &["NaN"]),
        (&[("OUTLAST_TURNS_A_MINUTE", "x")], "OUTLAST_TURNS_A_MINUTE", &["turns"]),
        (&[("OUTLAST_TURNS_A_MINUTE_ADDRESS", "-1")], "OUTLAST_TURNS_A_MINUTE_ADDRESS", &["-1"]),
        (&[("OUTLAST_RUNNING_TURNS", "1.5")], "OUTLAST_RUNNING_TURNS", &["1.5"]),
        (&[("OUTLAST_LOG", "xml")], "OUTLAST_LOG", &["`json` or `text`"]),
    ];
    for (vars, variable, words) in cases {
        let error = read(vars).unwrap_err();
        let line = error.to_string();
        assert_eq!(error.variable, *variable, "{line}");
        assert!(words.iter().all(|w| line.contains(w)), "{line}");
        assert!(!line.contains('\n') && !line.contains("canary"), "{line}");
    }
}

#[test]
fn lambda_demands_what_it_cannot_make_up() {
    let config = lambda(&[]).unwrap();
    assert_eq!((config.store.kind, config.turn.run_seconds), (StoreKind::DynamoDb, None));
    let without = |name: &str| {
        let vars: Vec<_> = LAMBDA.iter().filter(|(n, _)| *n != name).copied().collect();
        read(&vars).unwrap_err().variable
    };
    assert_eq!(without("OUTLAST_SECRET"), "OUTLAST_SECRET");
    assert_eq!(without("ANTHROPIC_API_KEY"), "ANTHROPIC_API_KEY");
    assert_eq!(without("AWS_REGION"), "AWS_REGION");
    // Nobody is to find an open door to somebody's key by accident.
    assert_eq!(without("OUTLAST_ACCESS"), "OUTLAST_ACCESS");
    assert_eq!(without("OUTLAST_DAILY_USD"), "OUTLAST_DAILY_USD");
    assert_eq!(lambda(&[("OUTLAST_STORE", "embedded")]).unwrap_err().variable, "OUTLAST_STORE");
}

#[test]
fn limits_are_for_those_who_can_be_reached() {
    assert_eq!(read(&[]).unwrap().pace, Pace::default());
    assert_eq!(read(&[("OUTLAST_ADDR", "0.0.0.0:3000")]).unwrap().pace, Pace::PUBLIC);
    assert_eq!(lambda(&[]).unwrap().pace, Pace::PUBLIC);
    // Whoever sets a cap means others to come, though it may be through a proxy on this machine.
    let behind = Pace { address: None, ..Pace::PUBLIC };
    assert_eq!(read(&[("OUTLAST_DAILY_USD", "5")]).unwrap().pace, behind);
    let pace = lambda(&[("OUTLAST_TURNS_A_MINUTE", "0"), ("OUTLAST_RUNNING_TURNS", "2")]).unwrap().pace;
    assert_eq!(pace, Pace { user: None, running: Some(2), ..Pace::PUBLIC });
    assert_eq!(read(&[("OUTLAST_RUNNING_TURNS", "2")]).unwrap().pace.running, Some(2));
    let caps = read(&[("OUTLAST_DAILY_USD", "2.50"), ("OUTLAST_DAILY_USD_USER", "0.0001")]).unwrap().caps;
    assert_eq!(caps, Caps { all: Some(2_500_000), user: Some(100) });
    let access = read(&[("OUTLAST_ACCESS", "code"), ("OUTLAST_ACCESS_CODE_HASH", HASH)]).unwrap().access;
    assert!(access.code.is_some() && access.admin.is_none());
    assert!(read(&[("OUTLAST_ACCESS", "open"), ("OUTLAST_ACCESS_CODE_HASH", HASH)]).unwrap().access.code.is_none());
}

#[test]
fn values_are_taken_as_given() {
    let config = lambda(&[
        ("OUTLAST_SECRET", "first-secret-of-at-least-32-bytes!!, second-secret-of-at-least-32-bytes"),
        ("OUTLAST_LEASE_MS", "1000"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8000/"),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/v/"),
    ])
    .unwrap();
    let secrets: Vec<_> = config.signing.secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["first-secret-of-at-least-32-bytes!!", "second-secret-of-at-least-32-bytes"]);
    assert_eq!(config.store.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
    assert_eq!(config.claude.base_url.as_deref(), Some("http://127.0.0.1:9/v"));
    // The default of one follows the other, rather than being refused.
    assert_eq!(config.turn.flush_ms, 300);
    assert!(!config.claude.simulated());
}

#[test]
fn debug_output_holds_no_secret() {
    let text = format!("{:?}", lambda(&[]).unwrap());
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn the_readme_has_the_same_table() {
    let readme = std::fs::read_to_string(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../README.md").unwrap();
    for (name, ..) in VARIABLES {
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert!(row.is_some(), "README.md's table has no row for {name}");
    }
    let known = |word: &str| VARIABLES.iter().any(|(name, ..)| *name == word);
    let words = readme.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    for word in words.filter(|w| w.starts_with("OUTLAST_")) {
        assert!(known(word), "README.md names {word}, which the server does not read");
    }
}

#[test]
fn every_variable_that_is_read_is_in_the_table() {
    let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
    for base in [&[][..], LAMBDA] {
        Config::from_lookup(|name| {
            asked.borrow_mut().insert(name.to_owned());
            base.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
        .unwrap();
    }
    // Read before all others, where secrets are to be found elsewhere.
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        let secrets = [("OUTLAST_SECRETS_PATH", "/outlast/chat")];
        secrets.iter().chain(LAMBDA).find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    };
    assert!(Reader::new(&lookup).secrets().unwrap().is_some());
    let table: std::collections::BTreeSet<_> = VARIABLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(asked.into_inner(), table);
}
