//! SQS, at a configurable endpoint. Its client is built at first use.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry},
};

use super::{Note, QueueError};
use crate::storage::Keys;

/// The longest delay of a message (SQS Developer Guide, "Amazon SQS message timers").
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);
/// A receive waits so long for a message; the longest there is.
const WAIT: i32 = 20;
/// So often a message is delivered before it is a dead letter.
const DELIVERIES: u32 = 5;

/// Where the queues are.
#[derive(Clone)]
pub struct SqsConfig {
    /// None: Amazon's, in that region.
    pub endpoint: Option<String>,
    pub region: String,
    /// None is enough for an endpoint of one's own.
    pub keys: Option<Keys>,
    /// The queue's address.
    pub url: String,
}

impl fmt::Debug for SqsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsConfig").field("endpoint", &self.endpoint).field("url", &self.url).finish_non_exhaustive()
    }
}

/// A message that was received and is to be deleted, once its note is dealt with.
#[derive(Debug, Clone)]
pub struct Received {
    /// None if it is no note of ours.
    pub note: Option<Note>,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    receipt: String,
}

/// The queue and the one for its dead letters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sqs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: SqsConfig,
    client: OnceLock<Client>,
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: E) -> QueueError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    QueueError(text)
}

impl Sqs {
    #[must_use]
    pub fn new(config: SqsConfig) -> Self {
        Self(Arc::new(Inner { config, client: OnceLock::new() }))
    }

    /// The queue's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.config.url
    }

    /// The address of the queue for its dead letters: the same name with `-dead` behind it.
    #[must_use]
    pub fn dead_url(&self) -> String {
        format!("{}-dead", self.0.config.url)
    }

    fn client(&self) -> Result<&Client, QueueError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let client = build(&self.0.config)?;
        Ok(self.0.client.get_or_init(|| client))
    }

    pub(super) async fn send(&self, notes: &[Note], delay: Duration) -> Result<(), QueueError> {
        let delay = delay.min(LONGEST_DELAY).as_secs() as i32;
        for batch in notes.chunks(10) {
            let mut request = self.client()?.send_message_batch().queue_url(self.url());
            for (i, note) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(i.to_string())
                    .message_body(note.encode())
                    .delay_seconds(delay)
                    .build()
                    .map_err(failed)?;
                request = request.entries(entry);
            }
            let sent = request.send().await.map_err(failed)?;
            if let Some(fault) = sent.failed().first() {
                return Err(QueueError(format!("a message was refused: {}", fault.code())));
            }
        }
        Ok(())
    }

    /// Waits up to 20 s for messages, which then nobody else sees for `visibility`.
    ///
    /// # Errors
    /// If the queue does not answer.
    pub async fn receive(&self, dead: bool, most: usize, visibility: Duration) -> Result<Vec<Received>, QueueError> {
        let got = self
            .client()?
            .receive_message()
            .queue_url(self.address(dead))
            .max_number_of_messages(most.clamp(1, 10) as i32)
            .wait_time_seconds(WAIT)
            .visibility_timeout(visibility.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(failed)?;
        let received = |m: aws_sdk_sqs::types::Message| {
            let count = m.attributes().and_then(|a| a.get(&MessageSystemAttributeName::ApproximateReceiveCount));
            Some(Received {
                note: m.body().and_then(Note::decode),
                deliveries: count.and_then(|n| n.parse().ok()).unwrap_or(1),
                receipt: m.receipt_handle?,
            })
        };
        Ok(got.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    /// Keeps a message from others for some more time.
    ///
    /// # Errors
    /// If the queue does not answer, or the message is somebody else's by now.
    pub async fn keep(&self, dead: bool, message: &Received, visibility: Duration) -> Result<(), QueueError> {
        let request = self.client()?.change_message_visibility().queue_url(self.address(dead));
        let request = request.receipt_handle(&message.receipt).visibility_timeout(visibility.as_secs() as i32);
        request.send().await.map(|_| ()).map_err(failed)
    }

    /// The message was dealt with.
    ///
    /// # Errors
    /// If the queue does not answer; it is delivered again then.
    pub async fn delete(&self, dead: bool, message: &Received) -> Result<(), QueueError> {
        let request = self.client()?.delete_message().queue_url(self.address(dead));
        request.receipt_handle(&message.receipt).send().await.map(|_| ()).map_err(failed)
    }

    fn address(&self, dead: bool) -> String {
        if dead { self.dead_url() } else { self.url().to_owned() }
    }

    /// Makes the queue and the one for its dead letters. May be repeated. Gives both addresses.
    ///
    /// # Errors
    /// If the queue does not answer or refuses.
    pub async fn init(&self) -> Result<(String, String), QueueError> {
        let name = self.url().rsplit('/').next().unwrap_or("outlast").to_owned();
        let dead = self.create(&format!("{name}-dead"), HashMap::new()).await?;
        let attributes = self.client()?.get_queue_attributes().queue_url(&dead);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await.map_err(failed)?;
        let arn = attributes.attributes().and_then(|a| a.get(&QueueAttributeName::QueueArn)).cloned();
        let arn = arn.ok_or_else(|| QueueError("the dead letters' queue has no ARN".to_owned()))?;
        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{DELIVERIES}"}}"#);
        let url = self.create(&name, HashMap::from([(QueueAttributeName::RedrivePolicy, redrive)])).await?;
        Ok((url, dead))
    }

    async fn create(&self, name: &str, more: HashMap<QueueAttributeName, String>) -> Result<String, QueueError> {
        let mut request = self
            .client()?
            .create_queue()
            .queue_name(name)
            // 14 days, the longest there is.
            .attributes(QueueAttributeName::MessageRetentionPeriod, "1209600");
        for (name, value) in more {
            request = request.attributes(name, value);
        }
        let made = request.send().await.map_err(failed)?;
        made.queue_url.ok_or_else(|| QueueError("a queue without an address".to_owned()))
    }

    /// Whether the queue answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), QueueError> {
        let request = self.client()?.get_queue_attributes().queue_url(self.url());
        let request = request.attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
        request.send().await.map(|_| ()).map_err(failed)
    }
}

fn build(config: &SqsConfig) -> Result<Client, QueueError> {
    let keys = match (&config.keys, &config.endpoint) {
        (Some(keys), _) => keys.clone(),
        (None, Some(_)) => Keys { id: "local".to_owned(), secret: "local".to_owned(), token: None },
        (None, None) => return Err(QueueError("no credentials are set".to_owned())),
    };
    let plain = config.endpoint.as_deref().is_some_and(|e| e.starts_with("http://"));
    let http = crate::storage::http_client(plain, config.endpoint.is_none()).map_err(|e| QueueError(e.to_string()))?;
    let mut sdk = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .credentials_provider(Credentials::new(keys.id, keys.secret, keys.token, None, "environment"))
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                // A receive waits for 20 s.
                .operation_attempt_timeout(Duration::from_secs(25))
                .build(),
        );
    sdk.set_endpoint_url(config.endpoint.clone());
    Ok(Client::from_conf(sdk.build()))
}
