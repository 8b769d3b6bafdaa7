//! Making the table.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, IndexStatus, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};

use super::{Store, StoreError, StoreErrorKind, keys};

const DOING: &str = "making the table";

/// Amazon makes a table in some ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// The indexes: name, partition, sort, and what they hold beside the keys (none: nothing). What is held is written
/// again with every change of it, so it is what lists show and no more.
type Index = (&'static str, &'static str, &'static str, &'static [&'static str]);
const INDEXES: [Index; 3] = [
    (keys::BY_USER, "owner", "recent", &["title", "active", "ttl"]),
    (keys::BY_DAY, "day", "recent", &["owner", "title", "model", "active", "outcome", "ttl"]),
    (keys::OPEN, "open", "since", &[]),
];

impl Store {
    /// Makes the table with its indexes, on demand, and switches its TTL on; waits until it can be used. May be
    /// repeated: what is there already is left as it is.
    ///
    /// # Errors
    /// As every write; `Other` if a table of this name is there but lacks an index; `Unavailable` if it takes more
    /// than two minutes.
    pub async fn init(&self) -> Result<(), StoreError> {
        if self.describe().await?.is_none() {
            self.create_table().await?;
        }
        self.wait_until_active().await?;
        self.switch_ttl_on().await
    }

    async fn describe(&self) -> Result<Option<TableDescription>, StoreError> {
        match self.client()?.describe_table().table_name(self.table()).send().await {
            Ok(found) => Ok(found.table),
            Err(e) => match StoreError::sdk(DOING, &e) {
                missing if missing.kind() == StoreErrorKind::Missing => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn create_table(&self) -> Result<(), StoreError> {
        let mut request = self
            .client()?
            .create_table()
            .table_name(self.table())
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(schema("pk", "sk")?));
        for name in ["pk", "sk", "owner", "day", "recent", "open", "since"] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
            request = request.attribute_definitions(attribute.map_err(StoreError::build)?);
        }
        for (name, partition, sort, held) in INDEXES {
            let projection = match held {
                [] => Projection::builder().projection_type(ProjectionType::KeysOnly).build(),
                held => Projection::builder()
                    .projection_type(ProjectionType::Include)
                    .set_non_key_attributes(Some(held.iter().map(ToString::to_string).collect()))
                    .build(),
            };
            let index = GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(schema(partition, sort)?))
                .projection(projection)
                .build();
            request = request.global_secondary_indexes(index.map_err(StoreError::build)?);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            // Somebody else was quicker.
            Err(e) if e.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => Ok(()),
            Err(e) => Err(StoreError::sdk(DOING, &e)),
        }
    }

    async fn wait_until_active(&self) -> Result<(), StoreError> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(table) = self.describe().await? {
                let indexes = table.global_secondary_indexes();
                for (name, ..) in INDEXES {
                    if !indexes.iter().any(|i| i.index_name() == Some(name)) {
                        let detail = format!("the table `{}` is there, but has no index `{name}`", self.table());
                        return Err(StoreError::new(StoreErrorKind::Other, DOING, detail));
                    }
                }
                let ready = |i: &aws_sdk_dynamodb::types::GlobalSecondaryIndexDescription| {
                    matches!(i.index_status(), None | Some(IndexStatus::Active | IndexStatus::Updating))
                };
                let usable = matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating));
                if usable && indexes.iter().all(ready) {
                    return Ok(());
                }
            }
            if waited > PATIENCE {
                return Err(StoreError::new(StoreErrorKind::Unavailable, DOING, "it takes too long to become active"));
            }
            let pause = Duration::from_millis(if waited.is_zero() { 20 } else { 500 });
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    async fn switch_ttl_on(&self) -> Result<(), StoreError> {
        let client = self.client()?;
        let now = client
            .describe_time_to_live()
            .table_name(self.table())
            .send()
            .await
            .map_err(|e| StoreError::sdk(DOING, &e))?;
        let status = now.time_to_live_description.and_then(|d| d.time_to_live_status);
        if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
            return Ok(());
        }
        let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build();
        let request = client
            .update_time_to_live()
            .table_name(self.table())
            .time_to_live_specification(ttl.map_err(StoreError::build)?);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(e) => {
                let e = StoreError::sdk(DOING, &e);
                // Somebody else was quicker; DynamoDB has no code of its own for that.
                if e.to_string().contains("already enabled") { Ok(()) } else { Err(e) }
            }
        }
    }
}

fn schema(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, StoreError> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(StoreError::build)
        })
        .collect()
}
