//! Jobs: one prompt, answered several times, apart from any chat.

use serde::Serialize;
use serde_json::Value;

use super::json::{FromJson, from_json};
use super::{JobId, Timestamp, TurnError, TurnId};

/// How far a job, or one of its variants, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Nobody has begun.
    Queued,
    Running,
    Complete,
    /// Of a job: all its variants have ended, and one of them failed.
    Failed,
    Cancelled,
}

impl JobStatus {
    /// Whether nothing more will come.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cancelled)
    }

    /// As it is spelled on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// A job's status by those of its variants.
    #[must_use]
    pub fn of(variants: impl IntoIterator<Item = Self> + Clone, cancelled: bool) -> Self {
        let any = |status| variants.clone().into_iter().any(|v| v == status);
        if any(Self::Running) {
            Self::Running
        } else if any(Self::Queued) {
            // Some have ended already: the job is under way.
            let begun = variants.clone().into_iter().any(Self::is_over);
            if begun { Self::Running } else { Self::Queued }
        } else if cancelled && variants.clone().into_iter().any(|v| v != Self::Complete) {
            // A cancel that came too late for all of them has cancelled nothing.
            Self::Cancelled
        } else if any(Self::Failed) {
            Self::Failed
        } else if any(Self::Cancelled) {
            Self::Cancelled
        } else {
            Self::Complete
        }
    }
}

/// `POST /api/jobs/submit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Submitted {
    pub job_id: JobId,
    pub status: JobStatus,
}

/// One answer of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variant {
    pub index: u32,
    /// Its turn, which can be followed like any other.
    pub turn_id: TurnId,
    pub status: JobStatus,
    /// Characters of text so far.
    pub chars: u64,
    /// Only once the job is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same, read: only of a job with a schema, once it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
}

/// `GET /api/jobs/status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    pub job_id: JobId,
    pub status: JobStatus,
    /// The beginning of the prompt, on one line.
    pub title: String,
    pub model: String,
    /// The results have to fit a schema.
    pub structured: bool,
    pub submitted_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    pub variants: Vec<Variant>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobRow {
    pub job_id: JobId,
    pub status: JobStatus,
    pub title: String,
    pub model: String,
    /// The results have to fit a schema.
    pub structured: bool,
    pub submitted_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The status of each variant, in their order.
    pub variants: Vec<JobStatus>,
}

/// `GET /api/jobs/list`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JobList {
    pub jobs: Vec<JobRow>,
    /// Opaque; leads to older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// All that a job's pages show; never on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// With the text of every variant that has ended, whether the others have or not.
    pub job: Job,
    pub prompt: String,
    /// When each variant ended, in their order.
    pub ended: Vec<Option<Timestamp>>,
}

impl FromJson for Value {
    fn from_json(json: &Value) -> Option<Self> {
        Some(json.clone())
    }
}

from_json!(JobStatus: "QUEUED" = Queued, "RUNNING" = Running, "COMPLETE" = Complete, "FAILED" = Failed,
    "CANCELLED" = Cancelled);
from_json!(Submitted { job_id, status });
from_json!(Variant { index, turn_id, status, chars, text, json, error });
from_json!(Job { job_id, status, title, model, structured, submitted_at, finished_at, variants });
from_json!(JobRow { job_id, status, title, model, structured, submitted_at, finished_at, variants });
from_json!(JobList { jobs, next });

#[cfg(test)]
mod tests {
    use super::{JobStatus::*, *};

    #[test]
    fn a_jobs_status_follows_from_its_variants() {
        for (variants, cancelled, status) in [
            (vec![Queued, Queued], false, Queued),
            (vec![Running, Queued], false, Running),
            (vec![Complete, Queued], false, Running),
            (vec![Complete, Failed, Running], false, Running),
            (vec![Complete, Complete], false, Complete),
            (vec![Complete, Failed], false, Failed),
            (vec![Complete, Cancelled], false, Cancelled),
            (vec![Complete, Failed], true, Cancelled),
            (vec![Complete, Complete], true, Complete),
        ] {
            assert_eq!(JobStatus::of(variants.iter().copied(), cancelled), status, "{variants:?}");
        }
    }

    #[test]
    fn a_job_reads_back() {
        let text = r#"{"job_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","status":"RUNNING","title":"t","model":"m","structured":false,
            "submitted_at":"2026-11-25T10:00:00.000Z","variants":[{"index":0,"turn_id":"01ARZ3NDEKTSV4RRFFQ69G5FAW",
            "status":"FAILED","chars":3,"error":{"code":"c","message":"m","retryable":true}}]}"#;
        let json: Value = serde_json::from_str(text).unwrap();
        let job = Job::from_json(&json).unwrap();
        assert_eq!(serde_json::to_value(&job).unwrap(), json);
    }
}
