//! The table as it is, past the server's own code: items as JSON, in DynamoDB's notation.
#![allow(dead_code, reason = "shared by test binaries, each of which uses a part")]

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use serde_json::Value;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A client of the test's own.
pub(crate) fn client(endpoint: &str, region: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// `{"S": "x"}` and its like.
pub(crate) fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().and_then(|o| o.iter().next()).unwrap_or_else(|| panic!("{value}"));
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("L", Value::Array(list)) => AttributeValue::L(list.iter().map(attribute).collect()),
        ("M", Value::Object(map)) => AttributeValue::M(map.iter().map(|(k, v)| (k.clone(), attribute(v))).collect()),
        _ => panic!("{kind} is not used"),
    }
}

/// An item in DynamoDB's JSON.
pub(crate) fn item(value: &Value) -> Item {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

pub(crate) async fn put(client: &Client, table: &str, item: Item) {
    client.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
}
