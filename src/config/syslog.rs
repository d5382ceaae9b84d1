//! The `[syslog]` part of the configuration: where lines are received, by which transport, and how many.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use monban_ingest::syslog::tls::ClientCertificates;
use toml::{Table, Value};

use super::{Config, OFF, Reader};

/// A TLS listener as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyslogTls {
    pub(crate) listen: SocketAddr,
    /// Certificate and key; `None`: a certificate of our own making in the data directory.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) client_certificates: ClientCertificates,
}

const RATE: &str = "max_lines_per_second_per_source";

impl Reader<'_> {
    pub(super) fn syslog(&mut self, root: &mut Table, base: &Path, config: &mut Config) {
        let mut syslog = self.table(root, "", "syslog");
        config.syslog_udp = self.nested_listener(&mut syslog, "syslog", "udp", config.syslog_udp);
        config.syslog_tcp = self.nested_listener(&mut syslog, "syslog", "tcp", config.syslog_tcp);
        config.syslog_tls = self.tls(&mut syslog, base);
        config.syslog_lines_per_second = self.lines_per_second(&mut syslog);
        self.leftovers("syslog", &syslog, &[RATE, "udp", "tcp", "tls"]);
    }

    fn lines_per_second(&mut self, syslog: &mut Table) -> Option<NonZeroU32> {
        let value = syslog.remove(RATE)?;
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new);
        if number.is_none() && value.as_str() != Some(OFF) {
            let value = value.to_string();
            let key = format!("syslog.{RATE}");
            self.complain(
                &key,
                &value,
                "は行数ではありません。1 以上の整数か、制限しないなら \"off\" と書いてください。",
            );
        }
        number
    }

    fn tls(&mut self, syslog: &mut Table, base: &Path) -> Option<SyslogTls> {
        const PREFIX: &str = "syslog.tls";
        let mut table = self.table(syslog, "syslog", "tls");
        let listen = self.text(&mut table, PREFIX, "listen");
        let listen = self.address("syslog.tls.listen", listen.as_deref(), None);
        let mut path = |key| self.text(&mut table, PREFIX, key).map(|path| base.join(path));
        let (certificate, key, client_ca) = (path("certificate"), path("key"), path("client_ca"));
        let client_certificates = self.client_certificates(&mut table, client_ca.is_some());
        self.leftovers(PREFIX, &table, &["listen", "certificate", "key", "client_certificates", "client_ca"]);
        let own = self.pair(certificate, key);
        Some(SyslogTls { listen: listen?, own, client_ca, client_certificates })
    }

    fn client_certificates(&mut self, table: &mut Table, has_ca: bool) -> ClientCertificates {
        const KEY: &str = "syslog.tls.client_certificates";
        let wanted = match table.remove("client_certificates") {
            None => ClientCertificates::Off,
            Some(Value::String(word)) if word == OFF => ClientCertificates::Off,
            Some(Value::String(word)) if word == "optional" => ClientCertificates::Optional,
            Some(Value::String(word)) if word == "required" => ClientCertificates::Required,
            Some(other) => {
                let value = other.to_string();
                self.complain(
                    KEY,
                    &value,
                    "は使えません。\"off\" \"optional\" \"required\" のどれかを書いてください。",
                );
                ClientCertificates::Off
            }
        };
        if wanted != ClientCertificates::Off && !has_ca {
            let word = if wanted == ClientCertificates::Required { "required" } else { "optional" };
            self.complain(
                KEY,
                word,
                "には、機器の証明書を発行した認証局が要ります。client_ca に PEM ファイルを書いてください。",
            );
        }
        wanted
    }

    fn pair(&mut self, certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<(PathBuf, PathBuf)> {
        let (lone, other) = match (certificate, key) {
            (Some(certificate), Some(key)) => return Some((certificate, key)),
            (None, None) => return None,
            (Some(certificate), None) => (("certificate", certificate), "key"),
            (None, Some(key)) => (("key", key), "certificate"),
        };
        let (name, path) = lone;
        let what = format!("だけでは使えません。{other} も書いてください。");
        self.complain(&format!("syslog.tls.{name}"), &path.to_string_lossy(), &what);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Vec<String>> {
        Config::read("monban.toml", text, Path::new("/etc/monban")).map_err(|complaints| complaints.0)
    }

    #[test]
    fn tls_is_off_until_it_has_an_address() {
        assert_eq!(read("[syslog.tls]\nclient_certificates = \"off\"\n").unwrap().syslog_tls, None);
        let tls = read("[syslog.tls]\nlisten = \"192.0.2.5:6514\"\n").unwrap().syslog_tls.unwrap();
        let expected = SyslogTls {
            listen: "192.0.2.5:6514".parse().unwrap(),
            own: None,
            client_ca: None,
            client_certificates: ClientCertificates::Off,
        };
        assert_eq!(tls, expected);
    }

    #[test]
    fn everything_of_tls_can_be_said() {
        let text = "[syslog.tls]\nlisten = \"192.0.2.5:6514\"\ncertificate = \"server.crt\"\nkey = \"/keys/server.key\"\n\
                    client_ca = \"ca.crt\"\nclient_certificates = \"required\"\n";
        let tls = read(text).unwrap().syslog_tls.unwrap();
        assert_eq!(tls.own, Some((PathBuf::from("/etc/monban/server.crt"), PathBuf::from("/keys/server.key"))));
        assert_eq!(tls.client_ca, Some(PathBuf::from("/etc/monban/ca.crt")));
        assert_eq!(tls.client_certificates, ClientCertificates::Required);
    }

    #[test]
    fn what_cannot_be_meant_is_complained_of() {
        for (text, key) in [
            ("[syslog.tls]\nlisten = \"6514\"\n", "syslog.tls.listen"),
            ("[syslog.tls]\nkey = \"a\"\n", "syslog.tls.key"),
            ("[syslog.tls]\ncertificate = \"a\"\n", "syslog.tls.certificate"),
            ("[syslog.tls]\nclient_certificates = \"required\"\n", "syslog.tls.client_certificates"),
            ("[syslog.tls]\nclient_certificates = true\n", "syslog.tls.client_certificates"),
            ("[syslog.tls]\nciphers = \"all\"\n", "syslog.tls.ciphers"),
            ("[syslog]\nmax_lines_per_second_per_source = 0\n", "syslog.max_lines_per_second_per_source"),
            ("[syslog]\nmax_lines_per_second_per_source = \"many\"\n", "syslog.max_lines_per_second_per_source"),
        ] {
            let complaints = read(text).unwrap_err();
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].starts_with(&format!("monban.toml: {key}: ")), "{complaints:?}");
        }
    }

    #[test]
    fn the_line_rate_is_a_number_or_off() {
        let rate = |text: &str| read(&format!("[syslog]\n{RATE} = {text}\n")).unwrap().syslog_lines_per_second;
        assert_eq!((rate("500"), rate("\"off\"")), (NonZeroU32::new(500), None));
    }
}
