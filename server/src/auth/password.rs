//! Secrets that people type: stored as argon2id, in PHC strings.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::clock;

/// Longer ones are refused before they are hashed.
pub const LONGEST: usize = 1024;
/// More memory than this a hash may not demand of the server, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// Nor more passes.
const MOST_PASSES: u32 = 16;

/// A hash, as the configuration gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed(PasswordHash);

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(..)")
    }
}

impl Hashed {
    /// Reads a PHC string of argon2id, with a salt, a hash, and demands that a server can meet.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let whole = hash.salt.is_some() && hash.hash.is_some();
        let fits = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES && params.p_cost() <= 4;
        (hash.algorithm.as_str() == "argon2id" && whole && fits).then_some(Self(hash))
    }

    /// Whether `secret` is the one. Takes tens of milliseconds of a core, and as much memory as the hash demands:
    /// not for an async task.
    #[must_use]
    pub fn matches(&self, secret: &[u8]) -> bool {
        Argon2::default().verify_password(secret, &self.0).is_ok()
    }

    /// Names this hash: what was granted on its strength ends when it is replaced.
    #[must_use]
    pub fn mark(&self) -> String {
        let mut mark = URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.to_string()));
        mark.truncate(16);
        mark
    }
}

fn phc(secret: &[u8], params: Params) -> Option<String> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt: [u8; 16] = clock::random();
    let hash: PasswordHash = argon.hash_password_with_salt(secret, &salt).ok()?;
    Some(hash.to_string())
}

/// The PHC string of a secret that a person chose.
#[must_use]
pub fn hash(secret: &str) -> Option<String> {
    phc(secret.as_bytes(), Params::default())
}

/// A secret that nobody chose, and its PHC string. With 120 random bits nothing is gained by hashing it slowly.
#[must_use]
pub fn generate() -> Option<(String, String)> {
    // No letters that are read as others, and no digits 0 and 1.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut secret = String::new();
    for (i, byte) in clock::random::<24>().iter().enumerate() {
        if i > 0 && i % 6 == 0 {
            secret.push('-');
        }
        secret.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    let hash = phc(secret.as_bytes(), Params::new(Params::MIN_M_COST, 1, 1, None).ok()?)?;
    Some((secret, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_only() {
        let hash = Hashed::parse(&hash("correct horse").unwrap()).unwrap();
        assert!(hash.matches(b"correct horse"));
        for wrong in ["", "correct horse ", "Correct horse", "battery"] {
            assert!(!hash.matches(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn the_same_secret_twice_has_two_hashes_and_two_marks() {
        let [a, b] = [(), ()].map(|()| Hashed::parse(&generate().unwrap().1).unwrap());
        assert_ne!(a, b);
        assert_ne!(a.mark(), b.mark());
        let (secret, text) = generate().unwrap();
        assert!(Hashed::parse(&text).unwrap().matches(secret.as_bytes()));
        assert_eq!(secret.len(), 27);
    }

    #[test]
    fn what_is_no_argon2id_hash_is_refused() {
        let good = hash("x").unwrap();
        assert!(Hashed::parse(&good).is_some());
        for bad in [
            "",
            "x",
            "$2b$12$abcdefghijklmnopqrstuv",
            &good.replace("argon2id", "argon2i"),
            &good.replace("m=19456", "m=1000000"),
            &good.replace("t=2", "t=1000"),
            &good.replace("p=1", "p=64"),
            good.rsplit_once('$').unwrap().0,
        ] {
            assert!(Hashed::parse(bad).is_none(), "{bad}");
        }
    }
}
