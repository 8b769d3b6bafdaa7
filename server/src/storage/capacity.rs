//! What the table's use costs, as DynamoDB itself counts it.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};

/// Request units since the store was made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CapacityTotals {
    pub read: f64,
    pub write: f64,
}

impl std::ops::Sub for CapacityTotals {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self { read: self.read - earlier.read, write: self.write - earlier.write }
    }
}

/// Counts if told to; else asks DynamoDB for nothing.
#[derive(Debug, Default)]
pub(super) struct Meter {
    on: bool,
    // In halves of a unit, the least that DynamoDB counts.
    read: AtomicU64,
    write: AtomicU64,
}

impl Meter {
    pub(super) fn new(on: bool) -> Self {
        Self { on, ..Self::default() }
    }

    /// What to ask for in a request.
    pub(super) fn ask(&self) -> Option<ReturnConsumedCapacity> {
        self.on.then_some(ReturnConsumedCapacity::Total)
    }

    pub(super) fn read(&self, used: Option<&ConsumedCapacity>) {
        Self::add(&self.read, used);
    }

    pub(super) fn wrote<'a>(&self, used: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        used.into_iter().for_each(|used| Self::add(&self.write, Some(used)));
    }

    fn add(sum: &AtomicU64, used: Option<&ConsumedCapacity>) {
        if let Some(units) = used.and_then(ConsumedCapacity::capacity_units) {
            sum.fetch_add((units * 2.0).round() as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn totals(&self) -> CapacityTotals {
        let units = |sum: &AtomicU64| sum.load(Ordering::Relaxed) as f64 / 2.0;
        CapacityTotals { read: units(&self.read), write: units(&self.write) }
    }
}
