//! The one-time secret by which the first administrator is made. It is shown on the console of the machine, kept as a
//! hash, and gone once it was used.

use std::sync::{Mutex, PoisonError};

use super::{random_secret, same_secret, sha256_hex};

/// The secret's hash, while it may still be used.
#[derive(Debug)]
pub struct SetupSecret(Mutex<Option<String>>);

impl SetupSecret {
    /// A fresh secret, and its text for the console.
    pub fn new() -> (Self, String) {
        let secret: String = random_secret().chars().take(32).collect();
        (Self(Mutex::new(Some(sha256_hex(secret.as_bytes())))), secret)
    }

    /// None: there are users already.
    pub fn spent() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether there still is a secret to give.
    pub(crate) fn is_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn matches(&self, given: &str) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().is_some_and(|kept| same_secret(&sha256_hex(given.trim().as_bytes()), kept))
    }

    pub(crate) fn spend(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_until_it_is_spent() {
        let (setup, secret) = SetupSecret::new();
        assert!(setup.matches(&secret));
        assert!(setup.matches(&format!(" {secret}\n")));
        assert!(!setup.matches("0123"));
        setup.spend();
        assert!(!setup.matches(&secret));
        assert!(!setup.is_open());
    }
}
