//! Page tokens of lists by recency: which list one belongs to, and after what it goes on.

use std::str::FromStr;

use app::domain::Timestamp;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{StoreError, StoreErrorKind, attr::Item, request::text};

/// The token of the page behind `next`, whose id stands behind `prefix` in its partition key.
pub(super) fn write_token(list: &str, prefix: &str, next: &Item) -> Option<String> {
    let (pk, recent) = (text(next, "pk")?, text(next, "recent")?);
    Some(URL_SAFE_NO_PAD.encode(format!("1|{list}|{recent}|{}", pk.strip_prefix(prefix)?)))
}

/// Where the list goes on.
///
/// # Errors
/// `BadPage` if the token is not one of this list's.
pub(super) fn read_token<T: FromStr>(
    doing: &'static str,
    list: &str,
    token: &str,
) -> Result<(Timestamp, T), StoreError> {
    parse(list, token)
        .ok_or_else(|| StoreError::new(StoreErrorKind::BadPage, doing, "the page token is not one of this list"))
}

fn parse<T: FromStr>(list: &str, token: &str) -> Option<(Timestamp, T)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split('|');
    if parts.next()? != "1" || parts.next()? != list {
        return None;
    }
    let found = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use app::domain::{JobId, SessionId};

    use super::{
        super::{
            attr::{key, s},
            keys,
        },
        *,
    };

    proptest::proptest! {
        #[test]
        fn any_text_is_a_page_token_or_refused(token in "\\PC*") {
            proptest::prop_assert_eq!(parse::<SessionId>("list", &token), None);
        }
    }

    #[test]
    fn a_token_belongs_to_its_list() {
        let at = Timestamp::from_millis(5);
        let (session, job) = (SessionId::from_parts(at, 7), JobId::from_parts(at, 7));
        let mut next = key(keys::session_pk(session), keys::SESSION);
        next.insert("recent".to_owned(), s("2026-11-25T10:00:00.000Z"));
        let token = write_token("a", "SESSION#", &next).unwrap();
        assert_eq!(parse("a", &token).map(|(_, id)| id), Some(session));
        assert_eq!(parse::<SessionId>("b", &token), None);
        next.insert("pk".to_owned(), s(keys::job_pk(job)));
        let token = write_token("a", "JOB#", &next).unwrap();
        assert_eq!(parse("a", &token).map(|(_, id)| id), Some(job));
        assert_eq!((parse::<JobId>("b", &token), parse::<JobId>("a", "x")), (None, None));
        assert_eq!(read_token::<JobId>("listing", "b", &token).unwrap_err().kind(), StoreErrorKind::BadPage);
        assert_eq!(write_token("a", "SESSION#", &next), None);
    }
}
