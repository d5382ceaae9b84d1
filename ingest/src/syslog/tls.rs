//! Syslog over TLS ([RFC 5425](https://www.rfc-editor.org/rfc/rfc5425)): what the server shows, whom it lets in, and
//! what a client's certificate says of it. Owns the handshake and nothing behind it: frames and records are those of
//! [`super::connection`], because RFC 5425's framing is the octet counting of RFC 6587.
//!
//! The name that a verified certificate proves becomes the record's identity: the first DNS name of the subject's
//! alternative names, else its common name, as RFC 5425 §5.2 asks. Without a verified certificate there is no name,
//! whatever the client says of itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{AlertDescription, CertificateError, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A client that has not shown itself by then is not one of ours, or not alive.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes under way at once: twice the connections that one address may have. Others wait, within the same time.
const HANDSHAKES_MAX: usize = 128;

/// Longest name taken from a certificate; DNS allows no longer one (RFC 1035 §2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// How long a client may take to hear that we are done.
const GOODBYE: Duration = Duration::from_secs(1);

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for.
    #[default]
    Off,
    /// One that is shown must be good; who shows none is let in without a name.
    Optional,
    Required,
}

/// What a TLS listener is made of, as PEM text.
#[derive(Clone, Debug)]
pub struct TlsMaterial {
    /// The server's certificate and what leads from it to its root.
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    /// Certificates of those who may vouch for clients.
    pub client_ca: Option<Vec<u8>>,
    pub client_certificates: ClientCertificates,
}

/// The material cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read the {what}: no PEM block of that kind")]
    Missing { what: &'static str },
    #[error("read the {what}")]
    Pem { what: &'static str, source: rustls::pki_types::pem::Error },
    #[error("use certificate and key together")]
    Pair(#[source] rustls::Error),
    #[error("use the client CA")]
    ClientCa(#[source] rustls::Error),
    #[error("verify clients")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    #[error("client certificates are wanted, but no client CA is named")]
    NoClientCa,
}

/// A server's side of TLS, ready for clients.
pub struct TlsDoor {
    acceptor: TlsAcceptor,
    handshakes: Semaphore,
    patience: Duration,
    fingerprint: String,
}

impl TlsDoor {
    pub fn new(material: &TlsMaterial) -> Result<Self, TlsError> {
        let chain = certificates("certificate", &material.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&material.key).map_err(pem("key"))?;
        let fingerprint = fingerprint(chain.first().ok_or(TlsError::Missing { what: "certificate" })?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?;
        let builder = match verifier(material, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, handshakes: Semaphore::new(HANDSHAKES_MAX), patience: HANDSHAKE, fingerprint })
    }

    /// SHA-256 of the server's certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Lets a client in, with its verified name where it has one; else says in a few words why not.
    pub(super) async fn shake_hands(&self, stream: TcpStream) -> Result<Met, &'static str> {
        let shaking = async {
            let _turn = self.handshakes.acquire().await;
            self.acceptor.accept(stream).await
        };
        let stream = timeout(self.patience, shaking).await.map_err(|_| "TLS handshake took too long")?;
        let stream = stream.map_err(|error| why_not(&error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let name = shown.and_then(|certificate| verified_name(certificate)).map(Arc::from);
        Ok((stream, name))
    }

    /// Tells the client that nothing more is read, so that its library does not call it an attack.
    pub(super) async fn say_goodbye(mut stream: TlsStream<TcpStream>) {
        // A client that is gone already needs no goodbye.
        drop(timeout(GOODBYE, stream.shutdown()).await);
    }
}

/// A client that was let in.
type Met = (TlsStream<TcpStream>, Option<Arc<str>>);

fn pem(what: &'static str) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError {
    move |source| TlsError::Pem { what, source }
}

fn certificates(what: &'static str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(pem(what))?;
    if found.is_empty() { Err(TlsError::Missing { what }) } else { Ok(found) }
}

type Verifier = Arc<dyn ClientCertVerifier>;

fn verifier(
    material: &TlsMaterial,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Option<Verifier>, TlsError> {
    if material.client_certificates == ClientCertificates::Off {
        return Ok(None);
    }
    let text = material.client_ca.as_deref().ok_or(TlsError::NoClientCa)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client CA", text)? {
        roots.add(certificate).map_err(TlsError::ClientCa)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match material.client_certificates {
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Off | ClientCertificates::Required => builder,
    };
    builder.build().map(Some).map_err(TlsError::Verifier)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate.as_ref());
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// Why a handshake failed, in one of a few texts, so that they can be counted.
fn why_not(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::NoCertificatesPresented) => "client showed no certificate",
        Some(rustls::Error::InvalidCertificate(reason)) => why_not_that_one(reason),
        Some(rustls::Error::InvalidMessage(_)) => "client does not speak TLS",
        Some(rustls::Error::PeerIncompatible(_)) => "no TLS version or cipher in common",
        Some(rustls::Error::AlertReceived(alert)) => why_they_left(*alert),
        Some(_) => "TLS handshake failed",
        None => "client went away in the TLS handshake",
    }
}

fn why_not_that_one(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::UnknownIssuer => "client certificate is of another CA",
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => "client certificate is not valid today",
        _ => "client certificate is not good",
    }
}

fn why_they_left(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "client does not accept our certificate",
        _ => "client broke off the TLS handshake",
    }
}

/// The name that stands for the holder of this certificate.
fn verified_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let dns = names.iter().flat_map(|names| &names.value.general_names).find_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let name = dns.or_else(|| certificate.subject().iter_common_name().find_map(|name| name.as_str().ok()))?;
    let is_usable = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    is_usable.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syslog::ReceiverStats;
    use crate::syslog::tcp::{Door, Limits, Shared, serve};
    use crate::syslog::tests_support::{MemorySink, receiving};
    use monban_event::{Record, Transport};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustls::pki_types::ServerName;
    use std::net::SocketAddr;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio_rustls::TlsConnector;

    struct Authority(CertifiedIssuer<'static, KeyPair>);

    /// A certificate and its key, in PEM.
    struct Pair(String, String);

    impl Authority {
        fn new(name: &str) -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn issue(&self, names: &[&str], common_name: &str) -> Pair {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, common_name);
            let key = KeyPair::generate().unwrap();
            Pair(params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
        }

        fn issue_expired(&self, common_name: &str) -> Pair {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, common_name);
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            params.not_before = rcgen::date_time_ymd(2019, 1, 1);
            let key = KeyPair::generate().unwrap();
            Pair(params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
        }

        fn pem(&self) -> String {
            self.0.pem()
        }
    }

    struct Server {
        addr: SocketAddr,
        authority: Authority,
        sink: Arc<MemorySink>,
        stats: Arc<ReceiverStats>,
        stop: watch::Sender<bool>,
    }

    async fn server(client_certificates: ClientCertificates, client_ca: Option<&Authority>) -> Server {
        server_with(client_certificates, client_ca, HANDSHAKE).await
    }

    async fn server_with(
        client_certificates: ClientCertificates,
        client_ca: Option<&Authority>,
        patience: Duration,
    ) -> Server {
        let authority = Authority::new("server CA");
        let Pair(certificate, key) = authority.issue(&["log.hospital.example"], "log");
        let material = TlsMaterial {
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
            client_ca: client_ca.map(|authority| authority.pem().into_bytes()),
            client_certificates,
        };
        let door = Door::Tls(Arc::new(TlsDoor { patience, ..TlsDoor::new(&material).unwrap() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, sink) = (listener.local_addr().unwrap(), Arc::new(MemorySink::default()));
        let (stop, shutdown) = watch::channel(false);
        let shared = Shared::new(receiving(&sink), Limits::default(), shutdown);
        let stats = shared.stats.clone();
        tokio::spawn(serve(listener, door, shared));
        Server { addr, authority, sink, stats, stop }
    }

    type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

    impl Server {
        async fn connect(&self, pair: Option<&Pair>) -> io::Result<ClientStream> {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
            let config = match pair {
                None => builder.with_no_client_auth(),
                Some(Pair(certificate, key)) => {
                    let chain = certificates("certificate", certificate.as_bytes()).unwrap();
                    builder
                        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                        .unwrap()
                }
            };
            let stream = TcpStream::connect(self.addr).await.unwrap();
            let name = ServerName::try_from("log.hospital.example").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        }

        /// Sends one frame and gives the record that came of it.
        async fn send(&self, pair: Option<&Pair>) -> Record {
            let mut stream = self.connect(pair).await.unwrap();
            stream.write_all(b"9 <13>a\nb\nc").await.unwrap();
            let sink = self.sink.clone();
            let records = tokio::task::spawn_blocking(move || sink.wait_for(1)).await.unwrap();
            stream.shutdown().await.unwrap();
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "ended by close_notify, not by a cut");
            self.stop.send(true).unwrap();
            records[0].clone()
        }

        /// Connects as a client that is turned away, and gives the reason.
        async fn refusal(&self, pair: Option<&Pair>) -> &'static str {
            // In TLS 1.3 a client is done before the server has looked at its certificate; reading tells.
            if let Ok(mut stream) = self.connect(pair).await {
                assert!(stream.read(&mut [0; 8]).await.is_err());
            }
            self.reason().await
        }

        async fn reason(&self) -> &'static str {
            loop {
                if let Some((reason, count)) = self.stats.turned_away().first() {
                    assert_eq!((*count, self.sink.records().len()), (1, 0));
                    return reason;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn frames_arrive_and_without_a_certificate_there_is_no_name() {
        let record = server(ClientCertificates::Off, None).await.send(None).await;
        assert_eq!((record.bytes.as_slice(), record.transport), (&b"<13>a\nb\nc"[..], Transport::Tls));
        assert_eq!(record.identity, None);
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_asked_for_proves_nothing() {
        let pair = Authority::new("other").issue(&["fw1.hospital.example"], "fw1");
        assert_eq!(server(ClientCertificates::Off, None).await.send(Some(&pair)).await.identity, None);
    }

    #[tokio::test]
    async fn the_first_dns_name_is_the_identity_else_the_common_name() {
        let ca = Authority::new("device CA");
        for (names, expect) in [
            (&["192.0.2.1", "fw1.hospital.example", "fw2.hospital.example"][..], "fw1.hospital.example"),
            (&[], "山田 fw"),
        ] {
            let pair = ca.issue(names, "山田 fw");
            let record = server(ClientCertificates::Required, Some(&ca)).await.send(Some(&pair)).await;
            assert_eq!(record.identity.as_deref(), Some(expect));
        }
    }

    #[tokio::test]
    async fn optional_lets_in_who_shows_nothing_but_nobody_who_shows_something_bad() {
        let ca = Authority::new("device CA");
        assert_eq!(server(ClientCertificates::Optional, Some(&ca)).await.send(None).await.identity, None);
        let stranger = Authority::new("other").issue(&["fw1.hospital.example"], "fw1");
        let server = server(ClientCertificates::Optional, Some(&ca)).await;
        assert_eq!(server.refusal(Some(&stranger)).await, "client certificate is of another CA");
    }

    #[tokio::test]
    async fn bad_clients_are_turned_away_with_a_reason() {
        let ca = Authority::new("device CA");
        let required = || server(ClientCertificates::Required, Some(&ca));
        assert_eq!(required().await.refusal(None).await, "client showed no certificate");
        let expired = ca.issue_expired("fw1");
        assert_eq!(required().await.refusal(Some(&expired)).await, "client certificate is not valid today");
        let server = required().await;
        let mut plain = TcpStream::connect(server.addr).await.unwrap();
        plain.write_all(b"<13>1 - plain syslog to the TLS port\n").await.unwrap();
        assert_eq!(server.reason().await, "client does not speak TLS");
        let server = required().await;
        drop(TcpStream::connect(server.addr).await.unwrap());
        assert_eq!(server.reason().await, "client went away in the TLS handshake");
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_turned_away() {
        let server = server_with(ClientCertificates::Off, None, Duration::from_millis(20)).await;
        let _silent = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(server.reason().await, "TLS handshake took too long");
    }

    #[test]
    fn material_that_cannot_be_used_is_named() {
        let Pair(certificate, key) = Authority::new("ca").issue(&["log.hospital.example"], "log");
        let material = |certificate: &str, key: &str| TlsMaterial {
            certificate: certificate.as_bytes().to_vec(),
            key: key.as_bytes().to_vec(),
            client_ca: None,
            client_certificates: ClientCertificates::Off,
        };
        let refused = |material: &TlsMaterial| TlsDoor::new(material).err().unwrap().to_string();
        let door = TlsDoor::new(&material(&certificate, &key)).unwrap();
        assert_eq!(door.fingerprint().len(), 32 * 3 - 1);
        assert_eq!(refused(&material("", &key)), "read the certificate: no PEM block of that kind");
        assert_eq!(refused(&material(&certificate, &certificate)), "read the key");
        let other = KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(refused(&material(&certificate, &other)), "use certificate and key together");
        let wants = TlsMaterial { client_certificates: ClientCertificates::Required, ..material(&certificate, &key) };
        assert_eq!(refused(&wants), "client certificates are wanted, but no client CA is named");
        let broken = TlsMaterial { client_ca: Some(b"-----BEGIN".to_vec()), ..wants };
        assert!(refused(&broken).starts_with("read the client CA"));
    }
}
