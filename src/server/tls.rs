//! The server's certificate: a given one, or one of its own making.
//!
//! A certificate of its own making is made once, kept in the data folder for its owner's eyes, and
//! known to clients by its fingerprint, which invite links carry.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

/// The files of a certificate of our own making, in the data folder.
const CERTIFICATE_FILE: &str = "tls-certificate.pem";
const KEY_FILE: &str = "tls-key.pem";

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// From files in PEM: the chain, the server's own first, and its key.
    Files {
        /// The chain.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Made at the first start, kept in the data folder.
    SelfSigned,
}

/// TLS as the listener needs it.
#[derive(Clone)]
pub struct Tls {
    /// Shakes hands.
    pub acceptor: TlsAcceptor,
    /// The certificate's SHA-256 in hexadecimal, where no authority vouches for it.
    pub fingerprint: Option<String>,
}

impl Tls {
    /// Reads or makes the certificate.
    ///
    /// # Errors
    /// A file cannot be read or written, or holds no certificate or key that fit each other.
    pub fn open(certificate: &Certificate, data: &Path) -> anyhow::Result<Tls> {
        let (chain_file, key_file) = match certificate {
            Certificate::Files { chain, key } => (chain.clone(), key.clone()),
            Certificate::SelfSigned => own_certificate(data)?,
        };
        let chain: Vec<_> = CertificateDer::pem_file_iter(&chain_file)
            .and_then(Iterator::collect)
            .with_context(|| format!("{} holds no certificate in PEM", chain_file.display()))?;
        let first = chain.first();
        let first = first.with_context(|| format!("{} holds no certificate", chain_file.display()))?;
        let fingerprint = (*certificate == Certificate::SelfSigned).then(|| fingerprint(first));
        let key = PrivateKeyDer::from_pem_file(&key_file)
            .with_context(|| format!("{} holds no private key in PEM", key_file.display()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("the certificate and its key do not fit each other")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint })
    }
}

/// The SHA-256 of a certificate in hexadecimal, as `openssl x509 -fingerprint` shows it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn own_certificate(data: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (chain, key) = (data.join(CERTIFICATE_FILE), data.join(KEY_FILE));
    if !chain.exists() || !key.exists() {
        let names = vec!["localhost".to_owned(), "antiphon".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("making a certificate")?;
        write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
        write_private(&chain, made.cert.pem().as_bytes())?;
        tracing::info!(file = %chain.display(), "made a certificate; invite links carry its fingerprint");
    }
    Ok((chain, key))
}

/// Writes a file that its owner alone may read.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_kept_privately() {
        let data = tempfile::tempdir().expect("a folder");
        let first = Tls::open(&Certificate::SelfSigned, data.path()).expect("a certificate");
        let again = Tls::open(&Certificate::SelfSigned, data.path()).expect("the same");
        assert_eq!(first.fingerprint.as_ref().map(String::len), Some(64));
        assert_eq!(first.fingerprint, again.fingerprint);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let key = std::fs::metadata(data.path().join(KEY_FILE)).expect("the key");
            assert_eq!(key.permissions().mode() & 0o777, 0o600);
        }
        let given =
            Certificate::Files { chain: data.path().join(CERTIFICATE_FILE), key: data.path().join(KEY_FILE) };
        assert!(Tls::open(&given, data.path()).expect("given files").fingerprint.is_none());
        let missing = Certificate::Files { chain: "nowhere.pem".into(), key: "nowhere.pem".into() };
        let error = Tls::open(&missing, data.path()).err().expect("no file").to_string();
        assert!(error.contains("nowhere.pem"), "{error}");
    }
}
