use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_lookup(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

type Vars<'a> = &'a [(&'a str, &'a str)];

const LAMBDA: Vars = &[
    ("AWS_LAMBDA_FUNCTION_NAME", "outlast"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIA"),
    ("AWS_SECRET_ACCESS_KEY", "canary-aws"),
    ("AWS_SESSION_TOKEN", "canary-token"),
    ("ANTHROPIC_API_KEY", "canary-key"),
    ("OUTLAST_SECRET", "canary-secret-of-at-least-32-bytes"),
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
    assert_eq!(lambda(&[("OUTLAST_STORE", "embedded")]).unwrap_err().variable, "OUTLAST_STORE");
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
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
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
    let table: std::collections::BTreeSet<_> = VARIABLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(asked.into_inner(), table);
}
