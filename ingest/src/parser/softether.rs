//! `SoftEther` VPN Server and Bridge, in English and in Japanese.
//!
//! Format: the server's own log (one file per hub and day) and its syslog forwarding; texts of `strtable_en.stb` and
//! `strtable_ja.stb`. Quirks this file owns:
//! * The text's language is the server's. What a line says is read from what stands in it whatever the language: the
//!   quoted `"CID-…"` (connection) and `"SID-…"` (session), the quoted account, addresses, numbers of bytes. Only success
//!   and refusal of an authentication need a word.
//! * File lines begin with a local `YYYY-MM-DD hh:mm:ss.mmm` and have no host: the next word is text.
//! * By syslog: `[HOST/VPN] (time) <HUB>: text`.
//! * The authentication has no address; the session's line has address and `SID-ACCOUNT-n`, where the account is in
//!   capitals: that line is the start. `SECURENAT`, `LOCALBRIDGE` and their kin are the server's own sessions.

use super::draft::{Draft, address};
use super::gateway::{ADDRESS, LOGIN_REFUSED, Meaning, SESSION, SESSION_END, SESSION_START, STEP, mean};
use super::scan::{behind, between, count, port};
use crate::header::Header;

/// Most quoted words read of one line; the longest known has fourteen.
const QUOTED_MAX: usize = 32;

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let line = header.after_time;
    let has = |mark: &str| memchr::memmem::find(line.as_bytes(), mark.as_bytes()).is_some();
    let is_listener = has("On the TCP Listener (Port ") || has("TCP リスナー (ポート ");
    if !has("\"CID-") && !has("\"SID-") && !is_listener {
        return false;
    }
    let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).take(QUOTED_MAX).collect();
    let starting = |mark: &str| quoted.iter().copied().find(|word| word.starts_with(mark));
    let (connection, session) = (starting("CID-"), starting("SID-"));
    draft.product("softether", "softether.server", "SoftEther", "VPN Server");
    draft.rule("softether");
    draft.event.vpn_type = Some("softether".to_owned());
    name_host(header, draft);
    draft.event.vpn_session_id = session.or(connection).map(str::to_owned);
    draft.event.vpn_tunnel = connection.map(str::to_owned);
    draft.native("connection", connection.unwrap_or(""));
    let line = Line { text: line, quoted: &quoted, connection, session };
    let meaning = line.read(draft);
    mean(draft, meaning);
    true
}

/// A file's line has no host: only behind a PRI or before the server's own bracket is the word before a name.
fn name_host(header: &Header<'_>, draft: &mut Draft<'_>) {
    let own = between(header.body, "[", "/").filter(|_| header.body.starts_with('['));
    let framed = header.priority.is_some() || own.is_some();
    draft.event.observer_hostname = header.host.filter(|_| framed).or(own).map(str::to_owned);
    if let Some(hub) = between(header.body, ") <", ">: ") {
        draft.native("hub", hub);
    }
}

struct Line<'a, 'q> {
    text: &'a str,
    quoted: &'q [&'a str],
    connection: Option<&'a str>,
    session: Option<&'a str>,
}

impl Line<'_, '_> {
    fn read(&self, draft: &mut Draft<'_>) -> Meaning {
        self.ends(draft);
        match (self.connection, self.session) {
            (Some(_), Some(session)) => {
                draft.user(account_of(session).unwrap_or(""));
                SESSION_START
            }
            (Some(_), None) => self.connection_line(draft),
            (None, Some(_)) => self.session_line(draft),
            (None, None) => SESSION,
        }
    }

    /// `(IP address: 203.0.113.9, …, Port number: 1168, …)`; a quoted address is one the client tells about itself.
    fn ends(&self, draft: &mut Draft<'_>) {
        const ENDS: &[char] = &[',', ')', ' '];
        for mark in ["IP address: ", "IP address ", "IP アドレス: ", "IP アドレス "] {
            draft.source(behind(self.text, mark, ENDS).unwrap_or(""));
        }
        let number = ["Port number: ", "Port number ", "ポート番号: ", "ポート番号 "];
        let number = number.iter().find_map(|mark| behind(self.text, mark, ENDS).and_then(port));
        draft.event.source_port = number.filter(|_| draft.event.source_ip.is_some());
    }

    /// With an address it is an attempt that names account and method; without, the answer to one.
    fn connection_line(&self, draft: &mut Draft<'_>) -> Meaning {
        let says = |words: &[&str]| words.iter().any(|word| self.text.contains(word));
        let is_attempt = draft.event.source_ip.is_some() && self.quoted.len() >= 4;
        let is_answer = self.quoted.len() == 2 && says(&["uthenticat", "認証"]);
        if !is_attempt && !is_answer {
            return SESSION;
        }
        draft.user(self.quoted.last().copied().unwrap_or(""));
        if is_attempt {
            return SESSION;
        }
        // Newer builds name the address behind the account: `…, the client IP address was 203.0.113.9`.
        let behind_account = self.text.rsplit('"').next().unwrap_or("");
        for word in behind_account.split([' ', ',', '(', ')', '。']) {
            draft.source(word.trim_end_matches('.'));
        }
        if says(&["failed", "失敗"]) {
            draft.reason("authentication failed");
            LOGIN_REFUSED
        } else {
            STEP
        }
    }

    fn session_line(&self, draft: &mut Draft<'_>) -> Meaning {
        let sizes: Vec<i64> = sizes(self.text);
        if let [outgoing, incoming] = sizes.as_slice() {
            draft.event.destination_bytes = Some(*outgoing);
            draft.event.source_bytes = Some(*incoming);
            draft.user(self.session.and_then(account_of).unwrap_or(""));
            return SESSION_END;
        }
        self.lease(draft).unwrap_or(SESSION)
    }

    /// One session's DHCP server gives another session's host an address: the client is the second, the address is the
    /// last word.
    fn lease(&self, draft: &mut Draft<'_>) -> Option<Meaning> {
        let server = self.session?;
        let client = self.quoted.iter().copied().find(|word| word.starts_with("SID-") && *word != server)?;
        let words = self.text.split([' ', '(', ')', ',']);
        let assigned = words.map(|word| word.trim_end_matches(['.', '。'])).rfind(|word| address(word).is_some())?;
        draft.event.vpn_session_id = Some(client.to_owned());
        draft.event.source_mac =
            self.quoted.iter().rev().find(|word| word.len() == 17 && word.contains('-')).map(|mac| (*mac).to_owned());
        draft.assigned(assigned);
        Some(ADDRESS)
    }
}

/// `SID-VENDOR01-19`, `SID-VENDOR01-[L2TP]-19`: the account, unless the session is the server's own.
fn account_of(session: &str) -> Option<&str> {
    const OWN: [&str; 5] = ["SECURENAT", "LOCALBRIDGE", "L3SW", "CASCADE", "LINK"];
    let (name, number) = session.strip_prefix("SID-")?.rsplit_once('-')?;
    let name = name.split_once("-[").map_or(name, |(name, _)| name);
    (number.bytes().all(|byte| byte.is_ascii_digit()) && !OWN.contains(&name)).then_some(name)
}

/// The numbers before `bytes` or `バイト`.
fn sizes(text: &str) -> Vec<i64> {
    const SIZES_MAX: usize = 4;
    let units = [" bytes", " バイト", "バイト"];
    let Some(unit) = units.iter().find(|unit| text.contains(**unit)) else { return Vec::new() };
    let before = text.split(unit).take(SIZES_MAX);
    before.filter_map(|part| count(part.rsplit([' ', ':', '：']).next()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn a_login_in_both_languages() {
        for line in [
            r#"2026-03-03 02:14:08.406 The connection "CID-743" (IP address: 203.0.113.9, Host name: 203.0.113.9, Port number: 1168, Client name: "SoftEther VPN Client", Version: 4.19, Build: 9599) is attempting to connect to the Virtual Hub. The auth type provided is "Password authentication" and the user name is "vendor01"."#,
            r#"2026-03-03 02:14:08.406 コネクション "CID-743" (IP アドレス: 203.0.113.9, ホスト名: 203.0.113.9, ポート番号: 1168, クライアント名: "SoftEther VPN Client", バージョン: 4.19, ビルド: 9599) が仮想 HUB への接続を試行しています。提示している認証方法は "パスワード認証" でユーザー名は "vendor01" です。"#,
        ] {
            check(
                line,
                &[
                    ("source.ip", "203.0.113.9"),
                    ("source.port", "1168"),
                    ("user.name", "vendor01"),
                    ("vpn.session_id", "CID-743"),
                    ("event.action", "other"),
                    ("observer.hostname", "-"),
                    ("@timestamp", "2026-03-02T17:14:08.406000Z"),
                ],
            );
        }
        for line in [
            r#"2026-03-03 02:14:08.406 Connection "CID-743": Successfully authenticated as user "vendor01"."#,
            r#"2026-03-03 02:14:08.406 コネクション "CID-743": ユーザー "vendor01" として正しく認証されました。"#,
        ] {
            check(line, &[("event.action", "other"), ("event.outcome", "success"), ("user.name", "vendor01")]);
        }
        for line in [
            r#"2026-03-03 02:14:08.406 Connection "CID-743": User authentication failed. The user name that has been provided was "sato", from 203.0.113.9."#,
            r#"2026-03-03 02:14:08.406 コネクション "CID-743": ユーザー認証に失敗しました。提示されたユーザー名は "sato" でした。"#,
        ] {
            check(line, &[("event.action", "login"), ("event.outcome", "failure"), ("user.name", "sato")]);
        }
    }

    #[test]
    fn a_session_in_both_languages() {
        for line in [
            r#"2026-03-03 02:14:08.406 Connection "CID-743": The new session "SID-VENDOR01-19" has been created. (IP address: 203.0.113.9, Port number: 1168, Physical underlying protocol: "Standard TCP/IP (IPv4)")"#,
            r#"<14>Mar  3 02:14:08 vpn1 [vpn1/VPN] (2026-03-03 02:14:08.406) <HUB1>: コネクション "CID-743": 新しいセッション "SID-VENDOR01-[L2TP]-19" が作成されました。(IP アドレス: 203.0.113.9, ポート番号: 1168, 物理レイヤのプロトコル: "Legacy VPN - L2TP")"#,
        ] {
            check(
                line,
                &[
                    ("event.action", "session-start"),
                    ("source.ip", "203.0.113.9"),
                    ("user.name", "vendor01"),
                    ("native.connection", "CID-743"),
                    ("vpn.tunnel", "CID-743"),
                ],
            );
        }
        for line in [
            r#"2026-03-03 02:14:08.519 Session "SID-SECURENAT-1": The DHCP server of host "02-00-5E-10-00-01" (10.0.9.1) on this session allocated, for host "SID-VENDOR01-19" on another session "02-00-5E-10-00-02", the new IP address 10.0.9.13."#,
            r#"2026-03-03 02:14:08.519 セッション "SID-SECURENAT-1": このセッション上のホスト "02-00-5E-10-00-01" (10.0.9.1) の DHCP サーバーは、別のセッション "SID-VENDOR01-19" 上のホスト "02-00-5E-10-00-02" に対して、新しい IP アドレス 10.0.9.13 を割り当てました。"#,
        ] {
            check(
                line,
                &[
                    ("event.action", "address-assigned"),
                    ("vpn.assigned_ip", "10.0.9.13"),
                    ("vpn.session_id", "SID-VENDOR01-19"),
                    ("source.mac", "02-00-5E-10-00-02"),
                ],
            );
        }
        for line in [
            r#"2026-03-03 02:20:08.519 Session "SID-VENDOR01-19": The session has been terminated. The statistical information is as follows: Total outgoing data size: 3000 bytes, Total incoming data size: 2000 bytes."#,
            r#"2026-03-03 02:20:08.519 セッション "SID-VENDOR01-19": セッションが終了しました。統計情報は次のとおりです。合計送信データサイズ: 3000 バイト, 合計受信データサイズ: 2000 バイト。"#,
        ] {
            check(
                line,
                &[
                    ("event.action", "session-end"),
                    ("source.bytes", "2000"),
                    ("destination.bytes", "3000"),
                    ("user.name", "vendor01"),
                ],
            );
        }
    }

    #[test]
    fn listeners_have_no_connection_yet() {
        check(
            r#"2026-03-03 02:14:08.406 On the TCP Listener (Port 0), a Client (IP address 203.0.113.9, Host name "x.example", Port number 1168) has connected."#,
            &[
                ("source.ip", "203.0.113.9"),
                ("source.port", "1168"),
                ("observer.hostname", "-"),
                ("vpn.session_id", "-"),
            ],
        );
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_its_source() {
        check(
            r#"2026-03-03 02:14:08.406 Session "SID-VENDOR01-19": VPN Client details: (Client product name: "SoftEther VPN Client", Client IP address: "172.17.0.2", Client port number: 43429, Server IP address: "192.0.2.1")"#,
            &[("source.ip", "-"), ("vpn.session_id", "SID-VENDOR01-19"), ("event.action", "other")],
        );
        check(r#"x "SED-1""#, &[("observer.product", "-")]);
    }
}
