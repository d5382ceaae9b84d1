//! What a delivery's head says of its body: type and packing.

use axum::http::{HeaderMap, header};

use super::refused::Refused;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Text,
    /// One object, an array of them, or one a line: the body itself tells which.
    Json,
    Bytes,
    /// With its boundary.
    Multipart(String),
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

/// Longest boundary RFC 2046 §5.1.1 allows.
const BOUNDARY_BYTES_MAX: usize = 70;

/// `None` where nothing is said.
pub(super) fn media(headers: &HeaderMap) -> Option<Media> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    Some(match kind.trim().to_ascii_lowercase().as_str() {
        "text/plain" => Media::Text,
        "application/octet-stream" => Media::Bytes,
        "multipart/form-data" => boundary(parameters).map_or(Media::Other, Media::Multipart),
        "application/json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/vnd.elasticsearch+json"
        | "application/vnd.elasticsearch+x-ndjson" => Media::Json,
        _ => Media::Other,
    })
}

fn boundary(parameters: &str) -> Option<String> {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (1..=BOUNDARY_BYTES_MAX).contains(&value.len()).then(|| value.to_owned())
}

pub(super) fn coding(headers: &HeaderMap) -> Result<Coding, Refused> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(Coding::Plain) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        // One packing, once: a body packed twice over is a bomb.
        _ if values.next().is_some() => Err(Refused::Coding),
        "identity" => Ok(Coding::Plain),
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "zstd" => Ok(Coding::Zstd),
        _ => Err(Refused::Coding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        [(name, HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn types_are_known_with_and_without_parameters() {
        for (value, expected) in [
            ("text/plain; charset=Shift_JIS", Media::Text),
            ("Application/JSON", Media::Json),
            ("application/vnd.elasticsearch+x-ndjson; compatible-with=9", Media::Json),
            ("application/octet-stream", Media::Bytes),
            ("multipart/form-data; boundary=\"a b\"", Media::Multipart("a b".to_owned())),
            ("multipart/form-data; charset=utf-8; Boundary=--x", Media::Multipart("--x".to_owned())),
            ("multipart/form-data", Media::Other),
            ("application/x-www-form-urlencoded", Media::Other),
        ] {
            assert_eq!(media(&with(header::CONTENT_TYPE, value)), Some(expected), "{value}");
        }
        assert_eq!(media(&HeaderMap::new()), None);
    }

    #[test]
    fn packings_are_known_or_refused() {
        for (value, expected) in [("identity", Coding::Plain), ("GZIP", Coding::Gzip), ("zstd", Coding::Zstd)] {
            assert_eq!(coding(&with(header::CONTENT_ENCODING, value)).unwrap(), expected);
        }
        for value in ["br", "gzip, gzip", ""] {
            assert!(coding(&with(header::CONTENT_ENCODING, value)).is_err(), "{value}");
        }
        let mut twice = with(header::CONTENT_ENCODING, "gzip");
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(coding(&twice).is_err());
    }
}
