//! The TLS material of the receivers: the hospital's own files, or a certificate that this program makes for itself at
//! the first start and keeps in the data directory. Devices are told its fingerprint, or take the file as their CA.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use monban_ingest::syslog::tls::{TlsDoor, TlsError, TlsMaterial};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};

use crate::config::SyslogTls;

/// Where in the data directory our own certificate lies.
const FOLDER: &str = "tls";
const CERTIFICATE: &str = "syslog.crt";
const KEY: &str = "syslog.key";

/// A device's administrator enters the fingerprint once and does not come back: longer than any device lives.
const VALID_YEARS: i32 = 20;

/// The kernel's name of this machine.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("TLS のファイル {path} を読めません。場所と権限を確かめてください")]
    Read { path: PathBuf, source: io::Error },
    #[error("write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("TLS の証明書・鍵・認証局のファイルを使えません。PEM 形式で、証明書と鍵が組になっているか確かめてください")]
    Use(#[from] TlsError),
}

/// A TLS listener's door, of the configured files or of our own.
pub(crate) fn door(tls: &SyslogTls, data_dir: &Path, now: DateTime<Utc>) -> Result<TlsDoor, CertificateError> {
    let (certificate, key) = match &tls.own {
        Some(files) => files.clone(),
        None => own(data_dir, tls.listen.ip(), now)?,
    };
    let material = TlsMaterial {
        certificate: read(&certificate)?,
        key: read(&key)?,
        client_ca: tls.client_ca.as_deref().map(read).transpose()?,
        client_certificates: tls.client_certificates,
    };
    Ok(TlsDoor::new(&material)?)
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

/// Our own certificate and key, made where one of them is missing.
fn own(data_dir: &Path, listen: IpAddr, now: DateTime<Utc>) -> Result<(PathBuf, PathBuf), CertificateError> {
    let folder = data_dir.join(FOLDER);
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !(certificate.is_file() && key.is_file()) {
        let (certificate_text, key_text) = self_signed(&host_name(), listen, now)?;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Write { path, source }
        };
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        // The certificate comes last: where it is, its key is.
        write(&key, &key_text, 0o600).map_err(failed(&key))?;
        write(&certificate, &certificate_text, 0o644).map_err(failed(&certificate))?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed(&folder))?;
    }
    Ok((certificate, key))
}

/// Writes a file whole or not at all, with these rights from its first byte on.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::remove_file(&new).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn host_name() -> String {
    let name = fs::read_to_string(HOST_NAME).unwrap_or_default();
    name.trim().to_owned()
}

/// A certificate for this machine and its key, ECDSA P-256, as PEM.
fn self_signed(host: &str, listen: IpAddr, now: DateTime<Utc>) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, if host.is_empty() { "monban" } else { host });
    params.subject_alt_names = names(host, listen);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A device whose clock is behind must still accept it.
    let from = now - TimeDelta::days(2);
    // The 29th of February is not in every year.
    let (month, day) = (u8::try_from(from.month()).unwrap_or(1), u8::try_from(from.day().min(28)).unwrap_or(1));
    params.not_before = date_time_ymd(from.year(), month, day);
    params.not_after = date_time_ymd(from.year() + VALID_YEARS, month, day);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Host name, localhost, and the address that is listened on where it is one.
fn names(host: &str, listen: IpAddr) -> Vec<SanType> {
    let hosts = [host, "localhost"].into_iter().filter_map(|name| Ia5String::try_from(name).ok());
    let hosts = hosts.filter(|name| !name.as_str().is_empty()).map(SanType::DnsName);
    let address = (!listen.is_unspecified()).then_some(SanType::IpAddress(listen));
    hosts.chain(address).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use monban_ingest::syslog::tls::ClientCertificates;

    use super::*;

    fn tls(listen: &str) -> SyslogTls {
        let listen = listen.parse().unwrap();
        SyslogTls { listen, own: None, client_ca: None, client_certificates: ClientCertificates::Off }
    }

    #[test]
    fn the_first_start_makes_a_certificate_and_the_next_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2028-02-29T00:00:00Z".parse().unwrap();
        let first = door(&tls("127.0.0.1:6514"), dir.path(), now).unwrap();
        let second = door(&tls("0.0.0.0:6514"), dir.path(), now).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        let key = fs::metadata(dir.path().join("tls/syslog.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        fs::remove_file(dir.path().join("tls/syslog.crt")).unwrap();
        let third = door(&tls("127.0.0.1:6514"), dir.path(), now).unwrap();
        assert_ne!(first.fingerprint(), third.fingerprint());
    }

    #[test]
    fn it_is_for_this_machine() {
        let listen: IpAddr = "192.0.2.5".parse().unwrap();
        let names = |host, listen| names(host, listen).len();
        assert_eq!(names("log.hospital.example", listen), 3);
        assert_eq!(names("", "0.0.0.0".parse().unwrap()), 1);
        assert_eq!(names("受付", "::".parse().unwrap()), 1);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2026-10-01T00:00:00Z".parse().unwrap();
        let missing = SyslogTls { own: Some(("/none.crt".into(), "/none.key".into())), ..tls("127.0.0.1:6514") };
        assert!(door(&missing, dir.path(), now).err().unwrap().to_string().contains("/none.crt"));
        let file = dir.path().join("x");
        fs::write(&file, "no PEM").unwrap();
        let broken = SyslogTls { own: Some((file.clone(), file)), ..tls("127.0.0.1:6514") };
        assert!(matches!(door(&broken, dir.path(), now), Err(CertificateError::Use(_))));
    }
}
