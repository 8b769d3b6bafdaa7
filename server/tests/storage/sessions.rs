//! Sessions and their lists.

use server::storage::{SendOutcome, SessionItem, StoreErrorKind, keys};

use crate::fixtures::{Table, later};

on_both!(
    a_session_is_what_was_put,
    an_expired_session_is_not_there,
    renaming_needs_its_owner,
    lists_are_by_recency_in_pages,
    a_page_token_serves_its_own_list_only,
    the_admin_list_is_by_day_and_shard,
    a_deleted_session_can_be_restored_for_a_minute,
    an_active_turn_is_cleared_once,
);

async fn a_session_is_what_was_put(t: &Table) {
    let session = t.session(t.clock.user_id());
    assert!(t.store.create_session(&session).await.unwrap());
    assert_eq!(t.store.session(session.id).await.unwrap(), Some(session.clone()));
    assert!(t.store.create_session(&session).await.unwrap(), "the same again is the same");
    let other = SessionItem { owner: t.clock.user_id(), ..session.clone() };
    assert!(!t.store.create_session(&other).await.unwrap());
    assert_eq!(t.store.session(session.id).await.unwrap(), Some(session));
    assert_eq!(t.store.session(t.clock.session_id()).await.unwrap(), None);
}

async fn an_expired_session_is_not_there(t: &Table) {
    let mut session = t.session(t.clock.user_id());
    session.ttl = t.clock.now().seconds() - 10;
    assert!(t.store.create_session(&session).await.unwrap());
    assert_eq!(t.store.session(session.id).await.unwrap(), None);
    assert_eq!(t.store.list_sessions(session.owner, None, 50).await.unwrap(), (vec![], None));
    session.ttl = t.ttl();
    assert_eq!(t.store.send(&t.ask(&session, false, "?")).await.unwrap(), SendOutcome::Refused);
    assert_eq!(t.store.send(&t.ask(&session, true, "?")).await.unwrap(), SendOutcome::Sent, "its place is free");
}

async fn renaming_needs_its_owner(t: &Table) {
    let session = t.session(t.clock.user_id());
    assert!(!t.store.rename(session.id, session.owner, "x").await.unwrap(), "nothing is made by a rename");
    assert_eq!(t.store.session(session.id).await.unwrap(), None);
    t.store.create_session(&session).await.unwrap();
    assert!(!t.store.rename(session.id, t.clock.user_id(), "x").await.unwrap());
    let title = "ä".repeat(200);
    assert!(t.store.rename(session.id, session.owner, &title).await.unwrap());
    assert_eq!(t.store.session(session.id).await.unwrap().unwrap().title, title);
    assert_eq!(t.store.list_sessions(session.owner, None, 50).await.unwrap().0[0].title, title);
    t.store.tombstone(session.id, session.owner, t.clock.now()).await.unwrap().unwrap();
    assert!(!t.store.rename(session.id, session.owner, "x").await.unwrap());
}

async fn lists_are_by_recency_in_pages(t: &Table) {
    let (user, now) = (t.clock.user_id(), t.clock.now());
    let mut ids = Vec::new();
    for n in 0..25 {
        let session = SessionItem { updated_at: later(now, (n * 7) % 25), ..t.session(user) };
        ids.push((session.updated_at, session.id));
        t.store.create_session(&session).await.unwrap();
    }
    t.store.create_session(&t.session(t.clock.user_id())).await.unwrap();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let (mut found, mut page, mut pages) = (Vec::new(), None, 0);
    loop {
        let (entries, next) = t.store.list_sessions(user, page.as_deref(), 10).await.unwrap();
        assert!(entries.len() <= 10);
        found.extend(entries.into_iter().map(|e| (e.updated_at, e.id)));
        pages += 1;
        page = next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (ids.clone(), 3));

    // The oldest one gets a turn and comes first, running.
    let oldest = t.store.session(ids[24].1).await.unwrap().unwrap();
    t.clock.set_skew(100_000);
    let tx = t.ask(&oldest, false, "Hello?");
    assert_eq!(t.store.send(&tx).await.unwrap(), SendOutcome::Sent);
    let first = t.store.list_sessions(user, None, 1).await.unwrap().0.remove(0);
    assert_eq!((first.id, first.active), (oldest.id, Some(tx.turn.id)));
    t.store.compact(&t.answer(&tx, "Hello.")).await.unwrap();
    assert_eq!(t.store.list_sessions(user, None, 1).await.unwrap().0[0].active, None);
}

async fn a_page_token_serves_its_own_list_only(t: &Table) {
    let (one, two) = (t.clock.user_id(), t.clock.user_id());
    for user in [one, one, two, two] {
        t.store.create_session(&t.session(user)).await.unwrap();
    }
    let token = t.store.list_sessions(one, None, 1).await.unwrap().1.unwrap();
    assert_eq!(t.store.list_sessions(one, Some(&token), 5).await.unwrap().0.len(), 1);
    for bad in [token.as_str(), "", "x", "MXxhfGJ8Yw", &token[1..]] {
        let error = t.store.list_sessions(two, Some(bad), 5).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::BadPage, "{bad}");
    }
}

async fn the_admin_list_is_by_day_and_shard(t: &Table) {
    let at = "2026-03-03T10:00:00Z".parse().unwrap();
    let mut all = Vec::new();
    for n in 0..40 {
        let session = SessionItem { updated_at: later(at, n), ..t.session(t.clock.user_id()) };
        t.store.create_session(&session).await.unwrap();
        all.push(session.id);
    }
    let mut found = Vec::new();
    for shard in 0..keys::DAY_SHARDS {
        let mut page = None;
        loop {
            let (entries, next) = t.store.list_day("2026-03-03", shard, page.as_deref(), 4).await.unwrap();
            assert!(entries.is_sorted_by(|a, b| a.updated_at >= b.updated_at));
            found.extend(entries);
            page = next;
            if page.is_none() {
                break;
            }
        }
    }
    found.sort_by_key(|e| e.updated_at);
    assert_eq!(found.iter().map(|e| e.id).collect::<Vec<_>>(), all);

    // A turn takes it to the day of the turn, and its end is noted.
    let session = t.store.session(all[0]).await.unwrap().unwrap();
    t.talk(&session, false, "And now?", "Now.").await;
    let (mut today, mut then) = (Vec::new(), 0);
    for shard in 0..keys::DAY_SHARDS {
        today.extend(t.store.list_day(&keys::day(t.clock.now()), shard, None, 50).await.unwrap().0);
        then += t.store.list_day("2026-03-03", shard, None, 50).await.unwrap().0.len();
    }
    assert_eq!((today.len(), then), (1, 39));
    assert_eq!((today[0].id, today[0].owner), (session.id, session.owner));
    assert_eq!(today[0].outcome, Some(app::domain::Outcome::Complete));
    assert_eq!(today[0].model.as_deref(), Some("claude-test"));
}

async fn a_deleted_session_can_be_restored_for_a_minute(t: &Table) {
    let (user, now) = (t.clock.user_id(), t.clock.now());
    let session = t.talk(&t.session(user), true, "Q", "A").await;
    assert_eq!(t.store.tombstone(session.id, t.clock.user_id(), now).await.unwrap(), None, "not somebody else's");
    assert!(!t.store.restore(session.id, user, now).await.unwrap(), "it isn't deleted");
    let gone = t.store.tombstone(session.id, user, now).await.unwrap().unwrap();
    assert_eq!(gone, SessionItem { deleted_at: Some(now), ..session.clone() });
    assert_eq!(t.store.session(session.id).await.unwrap(), Some(gone));
    assert_eq!(t.store.list_sessions(user, None, 50).await.unwrap().0, []);
    assert_eq!(t.store.tombstone(session.id, user, later(now, 1)).await.unwrap(), None, "already");
    assert_eq!(t.store.send(&t.ask(&session, false, "?")).await.unwrap(), SendOutcome::Refused);

    assert!(!t.store.restore(session.id, t.clock.user_id(), later(now, 1)).await.unwrap());
    assert!(!t.store.restore(session.id, user, later(now, 61)).await.unwrap(), "too late");
    assert!(t.store.restore(session.id, user, later(now, 60)).await.unwrap());
    assert_eq!(t.store.session(session.id).await.unwrap(), Some(session.clone()));
    assert_eq!(t.store.list_sessions(user, None, 50).await.unwrap().0.len(), 1);
    assert_eq!(t.store.tombstone(session.id, user, now).await.unwrap(), None, "a repetition that comes late");
    t.talk(&session, false, "Q", "A").await;
    assert!(t.store.tombstone(session.id, user, later(now, 2)).await.unwrap().is_some(), "another deletion");
}

async fn an_active_turn_is_cleared_once(t: &Table) {
    let tx = t.ask(&t.session(t.clock.user_id()), true, "Q");
    t.store.send(&tx).await.unwrap();
    let active = async || t.store.session(tx.session.id).await.unwrap().unwrap().active;
    t.store.clear_active(tx.session.id, crate::fixtures::no_turn()).await.unwrap();
    assert_eq!(active().await, Some(tx.turn.id), "it is another one");
    t.store.clear_active(tx.session.id, tx.turn.id).await.unwrap();
    assert_eq!(active().await, None);
    t.store.clear_active(t.clock.session_id(), tx.turn.id).await.unwrap();
}
