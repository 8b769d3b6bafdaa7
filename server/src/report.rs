//! What was counted of turns, as one line now and then: for CloudWatch where log lines are JSON, for a person where
//! they are text.
//!
//! The JSON line is CloudWatch's embedded metric format, which has to stand alone on its line:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use app::domain::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    config::LogFormat,
    turn::{
        Turns,
        metrics::{Counted, Now},
    },
};

/// How often there is a line, if anything happened.
const EVERY: Duration = Duration::from_secs(60);

/// Writes the lines of one process.
pub struct Reporter {
    turns: Turns,
    clock: Clock,
    format: LogFormat,
    /// When the last line was due, and what was going on then.
    last: Mutex<(Instant, Now)>,
}

impl Reporter {
    #[must_use]
    pub fn new(turns: Turns, clock: Clock, format: LogFormat) -> Self {
        Self { turns, clock, format, last: Mutex::new((Instant::now(), Now::default())) }
    }

    /// Every minute, for ever: for a process that lives between requests.
    pub async fn for_ever(&self) {
        let mut minute = tokio::time::interval_at(Instant::now() + EVERY, EVERY);
        loop {
            minute.tick().await;
            self.report();
        }
    }

    /// If a minute has passed, or a turn has ended: for a process that is frozen between requests, at the end of each.
    /// It may be gone before the next without having been told, and what was spent must not be gone with it.
    pub fn if_due(&self) {
        let due = self.last.lock().unwrap_or_else(PoisonError::into_inner).0.elapsed() >= EVERY;
        if due || self.turns.metrics().has_spent() {
            self.report();
        }
    }

    /// Writes what was counted since the last line; nothing if nothing happened.
    pub fn report(&self) {
        if let Some(line) = self.line() {
            match self.format {
                // By itself: the log's own JSON lines cannot hold what CloudWatch looks for.
                LogFormat::Json => {
                    // One write, so that no other line gets into it; who no longer reads the log is no fault.
                    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
                }
                LogFormat::Text => tracing::info!("{line}"),
            }
        }
    }

    fn line(&self) -> Option<String> {
        let (counted, now) = (self.turns.metrics().take(), self.turns.now());
        let before = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *last, (Instant::now(), now)).1
        };
        // That all have left is news, once.
        if counted == Counted::default() && now == Now::default() && before == now {
            return None;
        }
        Some(match self.format {
            LogFormat::Json => emf(&counted, now, self.clock.now()).to_string(),
            LogFormat::Text => words(&counted, now),
        })
    }
}

const COUNT: &str = "Count";
const MILLISECONDS: &str = "Milliseconds";
/// CloudWatch knows no dollars.
const NONE: &str = "None";

/// All figures: name, unit, value.
fn figures(counted: &Counted, now: Now) -> [(&'static str, &'static str, f64); 16] {
    let count = |n: u64| n as f64;
    [
        ("LiveStreams", COUNT, count(now.followers)),
        ("RunningTurns", COUNT, count(now.running)),
        ("Claims", COUNT, count(counted.claims)),
        ("Takeovers", COUNT, count(counted.takeovers)),
        ("Rewinds", COUNT, count(counted.rewinds)),
        ("Fenced", COUNT, count(counted.fenced)),
        ("SeamsExact", COUNT, count(counted.exact)),
        ("SeamsFuzzy", COUNT, count(counted.fuzzy)),
        ("SeamsOverlap", COUNT, count(counted.overlap)),
        ("SeamsNone", COUNT, count(counted.none)),
        ("SeamsRestart", COUNT, count(counted.restart)),
        ("Appends", COUNT, count(counted.appends)),
        ("AppendFaults", COUNT, count(counted.append_faults)),
        ("AppendMean", MILLISECONDS, millis(counted.append_us.checked_div(counted.appends).unwrap_or(0))),
        ("AppendSlowest", MILLISECONDS, millis(counted.append_us_max)),
        ("SpentUsd", NONE, counted.spent as f64 / 1e6),
    ]
}

/// Hundredths are enough.
fn millis(us: u64) -> f64 {
    (us as f64 / 10.0).round() / 100.0
}

fn emf(counted: &Counted, now: Now, at: Timestamp) -> Value {
    let figures = figures(counted, now);
    // How long nothing took is no figure.
    let figures = figures.iter().filter(|(_, unit, _)| *unit != MILLISECONDS || counted.appends > 0);
    let metrics: Vec<Value> = figures.clone().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line: Map<String, Value> = figures.map(|(name, _, value)| ((*name).to_owned(), json!(value))).collect();
    line.insert("message".to_owned(), json!("turns"));
    let directive = json!({"Namespace": "Outlast", "Dimensions": [[]], "Metrics": metrics});
    line.insert("_aws".to_owned(), json!({"Timestamp": at.millis(), "CloudWatchMetrics": [directive]}));
    Value::Object(line)
}

fn words(counted: &Counted, now: Now) -> String {
    let figures = figures(counted, now);
    let some = figures.iter().filter(|(_, _, value)| *value != 0.0);
    let some: Vec<String> = some
        .map(|(name, unit, value)| format!("{name} {value}{}", if *unit == MILLISECONDS { " ms" } else { "" }))
        .collect();
    if some.is_empty() { "turns: all quiet".to_owned() } else { format!("turns: {}", some.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Counted {
        Counted {
            claims: 3,
            takeovers: 1,
            exact: 1,
            appends: 4,
            append_us: 10_000,
            append_us_max: 7_006,
            spent: 12_500,
            ..Counted::default()
        }
    }

    #[test]
    fn every_figure_that_is_announced_is_there_and_none_twice() {
        let now = Now { followers: 2, running: 1 };
        for counted in [counted(), Counted::default()] {
            let line = emf(&counted, now, Timestamp::from_millis(1_700_000_000_123)).to_string();
            assert!(!line.contains('\n'));
            let line: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_123_u64);
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            assert_eq!((directives.len(), &directives[0]["Namespace"]), (1, &json!("Outlast")));
            assert_eq!(directives[0]["Dimensions"], json!([[]]));
            let names: Vec<_> =
                directives[0]["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
            for name in &names {
                assert!(line[name].is_number(), "{name}");
            }
            let figures = line.as_object().unwrap().len() - 2;
            assert_eq!(figures, names.len(), "no figure is unannounced");
            assert_eq!(figures, if counted.appends > 0 { 16 } else { 14 });
        }
        let line = emf(&counted(), now, Timestamp::default());
        assert_eq!((&line["Claims"], &line["LiveStreams"]), (&json!(3.0), &json!(2.0)));
        assert_eq!((&line["AppendMean"], &line["AppendSlowest"]), (&json!(2.5), &json!(7.01)));
        assert_eq!(line["SpentUsd"], 0.0125);
    }

    #[test]
    fn a_person_reads_what_is_not_nought() {
        assert_eq!(
            words(&counted(), Now { followers: 2, running: 0 }),
            "turns: LiveStreams 2, Claims 3, Takeovers 1, SeamsExact 1, Appends 4, AppendMean 2.5 ms, AppendSlowest 7.01 ms, SpentUsd 0.0125"
        );
        assert_eq!(words(&Counted::default(), Now::default()), "turns: all quiet");
    }
}
