//! How a machine carries its token. The API takes `Bearer`. What takes logs also takes HTTP Basic with the token as
//! the password, whatever the user name, and Elasticsearch's `ApiKey` (base64 of `id:token`): standard senders know
//! nothing else. Basic opens nothing but that, because a browser sends it again by itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longest header looked at, in bytes: a token has 82, and base64 of it with a user name some 200.
const HEADER_BYTES_MAX: usize = 1024;

/// The token in an `Authorization` header; `sender`: of a route that takes logs.
pub(crate) fn token(header: &str, sender: bool) -> Option<String> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let (scheme, given) = header.split_once(' ')?;
    let given = given.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(given.to_owned()),
        // Some clients send the key as it was given to them, without base64.
        "apikey" if sender && given.starts_with("monban_") => Some(given.to_owned()),
        "basic" | "apikey" if sender => behind_colon(given),
        _ => None,
    }
}

fn behind_colon(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, token)| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_may_carry_a_token_in_three_ways() {
        // base64 of fluent:monban_ab_cd and of ab:monban_ab_cd
        for header in [
            "Bearer monban_ab_cd",
            "bearer monban_ab_cd",
            "Basic Zmx1ZW50Om1vbmJhbl9hYl9jZA==",
            "ApiKey YWI6bW9uYmFuX2FiX2Nk",
            "ApiKey monban_ab_cd",
        ] {
            assert_eq!(token(header, true).as_deref(), Some("monban_ab_cd"), "{header}");
        }
    }

    #[test]
    fn elsewhere_only_bearer_counts() {
        assert_eq!(token("Bearer monban_ab_cd", false).as_deref(), Some("monban_ab_cd"));
        for header in ["Basic Zmx1ZW50Om1vbmJhbl9hYl9jZA==", "ApiKey YWI6bW9uYmFuX2FiX2Nk", "ApiKey monban_ab_cd"] {
            assert_eq!(token(header, false), None, "{header}");
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        let long = format!("Basic {}", "QUJD".repeat(1000));
        for header in ["", "Basic", "Basic ***", "Basic QUJD", "Digest x", "Basic /////w==", &long] {
            assert_eq!(token(header, true), None, "{header}");
        }
    }
}
