//! Fixtures, put into a table as they are.

use std::{fs, path::Path};

use app::domain::{SessionId, TurnId, UserId};
use serde_json::Value;

use crate::{
    raw::{client, item, put},
    rig::Rig,
};

/// A turn that somebody else's version left.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) expect: Value,
    pub(crate) turn: TurnId,
    pub(crate) session: SessionId,
    pub(crate) owner: UserId,
    items: Vec<Value>,
}

impl Fixture {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.expect.get(name).and_then(Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.expect[name].as_u64().unwrap_or_else(|| panic!("{}: {name}", self.name)) as usize
    }

    pub(crate) async fn put(&self, rig: &Rig) {
        let client = client(&rig.endpoint, "local");
        for value in &self.items {
            put(&client, &rig.table, item(value)).await;
        }
    }
}

/// All of a folder of `tests/fixtures/logs`.
pub(crate) fn all(folder: &str) -> Vec<Fixture> {
    let dir = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/fixtures/logs").join(folder);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Fixture {
    let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let items = value["items"].as_array().unwrap().clone();
    let of = |sk: &str| items.iter().find(|i| i["sk"]["S"].as_str().unwrap().starts_with(sk)).unwrap();
    let turn = of("TURN");
    Fixture {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        expect: value["expect"].clone(),
        turn: turn["pk"]["S"].as_str().unwrap().trim_start_matches("TURN#").parse().unwrap(),
        session: turn["session"]["S"].as_str().unwrap().parse().unwrap(),
        owner: turn["owner"]["S"].as_str().unwrap().parse().unwrap(),
        items,
    }
}
