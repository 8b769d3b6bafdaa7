//! The pages as the server renders them.
#![cfg(feature = "ssr")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use app::{
    domain::{
        Message, MessageId, ModelInfo, Models, Outcome, Role, Seam, Session, SessionId, SessionList, SessionPage,
        SessionRow, Siblings, Timestamp, Timing, TurnError, TurnEvent, TurnId, Usage,
    },
    error::Code,
    page::{Deleted, Fixed, Fresh, LIVE_MARKER, PageData, PageKind, Theme},
    shell::{Assets, live_end, live_lost, shell},
};
use leptos::prelude::*;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn session(n: u128) -> SessionId {
    SessionId::from_parts(at("2026-11-24T08:00:00Z"), n)
}

fn turn(n: u128) -> TurnId {
    TurnId::from_parts(at("2026-11-24T10:38:00Z"), n)
}

fn message(n: u128, role: Role, text: &str, time: &str) -> Message {
    Message {
        message_id: turn(n).into(),
        parent_id: (n > 1).then(|| turn(n - 1).into()),
        depth: Some(n as u32 - 1),
        role,
        text: text.to_owned(),
        thinking: None,
        turn_id: None,
        model: None,
        outcome: None,
        stop_reason: None,
        error: None,
        usage: None,
        timing: None,
        seams: Vec::new(),
        left_out: None,
        siblings: None,
        created_at: at(time),
    }
}

fn question(n: u128, text: &str, time: &str) -> Message {
    message(n, Role::User, text, time)
}

fn answer(n: u128, text: &str, outcome: Outcome) -> Message {
    Message {
        turn_id: Some(turn(n)),
        model: Some("claude-sonnet-5-5".into()),
        outcome: Some(outcome),
        usage: Some(Usage { input_tokens: 412, output_tokens: 318, ..Usage::default() }),
        timing: Some(Timing { first_ms: Some(610), thinking_ms: None, total_ms: 7900 }),
        ..message(n, Role::Assistant, text, "2026-11-24T10:38:09Z")
    }
}

fn data(kind: PageKind) -> PageData {
    let row = |n, title: &str, time| SessionRow {
        session_id: session(n),
        title: title.to_owned(),
        updated_at: at(time),
        active_turn: None,
    };
    PageData {
        left: None,
        kind,
        page: None,
        sessions: SessionList {
            sessions: vec![
                row(1, "Slow nightly export", "2026-11-24T10:41:00Z"),
                row(2, "Letter to the landlord", "2026-11-24T09:00:00Z"),
                row(3, "Regex for ISO weeks", "2026-11-24T08:00:00Z"),
                row(4, "Naming a rowing club newsletter", "2026-11-23T10:00:00Z"),
                row(5, "DynamoDB keys for an outbox, and what a sweep costs", "2026-11-23T09:00:00Z"),
                row(6, "Why does tar keep my old owner?", "2026-11-20T09:00:00Z"),
            ],
            next: None,
        },
        models: Models {
            default: "claude-sonnet-5-5".into(),
            models: vec![ModelInfo {
                id: "claude-sonnet-5-5".into(),
                name: "Claude Sonnet 5.5".into(),
                context: 200_000,
                max_output: 64_000,
            }],
        },
        simulator: false,
        theme: Theme::System,
        tz: 0,
        now: at("2026-11-24T10:42:00Z"),
        fresh: Fresh { session_id: session(99), turn_id: turn(99) },
        error: None,
        wait: 0,
        deleted: None,
        via: false,
    }
}

fn chat(messages: Vec<Message>, active: Option<TurnId>) -> PageData {
    PageData {
        page: Some(SessionPage {
            session: Session {
                session_id: session(1),
                title: "Slow nightly export".into(),
                created_at: at("2026-11-24T10:38:00Z"),
                updated_at: at("2026-11-24T10:41:00Z"),
                model: None,
            },
            messages,
            active_turn: active,
            next: None,
        }),
        ..data(PageKind::Chat)
    }
}

const REPLY: &str = "At the reads, before the writes. A job that runs for 40 minutes is nearly always **waiting**, not \
working, so measure what it waits for before you change anything. From the log you pasted:\n\n| Step | Time | Share \
| Waits for |\n|---|--:|--:|---|\n| Read orders | 26 min | 65 % | one query per customer, 31,400 of them |\n| Upload | \
11 min | 27 % | a single connection at 8 MB/s |\n\nTwo thirds of the night go into round trips.\n\n> The file must be \
there by 06:00, when the warehouse opens.\n\n```sql\nselect c.id, c.name from customers c\n```\n\n1. **Night one:** run \
both with `cmp`.\n2. Night two\n\n- [x] Compare both files\n- [ ] Ship the new one\n";

fn html(data: PageData) -> String {
    let assets = Assets {
        js: "/a.js".into(),
        wasm: "/a.wasm".into(),
        boot: "/boot.js".into(),
        css: "/a.css".into(),
        ..Assets::default()
    };
    let owner = Owner::new();
    // Where the browser finds texts that are apart; nothing to see.
    let html = owner.with(|| shell(Arc::new(data), &Fixed::default(), Arc::new(assets)).to_html()).replace("<!>", "");
    owner.unset_with_forced_cleanup();
    html
}

/// Keeps a page where it can be looked at, if one asks for it.
fn keep(name: &str, html: &str) {
    if let Ok(dir) = std::env::var("OUTLAST_PAGES") {
        std::fs::write(std::path::Path::new(&dir).join(format!("{name}.html")), html).unwrap();
    }
}

fn talk() -> Vec<Message> {
    vec![
        question(1, "Our nightly export takes 40 minutes. Where should I look first?", "2026-11-24T10:38:00Z"),
        answer(2, REPLY, Outcome::Complete),
        question(
            3,
            "Show me that one query, and how to bring it in without a night going wrong.",
            "2026-11-24T10:41:00Z",
        ),
    ]
}

#[test]
fn a_chat_is_readable_as_it_comes_from_the_server() {
    let mut messages = talk();
    messages.push(answer(4, "Read customers and their orders <b>together</b>.", Outcome::Complete));
    let html = html(chat(messages, None));
    keep("chat", &html);
    for part in [
        "<!DOCTYPE html>",
        "<title>Slow nightly export · Outlast</title>",
        "<h2>Our nightly export takes 40 minutes. Where should I look first?</h2>",
        "<strong>waiting</strong>",
        "&lt;b&gt;together&lt;/b&gt;",
        ">412 tokens</dd>",
        ">0.61 s</dd>",
        "aria-current=\"page\"",
        "action=\"/api/chat/retry\"",
        "action=\"/api/chat/send\"",
    ] {
        assert!(html.contains(part), "{part} is missing in:\n{html}");
    }
    let (page, embedded) = html.split_once("id=\"page-data\"").unwrap();
    assert!(!embedded.contains("waiting"), "an answer's text is sent twice");
    assert!(!page.contains("style="), "an inline style, which the policy forbids");
    assert!(!html.contains("http-equiv"));
}

#[test]
fn what_is_embedded_cannot_end_its_script() {
    let html = html(chat(vec![question(1, "</script><script>alert(1)</script>", "2026-11-24T10:38:00Z")], None));
    assert!(!html.contains("<script>alert"), "{html}");
    assert!(html.contains("\\u003c/script>"));
}

#[test]
fn a_running_reply_waits_for_the_browser_or_is_looked_at_again() {
    let html = html(chat(talk(), Some(turn(4))));
    keep("running", &html);
    assert!(html.contains("<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>"));
    assert!(html.contains("This page looks again every 3 s"));
    assert!(html.contains("aria-busy=\"true\""));
    assert!(html.contains("action=\"/api/chat/stop\""));
    assert!(html.contains("Being written. You may close this tab; it goes on."));
}

#[test]
fn the_growing_page_is_whole_once_it_has_grown() {
    let html = html(PageData { kind: PageKind::Live, ..chat(talk(), Some(turn(4))) });
    let (head, tail) = html.split_once(LIVE_MARKER).unwrap();
    assert!(!tail.contains(LIVE_MARKER));
    assert!(!html.contains("type=\"module\"") && !html.contains("page-data"));
    assert!(head.contains("/api/chat/stop"), "it can be stopped while it grows");
    let end = TurnEvent::End {
        outcome: Outcome::Stopped,
        stop_reason: None,
        usage: Usage::default(),
        error: None,
        timing: Some(Timing { first_ms: Some(5), thinking_ms: None, total_ms: 60 }),
    };
    let end = live_end(&end, session(1), turn(4).into(), vec![Seam { offset: 3, planned: false }]).replace("<!>", "");
    assert!(end.contains("<strong>Stopped.</strong> What was written is kept."), "{end}");
    assert!(end.contains("Picked up once where it left off. Nothing is missing."), "{end}");
    assert!(!end.contains(&format!("name=\"turn_id\" value=\"{}\"", turn(4))), "trying again is another turn");
    let lost = live_lost();
    assert!(lost.contains("<strong>Reconnecting.</strong>") && lost.contains(">Look again</a>"), "{lost}");
    for (name, end) in [("live", end), ("live-lost", lost)] {
        let whole = [head, "<p>So far.</p>", &end, tail].concat();
        keep(name, &whole);
        for tag in ["div", "main", "article", "form", "footer", "details", "body"] {
            let opened = whole.matches(&format!("<{tag}>")).count() + whole.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, whole.matches(&format!("</{tag}>")).count(), "<{tag}> in {name}");
        }
    }
}

#[test]
fn every_end_has_its_words() {
    let end = |text: &str, outcome, stop: Option<&str>, code: Option<&str>| {
        let mut message = answer(2, text, outcome);
        message.stop_reason = stop.map(str::to_owned);
        message.error = code.map(|c| TurnError { code: c.into(), message: "Claude said no.".into(), retryable: true });
        message.seams = vec![Seam { offset: 1, planned: false }, Seam { offset: 2, planned: true }];
        message.siblings = Some(Siblings { ids: vec![turn(7).into(), turn(2).into(), turn(8).into()] });
        html(chat(vec![question(1, "Q", "2026-11-24T10:38:00Z"), message], None))
    };
    let all = [
        ("complete", end("Text", Outcome::Complete, Some("end_turn"), None), "cap-end"),
        ("stopped", end("Text", Outcome::Stopped, None, None), "<strong>Stopped.</strong> What was written is kept."),
        ("cut", end("Text", Outcome::Complete, Some("max_tokens"), None), "The reply reached its length limit."),
        ("refused", end("", Outcome::Complete, Some("refusal"), None), "Claude declined to answer this."),
        (
            "overloaded",
            end("", Outcome::Failed, None, Some("upstream_overloaded")),
            "<strong>Claude is overloaded just now.</strong> Nothing was written. Your message is kept.",
        ),
        ("failed", end("", Outcome::Failed, None, Some("upstream_error")), "<strong>Claude said no.</strong>"),
        (
            "broken",
            end("Text", Outcome::Failed, None, Some("upstream_reset")),
            "The reply broke off and could not be carried on.",
        ),
    ];
    for (name, html, words) in all {
        keep(name, &html);
        assert!(html.contains(words), "{name}: {words} is missing in:\n{html}");
        assert!(html.contains("2 of 3") && html.contains(&format!("?via={}", turn(8))), "{name}");
        assert!(html.contains("Picked up once where it left off."), "{name}");
        assert!(html.contains("Try again") || matches!(name, "refused" | "cut"), "{name}");
    }
}

#[test]
fn what_broke_off_can_be_carried_on() {
    let ways = |text: &str, outcome, stop: Option<&str>, code: Option<&str>| {
        let mut message = answer(2, text, outcome);
        message.stop_reason = stop.map(str::to_owned);
        message.error = code.map(|c| TurnError { code: c.into(), message: "Gone.".into(), retryable: false });
        let html = html(chat(vec![question(1, "Q", "2026-11-24T10:38:00Z"), message], None));
        let form = format!("/api/chat/continue\"><input type=\"hidden\" name=\"turn_id\" value=\"{}\">", turn(99));
        let on = html.contains(&form);
        assert_eq!(on, html.contains(">Continue</button>"), "{html}");
        let main = html.contains("<button class=\"btn btn-main\">Continue</button>");
        (on, main, html.contains("Try again</button>"))
    };
    assert_eq!(ways("Text", Outcome::Stopped, None, None), (true, false, true));
    assert_eq!(ways("Text", Outcome::Failed, None, Some("upstream_reset")), (true, false, true));
    assert_eq!(ways("Text", Outcome::Complete, Some("max_tokens"), None), (true, true, false));
    // Nothing to carry on: not written, whole, no room for more, or not there any more.
    assert_eq!(ways("", Outcome::Stopped, None, None), (false, false, true));
    assert_eq!(ways("", Outcome::Complete, Some("max_tokens"), None), (false, false, true));
    assert_eq!(ways("", Outcome::Failed, None, Some("upstream_overloaded")), (false, false, true));
    assert_eq!(ways("Text", Outcome::Complete, Some("end_turn"), None), (false, false, false));
    assert_eq!(ways("Text", Outcome::Complete, Some("model_context_window_exceeded"), None), (false, false, true));
    assert_eq!(ways("Text", Outcome::Failed, None, Some("not_found")), (false, false, true));
    assert_eq!(ways("Text", Outcome::Complete, Some("refusal"), None), (false, false, false));
}

#[test]
fn only_those_who_took_over_unplanned_are_spoken_of() {
    let page = |planned: &[bool]| {
        let mut message = answer(2, "One, two, three, four.", Outcome::Complete);
        message.seams = planned.iter().zip([4, 9, 16]).map(|(p, offset)| Seam { offset, planned: *p }).collect();
        html(chat(vec![question(1, "Q", "2026-11-24T10:38:00Z"), message], None))
    };
    for (planned, notes, words) in [
        (&[true, true][..], 0, ""),
        (&[false], 1, "Picked up once where it left off. Nothing is missing."),
        (&[false, true, false], 2, "Picked up twice where it left off. Nothing is missing."),
        (&[false, false, false], 3, "Picked up 3 times where it left off. Nothing is missing."),
    ] {
        let html = page(planned);
        assert_eq!(html.matches(">Picked up where it left off</span>").count(), notes, "{planned:?}");
        assert_eq!(html.matches("seam-inline").count(), usize::from(notes > 0), "{planned:?}");
        assert!(html.contains(words), "{planned:?}: {html}");
    }
}

#[test]
fn a_question_has_its_versions_and_folds_when_it_is_long() {
    let mut first = question(1, &"A line of the log.\n".repeat(84), "2026-11-20T10:38:00Z");
    first.siblings = Some(Siblings { ids: vec![turn(1).into(), turn(9).into()] });
    let html = html(chat(vec![first, answer(2, "Yes.", Outcome::Complete)], None));
    keep("long", &html);
    assert!(html.contains("Show all 84 lines"));
    assert!(html.contains("1 of 2"));
    assert!(html.contains("20 Nov 10:38"));
    assert!(html.contains("name=\"parent_id\" value=\"root\""));
}

#[test]
fn what_the_model_cannot_see_is_said_where_it_begins() {
    let mut messages = talk();
    messages.push(Message { left_out: Some(2), ..answer(4, "Yes.", Outcome::Complete) });
    let mut data = chat(messages, None);
    let html_here = html(data.clone());
    let (before, after) =
        html_here.split_once("The oldest 2 messages no longer fit. Claude reads from here on.").unwrap();
    assert!(before.contains("Our nightly export") && after.contains("Show me that one query"));
    // The branch is not here to its start: each message says how deep it stands.
    let mut later = data.clone();
    if let Some(page) = &mut later.page {
        page.next = Some("older".into());
        page.messages.iter_mut().for_each(|m| m.depth = m.depth.map(|d| d + 40));
        page.messages.iter_mut().for_each(|m| m.left_out = m.left_out.map(|_| 42));
    }
    let html_later = html(later);
    let (before, after) =
        html_later.split_once("The oldest 42 messages no longer fit. Claude reads from here on.").unwrap();
    assert!(before.contains("?page=older") && before.contains("Our nightly export"));
    assert!(after.contains("Show me that one query"));
    // What is here is all read, and what is not lies farther up.
    if let Some(page) = &mut data.page {
        page.next = Some("older".into());
        page.messages.iter_mut().for_each(|m| m.depth = m.depth.map(|d| d + 40));
    }
    let html = html(data);
    let (before, after) = html.split_once("The oldest 2 messages no longer fit.<").unwrap();
    assert!(before.contains("?page=older") && after.contains("Our nightly export"), "{html}");
}

#[test]
fn a_new_chat_shows_ways_to_begin_and_says_when_it_is_the_simulator() {
    let mut first = data(PageKind::New);
    first.simulator = true;
    first.sessions = SessionList::default();
    first.deleted = Some(Deleted { session_id: session(7), title: "Old".into() });
    first.error = Some(Code::RateLimited);
    let html = html(first);
    keep("new", &html);
    for part in [
        "Ask, and walk away.",
        "This is the simulator.",
        "/sim tokens=3000",
        "Your chats will be listed here.",
        "name=\"new\" value=\"true\"",
        "Deleted “Old”",
        "Too many messages at once",
    ] {
        assert!(html.contains(part), "{part} is missing in:\n{html}");
    }
    let html = self::html(data(PageKind::New));
    assert!(!html.contains("/sim") && html.contains("Today") && html.contains("Friday, 20 November"));
}

#[test]
fn nothing_here_says_no_more_than_that() {
    let html = html(PageData { theme: Theme::Dark, ..data(PageKind::NotFound) });
    keep("not-found", &html);
    assert!(html.contains("Nothing here.") && html.contains("does not exist, or it is not yours."));
    assert!(html.contains("data-theme=\"dark\""));
    assert!(!html.contains("/api/chat/send"));
}

#[test]
fn a_message_on_another_branch_names_its_parent() {
    let mut messages = talk();
    messages.pop();
    let leaf = MessageId::from(turn(2));
    let html = html(PageData { via: true, ..chat(messages, None) });
    assert!(html.contains(&format!("name=\"parent_id\" value=\"{leaf}\"")));
}

#[test]
fn a_budget_that_is_low_or_spent_is_said() {
    let low = |left| html(PageData { left, ..data(PageKind::New) });
    assert!(low(Some(8)).contains("<p>About <strong>8 replies</strong> are left today."));
    assert!(low(Some(1)).contains("<p>About <strong>1 reply</strong> is left today."));
    assert!(low(Some(0)).contains("Today’s budget is nearly spent."));
    assert!(!low(None).contains("left today"));
    let error = TurnError { code: "budget_spent".into(), message: "x".into(), retryable: true };
    let spent = |now: &str, text| {
        let reply = Message { error: Some(error.clone()), ..answer(2, text, Outcome::Stopped) };
        let messages = vec![question(1, "Q", "2026-11-24T10:38:00Z"), reply];
        html(PageData { now: at(now), ..chat(messages, None) })
    };
    let here = "Today’s budget is spent, so the reply stops here.</strong> ";
    let anew = "The budget begins anew at 00:00 UTC, in 5 h 12 min.";
    assert!(spent("2026-11-24T18:48:00Z", "Half").contains(&[here, "What was written is kept. ", anew].concat()));
    assert!(spent("2026-11-24T18:48:00Z", "").contains(&[here, anew].concat()));
    // A page that was made before the reply's end.
    assert!(spent("2026-11-23T10:00:00Z", "Half").contains("in 13 h 21 min."));
    let later = spent("2026-11-25T00:00:00Z", "Half");
    assert!(
        later.contains("That day’s budget was spent, so the reply stopped here.</strong> What was written is kept. <")
    );
    // What a plain form ran into.
    let refused = |error, wait| {
        let now = at("2026-11-24T18:48:00Z");
        html(PageData { error: Some(error), wait, now, ..data(PageKind::New) })
    };
    let words = "Today’s budget is spent. It begins anew at 00:00 UTC, in 5 h 12 min.";
    assert!(refused(Code::BudgetSpent, 0).contains(words));
    assert!(refused(Code::RateLimited, 24).contains("Too many messages at once. You can send again in 24 s."));
    assert!(refused(Code::RateLimited, 0).contains("Wait a moment, then send again."));
}
