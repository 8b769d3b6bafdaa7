//! A new chat: what this is, and ways to begin.

use super::{html::attribute, icons::icon};
use crate::pages::state::Page;

/// Title, hint, and the text it puts into the composer. None of them sends.
type Start = (&'static str, &'static str, &'static str);

const SIMULATED: Start = (
    "Write a long reply, then reload this page",
    "The simulator writes for a minute. Reload, close the tab, come back: it goes on.",
    "Tell me at length how a reply outlasts the page that asked for it.\n/sim tokens=3000 rate=50 markdown",
);
const LONG: Start = (
    "Write a long reply, then reload this page",
    "It takes a minute or two. Reload, close the tab, come back: it goes on.",
    "Write a thorough guide to keeping a bicycle on the road for twenty years: what to check when, what to replace, \
     what it costs. About 2,000 words, with tables and checklists.",
);
const REST: [Start; 2] = [
    (
        "Explain an error message",
        "Paste it with the command you ran and what you expected.",
        "Explain this error, and what to try first.\n\nI ran:\n\nI expected:\n\nIt said:\n",
    ),
    (
        "Turn notes into minutes",
        "Who decided what, who does what by when, and what stayed open.",
        "Turn these notes into minutes: who decided what, who does what by when, and what stayed open.\n\n",
    ),
];

/// The page before the first message.
#[must_use]
pub fn empty(page: Page) -> String {
    let first = if page.data().simulator { SIMULATED } else { LONG };
    let starts: String = [first]
        .iter()
        .chain(&REST)
        .map(|(title, hint, fill)| {
            [
                "<li><button type=\"button\"",
                &attribute("data-fill", fill),
                "><b>",
                title,
                "</b><small>",
                hint,
                "</small>",
                &icon("right"),
                "</button></li>",
            ]
            .concat()
        })
        .collect();
    [
        "<div class=\"empty\"><div><h2>Ask, and walk away.</h2><p>A reply, once started, is never lost. Reload, close the \
         tab, come back tomorrow: it goes on to its end and waits for you here.</p>\
         <ul class=\"starts js-only\" aria-label=\"Ways to begin\">",
        &starts,
        "</ul></div></div>",
    ]
    .concat()
}
