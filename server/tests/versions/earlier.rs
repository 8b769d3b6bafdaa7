//! The format that this version writes, and what writers of it may have left out.

use std::time::Duration;

use app::domain::{Cursor, Outcome};
use server::turn::TurnConfig;

use crate::{
    fixture::all,
    rig::{Reader, Rig, calls, config, splice},
};

on_both!(turns_that_others_left_are_followed_and_finished);
async fn turns_that_others_left_are_followed_and_finished(rig: Rig) {
    let fixtures = all("");
    assert!(fixtures.len() >= 8);
    for fixture in fixtures {
        let name = &fixture.name;
        fixture.put(&rig).await;
        // The fixtures' replies were begun in 2026.
        let server = rig.server_with(TurnConfig { longest: Duration::from_secs(u64::from(u32::MAX)), ..config(false) });
        let before = calls(&rig).await;
        let backend = server.of(fixture.owner);
        let mut reader = Reader::default();
        reader.follow(&backend, fixture.turn).await;

        let outcome = match fixture.text("outcome") {
            Some("complete") => Outcome::Complete,
            Some("stopped") => Outcome::Stopped,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((reader.outcome(), reader.rewinds), (outcome, 0), "{name}");
        assert_eq!(calls(&rig).await - before, fixture.number("asked"), "{name}");
        let page = backend.get_session(fixture.session, None, None).await.unwrap();
        let reply = &page.messages[1];
        let thinking = reply.thinking.clone().unwrap_or_default();
        assert_eq!(thinking, fixture.text("thinking").unwrap_or_default(), "{name}");
        assert_eq!(format!("{thinking}{}", reply.text), reader.text(), "{name}: shown is stored");
        assert!(reply.text.starts_with(fixture.text("begins").unwrap_or_default()), "{name}: {}", reply.text);
        if let Some(text) = fixture.text("text") {
            assert_eq!(reply.text, text, "{name}");
        }
        assert_eq!(splice(&reply.text, fixture.number("words")), fixture.number("made_by"), "{name}");
        let turn = server.store.turn(fixture.turn).await.unwrap().unwrap();
        assert_eq!(turn.bases.len(), fixture.number("claims"), "{name}");
        assert_eq!(page.active_turn, None, "{name}");
        // Afterwards, and from the place where somebody had got to.
        let half = Cursor::new(0, thinking.len() as u32);
        let mut late = Reader { shown: thinking.into_bytes(), cursor: half, ..Reader::default() };
        late.read(backend.follow(fixture.turn, half).await.unwrap()).await;
        assert_eq!(late.text(), reader.text(), "{name}");
    }
}
