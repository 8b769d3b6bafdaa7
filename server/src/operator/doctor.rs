//! `doctor`: is all there that a server needs, and is there work that nobody does?

use std::time::Duration;

use app::domain::{Timestamp, TurnId};

use super::{
    counted,
    reach::{Reached, reach},
    say, span,
    standing::{Standing, standing},
};
use crate::{
    claude::{self, Claude, FaultKind},
    compose,
    config::{self, Config, ConfigError, StoreKind},
    serve::StartError,
    storage::{OpenWork, StoreError, StoreErrorKind, keys},
    turn::log::Log,
};

/// What one check found, in words: all well, or not.
type Finding = Result<String, String>;

/// Checks configuration, store, queue and Claude, one line each, and lists the turns that nobody runs.
///
/// # Errors
/// If any of them is not well; the lines said which and why.
pub async fn doctor(config: Result<Config, ConfigError>) -> Result<(), StartError> {
    let mut failed = 0;
    let mut check = |name: &str, finding: Finding| {
        failed += u32::from(finding.is_err());
        let (word, detail) = match finding {
            Ok(detail) => ("ok", detail),
            Err(detail) => ("failed", detail),
        };
        say(&format!("{name:<14} {word:<7} {detail}"));
    };
    match config {
        Err(error) => check("configuration", Err(error.to_string())),
        Ok(config) => {
            check("configuration", Ok(described(&config)));
            let (store, reached) = match reach(&config).await {
                Err(error) => (Err(error), None),
                Ok(None) => (Ok("there is none yet; `outlast serve` makes it".to_owned()), None),
                Ok(Some(reached)) => (found(&config, &reached).await, Some(reached)),
            };
            let usable = store.is_ok();
            check("store", store);
            check("queue", queue(&config).await);
            check("claude", ask(&config).await);
            if let Some(reached) = reached {
                if usable {
                    let open = open_turns(&config, &reached).await;
                    check("turns", open.as_deref().map(summary).map_err(ToString::to_string));
                    open.unwrap_or_default().iter().filter_map(line).for_each(|line| say(&line));
                }
                reached.close().await;
            }
        }
    }
    match failed {
        0 => Ok(()),
        n => Err(StartError::Part(format!("{} failed", counted(n as usize, "check")))),
    }
}

fn described(config: &Config) -> String {
    let store = match config.store.kind {
        StoreKind::Embedded => format!("embedded store in {}", config.store.data_dir.display()),
        StoreKind::DynamoDb => format!("table {} in DynamoDB", config.store.table),
    };
    let lease = config.turn.lease_ms as f64 / 1000.0;
    format!("{store}, model {}, a lease of {lease} s", config.claude.model)
}

async fn found(config: &Config, reached: &Reached) -> Finding {
    let table = &config.store.table;
    match reached.store.ping().await {
        Ok(()) => Ok(format!("table {table} {}", reached.how)),
        Err(error) if error.kind() == StoreErrorKind::Missing => {
            Err(format!("there is no table {table} {}; `outlast init` makes it", reached.how))
        }
        Err(error) => Err(format!("table {table} {}: {error}", reached.how)),
    }
}

async fn queue(config: &Config) -> Finding {
    let Some(sqs) = compose::sqs(config, config.jobs.queue_url.clone()) else {
        return Ok("in-process".to_owned());
    };
    match sqs.ping().await {
        Ok(()) => Ok(sqs.url().to_owned()),
        Err(error) => Err(format!("{}: {error}", sqs.url())),
    }
}

async fn ask(config: &Config) -> Finding {
    if config.claude.simulated() {
        return if cfg!(feature = "simulator") {
            Ok("the simulator: neither ANTHROPIC_API_KEY nor ANTHROPIC_BASE_URL is set".to_owned())
        } else {
            Err("ANTHROPIC_API_KEY is not set; this build has no simulator to stand in".to_owned())
        };
    }
    let base_url = config.claude.base_url.clone().unwrap_or_else(|| config::Claude::ANTHROPIC.to_owned());
    let api_key = config.claude.api_key.as_ref().map(|key| key.expose().to_owned());
    let stall = Duration::from_millis(config.turn.stall_ms);
    let place = base_url.clone();
    match Claude::new(claude::Config { base_url, api_key, stall }).models().await {
        Ok(models) => {
            let model = &config.claude.model;
            let listed = if models.iter().any(|m| m.id == *model) { "" } else { "; OUTLAST_MODEL is not one of them" };
            Ok(format!("{place} lists {}{listed}", counted(models.len(), "model")))
        }
        Err(fault) if fault.kind == FaultKind::NotFound => Err(format!("{place} has no list of models ({fault})")),
        Err(fault) => Err(format!("{place}: {} ({fault})", fault.kind.message())),
    }
}

/// An open turn, as it was found.
struct Open {
    id: TurnId,
    /// How long ago it was sent, in milliseconds.
    age: u64,
    claims: u32,
    /// `Err`: its log cannot be read here.
    standing: Result<Standing, StoreError>,
}

async fn open_turns(config: &Config, reached: &Reached) -> Result<Vec<Open>, StoreError> {
    let mut open = Vec::new();
    for shard in 0..keys::OPEN_SHARDS {
        for work in reached.store.open_turns(shard).await? {
            let OpenWork::Turn(id, sent) = work else { continue };
            open.extend(look(config, reached, id, sent).await?);
        }
    }
    open.sort_by_key(|turn| std::cmp::Reverse(turn.age));
    Ok(open)
}

/// One turn that the index names; `None` if it is over, which the index does not know yet.
async fn look(config: &Config, reached: &Reached, id: TurnId, sent: Timestamp) -> Result<Option<Open>, StoreError> {
    let Some(turn) = reached.store.turn(id).await? else { return Ok(None) };
    if turn.state == crate::storage::TurnState::Done {
        return Ok(None);
    }
    let now = reached.clock.now();
    let standing = match reached.store.read_log(id, 0, true).await {
        Ok(segments) => {
            let mut log = Log::default();
            log.extend(&segments)
                .map(|()| standing(&turn, &log, now, config.turn.lease_ms, reached.alone))
                .map_err(|fault| StoreError::corrupt(fault.to_string()))
        }
        Err(error) if matches!(error.kind(), StoreErrorKind::Newer | StoreErrorKind::Corrupt) => Err(error),
        Err(error) => return Err(error),
    };
    Ok(Some(Open { id, age: now.since(sent), claims: turn.claims, standing }))
}

fn summary(open: &[Open]) -> String {
    let abandoned = open.iter().filter(|t| matches!(t.standing, Ok(Standing::Abandoned(_)))).count();
    format!("{} open, {abandoned} abandoned", open.len())
}

/// What is to be said of a turn, unless it just runs.
fn line(turn: &Open) -> Option<String> {
    let how = match &turn.standing {
        Ok(Standing::Runs) => return None,
        Ok(Standing::Abandoned(why)) => format!("abandoned: {why}"),
        Ok(Standing::Ended) => "ended, not stored yet".to_owned(),
        Err(error) => format!("left alone: {error}"),
    };
    let claims = counted(turn.claims as usize, "claim");
    Some(format!("  {}  {how}; sent {} ago, {claims}", turn.id, span(turn.age)))
}
