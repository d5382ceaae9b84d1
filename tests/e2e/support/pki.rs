//! Certificates of a hospital's own: an authority that vouches for devices, and a device's pair of files.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::Site;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
}

impl Authority {
    pub(crate) fn new(site: &Site) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "devices of the hospital");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = site.write("pki/ca.crt", issuer.pem());
        Self { issuer, file }
    }

    /// Certificate and key of a device of this name.
    pub(crate) fn issue(&self, site: &Site, name: &str) -> (PathBuf, PathBuf) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str, text: String| site.write(&format!("pki/{name}.{end}"), text);
        (file("crt", certificate.pem()), file("key", key.serialize_pem()))
    }
}
