//! The few requests that everything is made of: get, query, update, transaction, batch deletion.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, DeleteRequest, Put, ReturnValue,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update, WriteRequest,
    },
};
use sha2::{Digest, Sha256};

use super::{
    Store, StoreError, StoreErrorKind,
    attr::{Item, names},
    error::code_kind,
};
use crate::clock::jitter;

/// How often a write is tried again that met another transaction on the same item.
const CONFLICTS: u32 = 6;

/// An update and its condition, in DynamoDB's expressions with `#name` for every attribute.
pub(super) struct Change {
    pub key: Item,
    pub set: String,
    pub when: String,
    pub values: Item,
}

/// How a conditional write went.
pub(super) enum Written {
    /// With the item as it is now.
    Done(Item),
    /// The condition failed; the item as it stands, if there is one.
    Refused(Option<Item>),
}

/// How a transaction went: of a refused one, for each of its items whether its condition held.
pub(super) enum Transacted {
    Done,
    Refused(Vec<Verdict>),
}

/// What a refused transaction says of one of its items.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Held,
    /// The condition failed; the item as it stands, where it was asked for.
    Failed(Option<Item>),
}

/// One query.
pub(super) struct Ask<'a> {
    pub index: Option<&'static str>,
    pub when: &'a str,
    pub values: Item,
    pub only: Option<&'static str>,
    pub newest_first: bool,
    pub strong: bool,
    pub limit: Option<u32>,
    pub start: Option<Item>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            index: None,
            when: "",
            values: Item::new(),
            only: None,
            newest_first: false,
            strong: true,
            limit: None,
            start: None,
        }
    }
}

/// One page of a query's answer.
pub(super) struct Page {
    pub items: Vec<Item>,
    /// Where the next one starts; none after the last.
    pub next: Option<Item>,
}

impl Store {
    /// A strongly consistent read of one item.
    pub(super) async fn get(&self, doing: &'static str, key: Item) -> Result<Option<Item>, StoreError> {
        let got = self
            .client()?
            .get_item()
            .table_name(self.table())
            .set_key(Some(key))
            .consistent_read(true)
            .set_return_consumed_capacity(self.meter().ask())
            .send()
            .await
            .map_err(|e| StoreError::sdk(doing, &e))?;
        self.meter().read(got.consumed_capacity());
        Ok(got.item)
    }

    pub(super) async fn query(&self, doing: &'static str, ask: &Ask<'_>) -> Result<Page, StoreError> {
        let got = self
            .client()?
            .query()
            .table_name(self.table())
            .set_index_name(ask.index.map(str::to_owned))
            .key_condition_expression(ask.when)
            .set_projection_expression(ask.only.map(str::to_owned))
            .set_expression_attribute_names(
                Some(names(&[ask.when, ask.only.unwrap_or_default()])).filter(|n| !n.is_empty()),
            )
            .set_expression_attribute_values(Some(ask.values.clone()))
            .scan_index_forward(!ask.newest_first)
            .consistent_read(ask.strong && ask.index.is_none())
            .set_limit(ask.limit.map(|n| i32::try_from(n).unwrap_or(i32::MAX).max(1)))
            .set_exclusive_start_key(ask.start.clone())
            .set_return_consumed_capacity(self.meter().ask())
            .send()
            .await
            .map_err(|e| StoreError::sdk(doing, &e))?;
        self.meter().read(got.consumed_capacity());
        Ok(Page { items: got.items.unwrap_or_default(), next: got.last_evaluated_key.filter(|k| !k.is_empty()) })
    }

    /// All pages of a query.
    pub(super) async fn query_all(&self, doing: &'static str, mut ask: Ask<'_>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        loop {
            let page = self.query(doing, &ask).await?;
            items.extend(page.items);
            ask.start = page.next;
            if ask.start.is_none() {
                return Ok(items);
            }
        }
    }

    /// Updates an item if its condition holds.
    pub(super) async fn change(&self, doing: &'static str, change: Change) -> Result<Written, StoreError> {
        let request = self
            .client()?
            .update_item()
            .table_name(self.table())
            .set_expression_attribute_names(Some(names(&[&change.set, &change.when])))
            .set_key(Some(change.key))
            .update_expression(change.set)
            .condition_expression(change.when)
            .set_expression_attribute_values(Some(change.values).filter(|v| !v.is_empty()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.meter().ask());
        let mut tried = 0;
        loop {
            match request.clone().send().await {
                Ok(done) => {
                    self.meter().wrote(done.consumed_capacity());
                    return Ok(Written::Done(done.attributes.unwrap_or_default()));
                }
                Err(SdkError::ServiceError(e)) if e.err().is_conditional_check_failed_exception() => {
                    use aws_sdk_dynamodb::operation::update_item::UpdateItemError as E;
                    return Ok(Written::Refused(match e.into_err() {
                        E::ConditionalCheckFailedException(e) => e.item,
                        _ => None,
                    }));
                }
                Err(e) => {
                    again(doing, &e, &mut tried).await?;
                }
            }
        }
    }

    /// Puts an item if nothing stands at its key.
    pub(super) async fn put_new(&self, doing: &'static str, item: Item) -> Result<Written, StoreError> {
        let request = self
            .client()?
            .put_item()
            .table_name(self.table())
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .set_return_consumed_capacity(self.meter().ask());
        let mut tried = 0;
        loop {
            match request.clone().send().await {
                Ok(done) => {
                    self.meter().wrote(done.consumed_capacity());
                    return Ok(Written::Done(Item::new()));
                }
                Err(SdkError::ServiceError(e)) if e.err().is_conditional_check_failed_exception() => {
                    use aws_sdk_dynamodb::operation::put_item::PutItemError as E;
                    return Ok(Written::Refused(match e.into_err() {
                        E::ConditionalCheckFailedException(e) => e.item,
                        _ => None,
                    }));
                }
                Err(e) => {
                    again(doing, &e, &mut tried).await?;
                }
            }
        }
    }

    /// Puts an item, whatever stands there.
    pub(super) async fn put(&self, doing: &'static str, item: Item) -> Result<(), StoreError> {
        let request = self
            .client()?
            .put_item()
            .table_name(self.table())
            .set_item(Some(item))
            .set_return_consumed_capacity(self.meter().ask());
        let mut tried = 0;
        loop {
            match request.clone().send().await {
                Ok(done) => {
                    self.meter().wrote(done.consumed_capacity());
                    return Ok(());
                }
                Err(e) => again(doing, &e, &mut tried).await?,
            }
        }
    }

    /// All or nothing. The same token with the same items is applied once, for ten minutes.
    pub(super) async fn transact(
        &self,
        doing: &'static str,
        token: Option<String>,
        items: Vec<TransactWriteItem>,
    ) -> Result<Transacted, StoreError> {
        let request = self
            .client()?
            .transact_write_items()
            .set_client_request_token(token)
            .set_transact_items(Some(items))
            .set_return_consumed_capacity(self.meter().ask());
        let mut tried = 0;
        loop {
            let error = match request.clone().send().await {
                Ok(done) => {
                    self.meter().wrote(done.consumed_capacity());
                    return Ok(Transacted::Done);
                }
                Err(e) => e,
            };
            let SdkError::ServiceError(service) = &error else { return Err(StoreError::sdk(doing, &error)) };
            let TransactWriteItemsError::TransactionCanceledException(cancelled) = service.err() else {
                again(doing, &error, &mut tried).await?;
                continue;
            };
            let reasons = cancelled.cancellation_reasons();
            let code = |r: &CancellationReason| r.code().unwrap_or("None").to_owned();
            if reasons.iter().any(|r| r.code() == Some("ConditionalCheckFailed")) {
                let verdict = |r: &CancellationReason| match r.code() {
                    Some("ConditionalCheckFailed") => Verdict::Failed(r.item().cloned()),
                    _ => Verdict::Held,
                };
                return Ok(Transacted::Refused(reasons.iter().map(verdict).collect()));
            }
            let bad = reasons.iter().find(|r| r.code().is_some_and(|c| c != "None"));
            let kind = bad.map_or(StoreErrorKind::Other, |r| code_kind(&code(r), 400));
            if kind == StoreErrorKind::Conflict || kind == StoreErrorKind::Throttled {
                tried += 1;
                if tried < CONFLICTS {
                    pause(tried).await;
                    continue;
                }
            }
            let detail: Vec<_> = reasons.iter().map(code).collect();
            return Err(StoreError::new(kind, doing, format!("cancelled: {}", detail.join(", "))));
        }
    }

    /// Deletes items by key, 25 at a time, until DynamoDB has taken them all.
    pub(super) async fn delete_all(&self, doing: &'static str, keys: Vec<Item>) -> Result<(), StoreError> {
        let mut waiting = keys
            .into_iter()
            .map(|key| {
                let delete = DeleteRequest::builder().set_key(Some(key)).build().map_err(StoreError::build)?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut idle = 0;
        while !waiting.is_empty() {
            let batch: Vec<_> = waiting.drain(..waiting.len().min(25)).collect();
            let sent = batch.len();
            let done = self
                .client()?
                .batch_write_item()
                .request_items(self.table(), batch)
                .set_return_consumed_capacity(self.meter().ask())
                .send()
                .await
                .map_err(|e| StoreError::sdk(doing, &e))?;
            self.meter().wrote(done.consumed_capacity());
            let left = done.unprocessed_items.and_then(|mut t| t.remove(self.table())).unwrap_or_default();
            if left.len() == sent {
                idle += 1;
                if idle == CONFLICTS {
                    return Err(StoreError::new(StoreErrorKind::Throttled, doing, "a batch was not taken"));
                }
                pause(idle).await;
            } else {
                idle = 0;
            }
            waiting.extend(left);
        }
        Ok(())
    }

    /// A put of a transaction.
    pub(super) fn tx_put(&self, item: Item, when: Option<&str>, values: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(self.table())
            .set_item(Some(item))
            .set_condition_expression(when.map(str::to_owned))
            .set_expression_attribute_names(when.map(|w| names(&[w])).filter(|n| !n.is_empty()))
            .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty()))
            .build()
            .map_err(StoreError::build)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// An update of a transaction; if its condition fails, the verdict has the item.
    pub(super) fn tx_change(&self, change: Change) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(self.table())
            .set_expression_attribute_names(Some(names(&[&change.set, &change.when])))
            .set_key(Some(change.key))
            .update_expression(change.set)
            .set_condition_expression(Some(change.when).filter(|w| !w.is_empty()))
            .set_expression_attribute_values(Some(change.values).filter(|v| !v.is_empty()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::build)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// A condition of a transaction on an item that it doesn't change.
    pub(super) fn tx_check(&self, key: Item, when: &str, values: Item) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(self.table())
            .set_key(Some(key))
            .condition_expression(when)
            .set_expression_attribute_names(Some(names(&[when])).filter(|n| !n.is_empty()))
            .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::build)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

/// A transaction's token, at most 36 characters: the same for the same parts.
pub(super) fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Whether a single write that met a transaction is worth another try; waits for it.
async fn again<E: ProvideErrorMetadata>(
    doing: &'static str,
    error: &SdkError<E, aws_sdk_dynamodb::config::http::HttpResponse>,
    tried: &mut u32,
) -> Result<(), StoreError> {
    let error = StoreError::sdk(doing, error);
    *tried += 1;
    if error.kind() != StoreErrorKind::Conflict || *tried >= CONFLICTS {
        return Err(error);
    }
    pause(*tried).await;
    Ok(())
}

/// 10, 20, 40 … ms at most.
async fn pause(tried: u32) {
    tokio::time::sleep(Duration::from_millis(1 + jitter(5 << tried.min(6)))).await;
}

/// The text of an attribute, without taking it out.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|v| v.as_s().ok()).map(String::as_str)
}

/// Whether a number is there that is less than `than`.
pub(super) fn less(item: &Item, name: &str, than: u64) -> bool {
    matches!(item.get(name), Some(AttributeValue::N(n)) if n.parse::<u64>().is_ok_and(|n| n < than))
}
