//! Sessions of people: a random token in a cookie, its hash in the ledger.

use axum::http::{HeaderMap, HeaderValue, header};

/// `__Host-` binds the cookie to this host and to HTTPS; browsers refuse the prefix on plain HTTP.
const SECURE_NAME: &str = "__Host-monban";
const PLAIN_NAME: &str = "monban";

fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// The session's token, if the request carries one.
pub(crate) fn token(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name(secure)).then_some(value))
}

pub(crate) fn cookie(token: &str, secure: bool) -> Option<HeaderValue> {
    line(&format!("{}={token}", name(secure)), secure)
}

pub(crate) fn expired_cookie(secure: bool) -> Option<HeaderValue> {
    line(&format!("{}=; Max-Age=0", name(secure)), secure)
}

fn line(start: &str, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{start}; Path=/; HttpOnly; SameSite=Strict{secure}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; monban=abc; __Host-monban=xyz"));
        assert_eq!(token(&headers, false), Some("abc"));
        assert_eq!(token(&headers, true), Some("xyz"));
        assert_eq!(token(&HeaderMap::new(), true), None);
    }

    #[test]
    fn a_secure_cookie_says_so() {
        let secure = cookie("t", true).unwrap();
        assert_eq!(secure, "__Host-monban=t; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(cookie("t", false).unwrap(), "monban=t; Path=/; HttpOnly; SameSite=Strict");
    }
}
