//! The tree of messages, however long and large.

use app::domain::{Piece, PieceKind, SessionId};
use server::storage::{MessageItem, More, SendOutcome};

use crate::fixtures::{Table, piece};

on_both!(
    two_hundred_thousand_wide_characters_come_back,
    a_long_reply_with_thinking_comes_back,
    three_megabytes_of_history_come_back_whole,
    pages_lead_backwards_through_all_branches,
    links_show_the_tree,
    a_message_without_its_head_is_not_seen,
    an_expired_message_is_not_seen,
);

/// Reads everything backwards, in pages of `limit`.
async fn all_back(t: &Table, session: SessionId, limit: u32) -> (Vec<MessageItem>, u32) {
    let (mut all, mut start, mut pages) = (Vec::new(), None::<More>, 0);
    loop {
        let (page, more) = t.store.messages_back(session, 99_999_999, limit, start.as_ref()).await.unwrap();
        assert!(page.len() as u32 <= limit);
        all.extend(page);
        pages += 1;
        start = more;
        if start.is_none() {
            return (all, pages);
        }
    }
}

async fn two_hundred_thousand_wide_characters_come_back(t: &Table) {
    let text = "漢字かな".repeat(50_000);
    let tx = t.ask(&t.session(t.clock.user_id()), true, &text);
    assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
    let message = tx.message.clone().unwrap();
    assert_eq!(message.content[0].text.len(), 600_000);
    assert_eq!(t.store.message(tx.session.id, message.id, 0).await.unwrap(), Some(message.clone()));
    let answer = t.answer(&tx, &text);
    t.store.compact(&answer).await.unwrap();
    assert_eq!(all_back(t, tx.session.id, 1).await.0, [answer.message, message]);
}

async fn a_long_reply_with_thinking_comes_back(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    let mut answer = t.answer(&tx, "");
    let thinking = |text: String| Piece { kind: PieceKind::Thinking, text };
    answer.message.content =
        vec![thinking("🤔".repeat(100_000)), piece(&"é".repeat(200_000)), piece(""), thinking("x".into())];
    t.store.compact(&answer).await.unwrap();
    assert_eq!(t.store.messages_at(tx.session.id, 1).await.unwrap(), [answer.message]);
}

async fn three_megabytes_of_history_come_back_whole(t: &Table) {
    let mut session = t.session(t.clock.user_id());
    let mut texts = Vec::new();
    for n in 0..10 {
        let (question, reply) = (format!("{n} ").repeat(60_000), format!("re {n} ").repeat(40_000));
        session = t.talk(&session, n == 0, &question, &reply).await;
        texts.extend([question, reply]);
    }
    assert!(texts.iter().map(String::len).sum::<usize>() > 3_000_000);
    let (all, pages) = all_back(t, session.id, 50).await;
    assert!(all.iter().map(|m| m.depth).eq((0..20).rev()));
    assert!(all.iter().rev().map(|m| &m.content[0].text).eq(&texts));
    assert!((3..=5).contains(&pages), "pages of about 1 MiB: {pages}");
}

async fn pages_lead_backwards_through_all_branches(t: &Table) {
    let mut session = t.session(t.clock.user_id());
    for n in 0..8 {
        // Every second reply is too long to stand in its head.
        session = t.talk(&session, n == 0, &format!("q{n}"), &format!("a{n} ").repeat(1 + n % 2 * 900)).await;
        if n == 3 {
            let mut sibling = t.ask(&session, false, "");
            sibling.message = None;
            (sibling.turn.depth, sibling.turn.parent) = (7, t.store.messages_at(session.id, 6).await.unwrap()[0].id);
            t.store.send(&sibling).await.unwrap();
            t.store.compact(&t.answer(&sibling, "another")).await.unwrap();
            session = t.store.session(session.id).await.unwrap().unwrap();
            session.head.as_mut().unwrap().depth = 7;
        }
    }
    let (all, _) = all_back(t, session.id, 50).await;
    assert_eq!(all.len(), 17);
    assert!(all.is_sorted_by(|a, b| (a.depth, a.id) > (b.depth, b.id)));
    for limit in 1..18 {
        let (same, pages) = all_back(t, session.id, limit).await;
        assert_eq!(same, all, "in pages of {limit}");
        assert!((17_u32.div_ceil(limit)..=17 / limit + 1).contains(&pages), "{pages} pages of {limit}");
    }
    let (upper, more) = t.store.messages_back(session.id, 7, 2, None).await.unwrap();
    assert_eq!(upper.iter().map(|m| m.depth).collect::<Vec<_>>(), [7, 7], "siblings stand together");
    assert_eq!(more, Some(More { depth: 7, id: upper[1].id }));
}

async fn links_show_the_tree(t: &Table) {
    let mut session = t.session(t.clock.user_id());
    for n in 0..3 {
        session = t.talk(&session, n == 0, "question", &"long reply ".repeat(500)).await;
    }
    let links = t.store.links(session.id, 0..=u32::MAX / 100).await.unwrap();
    assert_eq!(links.iter().map(|l| l.depth).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(links[0].parent, None);
    assert!(links.windows(2).all(|w| w[1].parent == Some(w[0].id)));
    assert!(links.iter().all(|l| (l.role == app::domain::Role::User) == (l.depth % 2 == 0)));
    assert_eq!(t.store.links(session.id, 2..=3).await.unwrap(), links[2..4]);
}

async fn a_message_without_its_head_is_not_seen(t: &Table) {
    // A compaction that wrote the parts and then found the session deleted leaves just that.
    let (user, now) = (t.clock.user_id(), t.clock.now());
    let first = t.talk(&t.session(user), true, "Q", "A").await;
    let tx = t.ask(&first, false, "Q2");
    t.store.send(&tx).await.unwrap();
    t.store.tombstone(first.id, user, now).await.unwrap();
    t.store.compact(&t.answer(&tx, &"never to be seen ".repeat(50_000))).await.unwrap();
    assert!(t.store.restore(first.id, user, now).await.unwrap());
    let (all, _) = all_back(t, first.id, 2).await;
    assert_eq!(all.iter().map(|m| m.depth).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(t.store.messages_at(first.id, 3).await.unwrap(), []);
    assert_eq!(t.store.links(first.id, 0..=9).await.unwrap().len(), 3);
}

async fn an_expired_message_is_not_seen(t: &Table) {
    let mut tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    let message = tx.message.as_mut().unwrap();
    message.ttl = t.clock.now().seconds() - 5;
    let id = message.id;
    t.store.send(&tx).await.unwrap();
    t.store.compact(&t.answer(&tx, "A")).await.unwrap();
    assert_eq!(t.store.message(tx.session.id, id, 0).await.unwrap(), None);
    assert_eq!(all_back(t, tx.session.id, 50).await.0.len(), 1);
    assert_eq!(t.store.links(tx.session.id, 0..=9).await.unwrap().len(), 1);
}
