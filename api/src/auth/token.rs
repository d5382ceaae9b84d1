//! Tokens of machines: `monban_<id>_<secret>`. The secret is 256 random bits, so its hash needs no salt and no work.

use super::{random_secret, sha256_hex};

/// A token just made. `display` is shown once and kept nowhere.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub id: String,
    pub secret: String,
    /// For [`monban_event::act::Deed::TokenCreated`].
    pub secret_sha256: String,
    pub display: String,
}

pub fn new_token() -> NewToken {
    let id: String = random_secret().chars().take(12).collect();
    let secret = random_secret();
    let display = format!("monban_{id}_{secret}");
    NewToken { secret_sha256: secret_hash(&secret), id, secret, display }
}

pub(crate) fn secret_hash(secret: &str) -> String {
    sha256_hex(secret.as_bytes())
}

/// Id and secret of a token as sent.
pub(crate) fn split(display: &str) -> Option<(&str, &str)> {
    display.strip_prefix("monban_")?.split_once('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_apart_as_it_was_put_together() {
        let token = new_token();
        assert_eq!(split(&token.display), Some((token.id.as_str(), token.secret.as_str())));
        assert_ne!(token.secret, new_token().secret);
        for text in ["", "monban_", "monban_abc", "other_a_b"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
