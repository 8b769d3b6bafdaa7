//! The table itself, item by item, past everything that reads it otherwise.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};

use crate::{
    ledger::{Kind, Wrong},
    servers::REGION,
};

/// What is wrong with its items as such: each has a TTL, and of each log all keys are there.
pub(crate) async fn check(engine: &str, table: &str) -> Vec<Wrong> {
    let items = scan(engine, table).await;
    let mut wrongs = judge(&items);
    if items.is_empty() {
        wrongs.push(Wrong::new(Kind::Rule, "there is nothing in the table"));
    }
    wrongs
}

type Item = HashMap<String, AttributeValue>;

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|v| v.as_s().ok()).map_or("", String::as_str)
}

fn judge(items: &[Item]) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    let mut logs: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for item in items {
        let (pk, sk) = (text(item, "pk"), text(item, "sk"));
        if item.get("ttl").and_then(|v| v.as_n().ok()).and_then(|n| n.parse::<u64>().ok()).is_none_or(|ttl| ttl == 0) {
            wrongs.push(Wrong::new(Kind::Rule, format!("{pk} {sk} has no TTL")));
        }
        if let Some(seq) = sk.strip_prefix("LOG#").and_then(|seq| seq.parse().ok()) {
            logs.entry(pk).or_default().push(seq);
        }
    }
    for (pk, mut seqs) in logs {
        seqs.sort_unstable();
        if !seqs.iter().copied().eq(0..seqs.len() as u64) {
            wrongs.push(Wrong::new(Kind::Rule, format!("the log of {pk} has the keys {seqs:?}")));
        }
    }
    wrongs
}

async fn scan(engine: &str, table: &str) -> Vec<Item> {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(engine)
        .build();
    let client = Client::from_conf(config);
    let (mut items, mut from) = (Vec::new(), None);
    loop {
        let page = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(from).send().await;
        let page = page.unwrap();
        items.extend(page.items.unwrap_or_default());
        from = page.last_evaluated_key;
        if from.is_none() {
            return items;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pk: &str, sk: &str, ttl: Option<&str>) -> Item {
        let s = |v: &str| AttributeValue::S(v.to_owned());
        let mut item = Item::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))]);
        item.extend(ttl.map(|n| ("ttl".to_owned(), AttributeValue::N(n.to_owned()))));
        item
    }

    #[test]
    fn an_item_without_ttl_and_a_log_with_a_gap_are_found() {
        let log = |n: u64| item("TURN#1", &format!("LOG#{n:010}"), Some("9"));
        assert_eq!(judge(&[log(1), log(0), item("TURN#1", "TURN", Some("9"))]), []);
        for bad in
            [vec![item("USAGE#1", "d", None)], vec![item("a", "b", Some("0"))], vec![log(0), log(2)], vec![log(1)]]
        {
            assert_eq!(judge(&bad).len(), 1);
        }
    }
}
