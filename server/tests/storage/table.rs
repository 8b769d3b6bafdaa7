//! The table itself.

use server::{
    clock::Clock,
    storage::{Store, StoreConfig, StoreErrorKind},
};

use crate::fixtures::Table;

on_both!(init_may_be_repeated, a_missing_table_says_so, a_clock_is_corrected_where_that_is_wanted);

async fn init_may_be_repeated(t: &Table) {
    let session = t.session(t.clock.user_id());
    assert!(t.store.create_session(&session).await.unwrap());
    t.store.init().await.unwrap();
    Store::new(t.config.clone()).init().await.unwrap();
    assert_eq!(t.store.session(session.id).await.unwrap(), Some(session));
    t.store.ping().await.unwrap();
}

async fn a_missing_table_says_so(t: &Table) {
    let store = Store::new(StoreConfig { table: "not-there".to_owned(), ..t.config.clone() });
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Missing);
    assert!(!error.ambiguous() && !error.retryable(), "{error}");
}

async fn a_clock_is_corrected_where_that_is_wanted(t: &Table) {
    let clock = Clock::default();
    for skew in [-3_600_000, 3_600_000] {
        clock.set_skew(skew);
        let config = StoreConfig { clock: clock.clone(), ..t.config.clone() };
        Store::new(config.clone()).ping().await.unwrap();
        assert!(clock.now().millis().abs_diff(t.clock.now().millis()) > 3_000_000, "left alone on loopback");
        // Several answers at once all tell of the same error: it must be corrected once.
        let store = Store::new(StoreConfig { correct_clock: true, ..config });
        for answer in futures::future::join_all((0..8).map(|_| store.ping())).await {
            answer.unwrap();
        }
        assert!(clock.now().millis().abs_diff(t.clock.now().millis()) < 10_000, "from {skew}");
    }
}

#[tokio::test]
async fn no_connection_is_ambiguous_and_worth_another_try() {
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = StoreConfig::new(Some(format!("http://127.0.0.1:{port}")), "eu-central-1", "t", Clock::default());
    let error = Store::new(config).ping().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.ambiguous() && error.retryable());
}
