//! The `[[source]]` tables: what a hospital says of single senders. Owns who is meant by one and which words it may say.

use std::net::IpAddr;

use chrono_tz::Tz;
use ipnet::IpNet;
use monban_event::account;
use monban_ingest::sources::{Sender, SourceSettings, VENDORS};
use monban_ingest::text::Charset;
use toml::{Table, Value};

use super::Reader;

const KEYS: [&str; 7] = ["address", "host", "certificate", "name", "zone", "encoding", "vendor"];

/// One `[[source]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) sender: Sender,
    /// What people call it.
    pub(crate) name: Option<String>,
    pub(crate) settings: SourceSettings,
}

impl Source {
    /// The id it is counted under ([`monban_event::SourceId`]) and its name, where it has one and is a single sender.
    pub(crate) fn named_id(&self) -> Option<(String, String)> {
        let id = match &self.sender {
            Sender::Network(network) if network.prefix_len() < network.max_prefix_len() => return None,
            Sender::Network(network) => format!("ip:{}", network.addr()),
            Sender::Host(name) => format!("host:{}", account::fold(name)),
            Sender::Certificate(name) => format!("cert:{}", account::fold(name)),
        };
        Some((id, self.name.clone()?))
    }
}

impl Reader<'_> {
    pub(super) fn sources(&mut self, root: &mut Table) -> Vec<Source> {
        let tables = match root.remove("source") {
            None => return Vec::new(),
            Some(Value::Array(tables)) => tables,
            Some(other) => {
                self.complain("source", &other.to_string(), "は [[source]] の形で書いてください。");
                return Vec::new();
            }
        };
        let mut sources: Vec<Source> = Vec::new();
        // People count from one.
        for (number, table) in (1..).zip(tables) {
            let prefix = format!("source[{number}]");
            let Value::Table(table) = table else {
                self.complain(&prefix, &table.to_string(), "は [[source]] の形で書いてください。");
                continue;
            };
            let Some(source) = self.source(&prefix, table) else { continue };
            if sources.iter().any(|earlier| earlier.sender == source.sender) {
                self.complain(
                    &prefix,
                    &sender_text(&source.sender),
                    "は前の [[source]] と同じ機器です。一つにまとめてください。",
                );
            }
            sources.push(source);
        }
        sources
    }

    fn source(&mut self, prefix: &str, mut table: Table) -> Option<Source> {
        let sender = self.sender(prefix, &mut table);
        let name = self.text(&mut table, prefix, "name");
        let zone = self.text(&mut table, prefix, "zone");
        let zone: Option<Tz> = zone.and_then(|zone| self.zone(&format!("{prefix}.zone"), &zone));
        let encoding = self.text(&mut table, prefix, "encoding");
        let charset = encoding.and_then(|encoding| self.charset(&format!("{prefix}.encoding"), &encoding));
        let vendor = self.text(&mut table, prefix, "vendor");
        let vendor = vendor.and_then(|vendor| self.vendor(&format!("{prefix}.vendor"), &vendor));
        self.leftovers(prefix, &table, &KEYS);
        Some(Source { sender: sender?, name, settings: SourceSettings { zone, charset, vendor } })
    }

    /// Exactly one of the three ways to say who is meant.
    fn sender(&mut self, prefix: &str, table: &mut Table) -> Option<Sender> {
        let before = self.complaints.len();
        let address = self.text(table, prefix, "address");
        let host = self.text(table, prefix, "host");
        let certificate = self.text(table, prefix, "certificate");
        let sender = match (address, host, certificate) {
            (Some(address), None, None) => self.network(&format!("{prefix}.address"), &address).map(Sender::Network),
            (None, Some(host), None) => Some(Sender::Host(host)),
            (None, None, Some(certificate)) => Some(Sender::Certificate(certificate)),
            _ => None,
        };
        let is_empty =
            matches!(&sender, Some(Sender::Host(name) | Sender::Certificate(name)) if name.trim().is_empty());
        if (sender.is_none() || is_empty) && self.complaints.len() == before {
            self.complaints.push(format!(
                "{}: {prefix}: どの機器のことか分かりません。address（IP アドレスか範囲）host（機器名）certificate（証明書の名前）の\
                 うち一つだけを書いてください。",
                self.file
            ));
        }
        sender
    }

    fn network(&mut self, key: &str, text: &str) -> Option<IpNet> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        if network.is_none() {
            self.complain(
                key,
                text,
                "は IP アドレスとして読めません。\"192.0.2.1\" か \"192.0.2.0/24\" のように書いてください。",
            );
        }
        network.map(|network| network.trunc())
    }

    fn charset(&mut self, key: &str, text: &str) -> Option<Charset> {
        let charset = Charset::parse(text);
        if charset.is_none() {
            let allowed = Charset::ALL.map(|charset| format!("\"{}\"", charset.as_str())).join(" ");
            self.complain(key, text, &format!("という文字コードはありません。{allowed} のどれかを書いてください。"));
        }
        charset
    }

    fn vendor(&mut self, key: &str, text: &str) -> Option<&'static str> {
        let vendor = VENDORS.iter().map(|(word, _)| *word).find(|word| *word == text);
        if vendor.is_none() {
            let allowed: Vec<String> = VENDORS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let what = format!("というメーカーは知りません。次のどれかを書いてください: {}", allowed.join(" "));
            self.complain(key, text, &what);
        }
        vendor
    }
}

fn sender_text(sender: &Sender) -> String {
    match sender {
        Sender::Network(network) => network.to_string(),
        Sender::Host(name) | Sender::Certificate(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn read(text: &str) -> Result<Vec<Source>, Vec<String>> {
        Config::read("monban.toml", text, Path::new("")).map(|config| config.sources).map_err(|complaints| complaints.0)
    }

    #[test]
    fn everything_can_be_said_of_a_source() {
        let sources = read(
            "[[source]]\naddress = \"192.0.2.1\"\nname = \"本館FW\"\nzone = \"UTC\"\nencoding = \"shift_jis\"\nvendor = \"fortinet\"\n\
             [[source]]\naddress = \"198.51.100.7/24\"\n[[source]]\nhost = \"sv1\"\n[[source]]\ncertificate = \"fw1.hospital.example\"\n",
        )
        .unwrap();
        let first = &sources[0];
        assert_eq!(first.sender, Sender::Network("192.0.2.1/32".parse().unwrap()));
        assert_eq!(first.name.as_deref(), Some("本館FW"));
        let settings =
            SourceSettings { zone: Some(Tz::UTC), charset: Some(Charset::ShiftJis), vendor: Some("fortinet") };
        assert_eq!(first.settings, settings);
        assert_eq!(first.named_id(), Some(("ip:192.0.2.1".to_owned(), "本館FW".to_owned())));
        assert_eq!(sources[2].named_id(), None);
        assert_eq!(sources[1].sender, Sender::Network("198.51.100.0/24".parse().unwrap()));
        assert_eq!(sources[2].sender, Sender::Host("sv1".to_owned()));
        assert_eq!(sources[3].sender, Sender::Certificate("fw1.hospital.example".to_owned()));
    }

    #[test]
    fn every_mistake_is_named() {
        let complaints = read(
            "[[source]]\naddress = \"192.0.2.300\"\nzone = \"Mars\"\nencoding = \"sjis2\"\nvendor = \"acme\"\nnmae = \"x\"\n\
             [[source]]\nname = \"だれ\"\n[[source]]\nhost = \"a\"\naddress = \"192.0.2.1\"\n\
             [[source]]\nhost = \"b\"\n[[source]]\nhost = \"b\"\n[[source]]\nhost = 3\n",
        )
        .unwrap_err();
        let keys: Vec<&str> = complaints.iter().filter_map(|line| line.split(": ").nth(1)).collect();
        let expected = [
            "source[1].address",
            "source[1].zone",
            "source[1].encoding",
            "source[1].vendor",
            "source[1].nmae",
            "source[2]",
            "source[3]",
            "source[5]",
            "source[6].host",
        ];
        assert_eq!(keys, expected);
        assert!(complaints[2].contains("\"euc-jp\"") && complaints[3].contains("\"yamaha\""), "{complaints:?}");
        assert_eq!(read("source = 3").unwrap_err().len(), 1);
        assert_eq!(read("source = [3]").unwrap_err().len(), 1);
    }
}
