//! Passwords: argon2id with its library's parameters (OWASP's first choice), as PHC strings. Slow on purpose, so
//! callers run it where it may wait.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("パスワードは {PASSWORD_CHARACTERS_MIN} 文字以上にしてください。")]
    TooShort,
    #[error("パスワードが長すぎます。")]
    TooLong,
    #[error("hash a password: {0}")]
    Hash(String),
}

/// The PHC string to keep of a new password.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return Err(PasswordError::TooShort);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

/// Whether `password` is the one behind `hash`. Without a hash it takes as long and says no, so that nobody learns from
/// the time which accounts there are.
pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    if let Some(kept) = hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        return Argon2::default().verify_password(password.as_bytes(), &kept).is_ok();
    }
    let same_work = Argon2::default().hash_password(password.as_bytes());
    drop(same_work);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let hash = hash_password("みなと中央病院の合言葉です").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("みなと中央病院の合言葉です", Some(&hash)));
        assert!(!verify("みなと中央病院の合言葉でした", Some(&hash)));
        assert!(!verify("みなと中央病院の合言葉です", None));
        assert!(!verify("x", Some("not a hash")));
    }

    #[test]
    fn length_counts_characters_and_is_bounded() {
        assert!(matches!(hash_password("elevenchars"), Err(PasswordError::TooShort)));
        assert!(matches!(hash_password(&"x".repeat(2000)), Err(PasswordError::TooLong)));
    }
}
