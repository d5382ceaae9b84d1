//! HTTP/1.1 by hand, a connection a request: enough to see what a browser or a script would see.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::wait::DEADLINE;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The session that the answer opened, as the next requests send it.
    pub(crate) fn cookie(&self) -> String {
        let line = self.header("set-cookie").unwrap_or_else(|| panic!("no session: {self:#?}"));
        line.split(';').next().unwrap().to_owned()
    }
}

/// Who asks: nobody, a person's session or a machine's token.
#[derive(Clone, Copy)]
pub(crate) enum As<'a> {
    Nobody,
    Session(&'a str),
    Token(&'a str),
}

pub(crate) fn get(to: SocketAddr, who: As<'_>, path: &str) -> Answer {
    exchange(to, "GET", who, path, &[], "")
}

/// A form as a browser sends it from a page of this server.
pub(crate) fn post_form(to: SocketAddr, who: As<'_>, path: &str, fields: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    let kind = ("content-type", "application/x-www-form-urlencoded");
    exchange(to, "POST", who, path, &[kind, ("sec-fetch-site", "same-origin")], &pairs.join("&"))
}

pub(crate) fn exchange(
    to: SocketAddr,
    method: &str,
    who: As<'_>,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let close = [format!("host: {to}"), "connection: close".to_owned(), format!("content-length: {}", body.len())];
    let login = match who {
        As::Nobody => None,
        As::Session(cookie) => Some(format!("cookie: {cookie}")),
        As::Token(token) => Some(format!("authorization: Bearer {token}")),
    };
    let given = headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let head: Vec<String> = close.into_iter().chain(login).chain(given).collect();
    let request = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n{body}", head.join("\r\n"));
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    read(&answer)
}

fn read(bytes: &[u8]) -> Answer {
    let text = String::from_utf8(bytes.to_vec()).expect("pages and JSON are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    assert!(!headers.iter().any(|(name, _)| name == "transfer-encoding"), "answers have a length");
    Answer { status, headers, body: body.to_owned() }
}

/// A value in a form or a query.
pub(crate) fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
