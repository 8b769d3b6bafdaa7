//! The identity cookie: `outlast_id=<user ULID>.<issued, seconds since the epoch>[.<mark>].<base64url HMAC-SHA256>`.
//!
//! Whoever holds it is that user; there is nothing to look up. The mark says by which access code they were let in; it
//! is signed with the rest, so it cannot be taken from one cookie to another.

use app::domain::{Timestamp, UserId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;

use crate::{clock::Clock, config::Secret};

/// The cookie's name.
pub const COOKIE: &str = "outlast_id";

const DAY: u64 = 86_400;
/// The longest that browsers keep a cookie (RFC 6265bis, section 5.5).
const LIFE: u64 = 400 * DAY;

type Key = Hmac<Sha256>;

/// Signs and verifies.
#[derive(Clone)]
pub struct Identity {
    /// Never empty. The first signs, all verify.
    keys: Vec<Key>,
    clock: Clock,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub user: UserId,
    /// By which access code they were let in, if by any.
    pub mark: Option<String>,
    /// There was no good cookie.
    pub new: bool,
    /// The cookie is to be set: the user is new, or the cookie is old.
    pub issue: bool,
}

impl Identity {
    /// `first` signs; `older` verify too.
    #[must_use]
    pub fn new(first: &Secret, older: &[Secret], clock: Clock) -> Self {
        let key = |secret: &Secret| {
            let mut mac = match Key::new_from_slice(secret.expose().as_bytes()) {
                Ok(mac) => mac,
                // HMAC takes keys of any length.
                Err(_) => unreachable!("HMAC refuses no key"),
            };
            // So that a signature made for one purpose never serves another.
            mac.update(b"outlast_id:");
            mac
        };
        Self { keys: std::iter::once(first).chain(older).map(key).collect(), clock }
    }

    /// The user of these headers; a new one where there is no good cookie.
    #[must_use]
    pub fn of(&self, headers: &HeaderMap) -> Known {
        cookies(headers, COOKIE).find_map(|value| self.verify(value)).unwrap_or_else(|| Known {
            user: self.clock.user_id(),
            mark: None,
            new: true,
            issue: true,
        })
    }

    fn verify(&self, value: &str) -> Option<Known> {
        let (signed, mac) = value.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        // `verify_slice` takes the same time wherever the two differ.
        let key = self.keys.iter().position(|key| {
            let mut key = key.clone();
            key.update(signed.as_bytes());
            key.verify_slice(&mac).is_ok()
        })?;
        let mut parts = signed.split('.');
        let (user, issued, mark) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let age = self.clock.now().seconds().saturating_sub(issued.parse().ok()?);
        (age < LIFE).then_some(Known {
            user: user.parse().ok()?,
            mark: mark.map(ToOwned::to_owned),
            new: false,
            issue: key > 0 || age >= DAY,
        })
    }

    /// The value of `Set-Cookie` for a user, issued now. `Secure` but where the request came over loopback, the only
    /// place where plain http is meant to work.
    #[must_use]
    pub fn set_cookie(&self, user: UserId, mark: Option<&str>, loopback: bool) -> HeaderValue {
        let value = self.sign_with(user, mark, self.clock.now());
        let secure = if loopback { "" } else { "; Secure" };
        let cookie = format!("{COOKIE}={value}; Max-Age={LIFE}; Path=/; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The cookie's value, of a user whom no code let in.
    #[must_use]
    pub fn sign(&self, user: UserId, issued: Timestamp) -> String {
        self.sign_with(user, None, issued)
    }

    fn sign_with(&self, user: UserId, mark: Option<&str>, issued: Timestamp) -> String {
        let mut signed = format!("{user}.{}", issued.seconds());
        if let Some(mark) = mark {
            signed.push('.');
            signed.push_str(mark);
        }
        let mac = self.keys.first().map(|key| {
            let mut key = key.clone();
            key.update(signed.as_bytes());
            URL_SAFE_NO_PAD.encode(key.finalize().into_bytes())
        });
        format!("{signed}.{}", mac.unwrap_or_default())
    }
}

/// Every value that a request sends for a cookie.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Whether the request was made to this machine itself, by its `Host`.
#[must_use]
pub fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "127.0.0.1" | "::1") || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(n: u8) -> Secret {
        Secret::new(format!("{n}-secret-of-at-least-thirty-two-bytes"))
    }

    fn with(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    fn value(set: &HeaderValue) -> String {
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn the_cookie_is_the_user_until_it_is_400_days_old() {
        let clock = Clock::default();
        let identity = Identity::new(&secret(1), &[], clock.clone());
        let new = identity.of(&HeaderMap::new());
        assert!(new.issue);
        let headers = with(&format!("a=b; {}; c=d", value(&identity.set_cookie(new.user, None, true))));
        let at = |days: i64| {
            clock.set_skew(days * 86_400_000);
            identity.of(&headers)
        };
        assert_eq!(at(0), Known { user: new.user, mark: None, new: false, issue: false });
        assert_eq!(at(1), Known { user: new.user, mark: None, new: false, issue: true }, "renewed");
        assert_eq!(at(399), Known { user: new.user, mark: None, new: false, issue: true });
        assert_ne!(at(400).user, new.user);
    }

    #[test]
    fn an_old_secret_verifies_and_the_new_one_signs() {
        let old = Identity::new(&secret(1), &[], Clock::default());
        let user = old.of(&HeaderMap::new()).user;
        let headers = with(&value(&old.set_cookie(user, None, true)));
        let rotated = Identity::new(&secret(2), &[secret(3), secret(1)], Clock::default());
        assert_eq!(rotated.of(&headers), Known { user, mark: None, new: false, issue: true });
        let renewed = with(&value(&rotated.set_cookie(user, None, true)));
        assert_eq!(rotated.of(&renewed), Known { user, mark: None, new: false, issue: false });
        let dropped = Identity::new(&secret(2), &[], Clock::default());
        assert_ne!(dropped.of(&headers).user, user);
        assert_eq!(dropped.of(&renewed), Known { user, mark: None, new: false, issue: false });
    }

    #[test]
    fn whatever_is_changed_in_it_makes_a_new_user() {
        let identity = Identity::new(&secret(1), &[], Clock::default());
        let user = identity.of(&HeaderMap::new()).user;
        let good = identity.sign(user, Clock::default().now());
        for i in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[i] = if bad[i] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            let known = identity.of(&with(&format!("{COOKIE}={bad}")));
            assert!(known.issue && known.user != user, "{bad}");
        }
        for bad in ["", ".", "..", "a.b.c", &good[..good.len() - 1], &format!("{good}A"), &format!("{user}.1")] {
            assert_ne!(identity.of(&with(&format!("{COOKIE}={bad}"))).user, user, "{bad}");
        }
        // A bad one before a good one does not hide it.
        assert_eq!(identity.of(&with(&format!("{COOKIE}=x; {COOKIE}={good}"))).user, user);
        assert_ne!(identity.of(&with(&format!("not_{COOKIE}={good}"))).user, user);
    }

    #[test]
    fn a_mark_is_part_of_what_is_signed() {
        let identity = Identity::new(&secret(1), &[], Clock::default());
        let (user, now) = (identity.of(&HeaderMap::new()).user, Clock::default().now());
        let of = |value: &str| identity.of(&with(&format!("{COOKIE}={value}")));
        let marked = identity.sign_with(user, Some("abc"), now);
        assert_eq!(of(&marked), Known { user, mark: Some("abc".into()), new: false, issue: false });
        let (plain_signed, plain_mac) = {
            let plain = identity.sign(user, now);
            let (signed, mac) = plain.rsplit_once('.').unwrap();
            (signed.to_owned(), mac.to_owned())
        };
        let (marked_signed, marked_mac) = marked.rsplit_once('.').unwrap();
        for forged in [
            format!("{plain_signed}.abc.{plain_mac}"),
            format!("{plain_signed}.{marked_mac}"),
            format!("{marked_signed}.{plain_mac}"),
            marked.replace("abc", "abd"),
            identity.sign_with(user, Some("abc.d"), now),
        ] {
            assert!(of(&forged).new, "{forged}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback() {
        let identity = Identity::new(&secret(1), &[], Clock::default());
        let user = identity.of(&HeaderMap::new()).user;
        assert!(identity.set_cookie(user, None, false).to_str().unwrap().ends_with("; HttpOnly; SameSite=Lax; Secure"));
        assert!(!identity.set_cookie(user, None, true).to_str().unwrap().contains("Secure"));
        let host = |h: &str| is_loopback(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(h).unwrap())]));
        for yes in ["127.0.0.1", "127.0.0.1:3000", "localhost", "LOCALHOST:1", "[::1]", "[::1]:3000"] {
            assert!(host(yes), "{yes}");
        }
        for no in ["", "example.org", "127.0.0.1.example.org", "localhost.example.org:80", "[::2]", "::1", "[::1"] {
            assert!(!host(no), "{no}");
        }
        assert!(!is_loopback(&HeaderMap::new()));
    }
}
