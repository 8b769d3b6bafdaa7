//! Log lines: to standard output, as JSON or as text.
//!
//! Never in them: prompts, replies, titles, keys, cookies, query strings, and the messages of panics (which may quote
//! what a person wrote).

use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, fmt::MakeWriter, layer::SubscriberExt, registry::Registry};

use crate::config::LogFormat;

/// A subscriber that writes to `writer`: this program's own lines from `info`, everybody else's from `warn`.
///
/// There is no variable to raise the level of the libraries underneath: at `debug` and `trace` they print headers and
/// bodies.
pub fn subscriber<W>(format: LogFormat, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = filter_fn(|line| {
        let own = ["server", "outlast"].contains(&line.target().split("::").next().unwrap_or_default());
        *line.level() <= if own { Level::INFO } else { Level::WARN }
    })
    .with_max_level_hint(Level::INFO);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Text => layer.with_target(false).boxed(),
    };
    Box::new(tracing_subscriber::registry().with(layer).with(ours))
}

/// As [`init`], beside what a command prints: as text, to standard error.
pub fn aside() {
    let _ = tracing::subscriber::set_global_default(subscriber(LogFormat::Text, std::io::stderr));
}

/// Makes it the process's own, and lets panics leave a line that names their place alone.
pub fn init(format: LogFormat) {
    // Set before by whoever embeds the server: then theirs stays.
    let _ = tracing::subscriber::set_global_default(subscriber(format, std::io::stdout));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
