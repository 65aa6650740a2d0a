//! The way to a server: TCP, and TLS where the link says https.
//!
//! A link that carries a fingerprint trusts the certificate with that fingerprint and no other;
//! without one the system's authorities decide. Plain HTTP goes no further than this machine unless
//! the musician allows it; no link can.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::link::Fingerprint;

/// A connection, encrypted or not.
pub type Stream = Box<dyn Duplex>;

/// What a connection can do.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why a server was not reached.
#[derive(Debug)]
pub enum Failure {
    /// It may be reached later.
    Lost(String),
    /// Trying again will not help.
    Refused(String),
}

/// How servers may be reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// Whether plain HTTP may leave this machine.
    pub insecure_plaintext: bool,
}

impl Reach {
    /// What the environment allows: plain HTTP where `ANTIPHON_INSECURE_PLAINTEXT` is `1` or `true`.
    pub fn of_environment() -> Reach {
        let set = std::env::var("ANTIPHON_INSECURE_PLAINTEXT");
        Reach { insecure_plaintext: set.is_ok_and(|value| value == "1" || value == "true") }
    }

    /// Connects to `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// Nobody answers, the certificate is not to be trusted, or plain HTTP would leave this machine.
    pub async fn connect(self, server: &str, pin: Option<Fingerprint>) -> Result<Stream, Failure> {
        let url = url::Url::parse(server).map_err(|e| Failure::Refused(format!("{server}: {e}")))?;
        let lost = |error: &dyn std::fmt::Display| Failure::Lost(format!("{server}: {error}"));
        let tls = url.scheme() == "https";
        let host = url.host_str().unwrap_or("localhost").trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let near = |address: std::net::IpAddr| address.to_canonical().is_loopback();
        let readable = || {
            Failure::Refused(format!(
                "{server}: plain HTTP would carry the invite and every edit readable over the network. \
                 Ask for an https link (the server's --self-signed or --cert); on a network of your own, \
                 allow it with --insecure-plaintext or ANTIPHON_INSECURE_PLAINTEXT=1"
            ))
        };
        let guarded = !tls && !self.insecure_plaintext;
        if guarded && host.parse().is_ok_and(|address| !near(address)) {
            return Err(readable());
        }
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|e| lost(&e))?;
        // Nothing has been sent yet: a name counts as what it led to.
        if guarded && !stream.peer_addr().is_ok_and(|address| near(address.ip())) {
            return Err(readable());
        }
        // Small frames must not wait for each other.
        stream.set_nodelay(true).map_err(|e| lost(&e))?;
        if !tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(|e| Failure::Refused(format!("{server}: {e}")))?;
        let connector = TlsConnector::from(config(pin).await.map_err(|e| lost(&e))?);
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(distrusted(server, &error).unwrap_or_else(|| lost(&error))),
        }
    }
}

/// Whether a handshake failed because of the certificate: another try would not change it.
fn distrusted(server: &str, error: &std::io::Error) -> Option<Failure> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(reason) = inner else { return None };
    let why = match reason {
        CertificateError::ApplicationVerificationFailure => {
            "its certificate is not the one that the invite names: somebody may stand between, or the \
             server was set up anew; ask for a new link"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "no authority vouches for its certificate, and the link carries no fingerprint; ask for the \
             whole link"
                .to_owned()
        }
        other => format!("its certificate is not to be trusted ({other:?})"),
    };
    Some(Failure::Refused(format!("{server}: {why}")))
}

async fn config(pin: Option<Fingerprint>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match pin {
        Some(fingerprint) => Arc::new(Pinned { fingerprint, provider: provider.clone() }),
        None => {
            let roots = tokio::task::spawn_blocking(roots).await.map_err(|error| error.to_string())?;
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
            verifier.build().map_err(|error| error.to_string())?
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The system's authorities (or those of `SSL_CERT_FILE`); where it has none, Mozilla's.
fn roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(roots)
    };
    ROOTS.get_or_init(load).clone()
}

/// Trusts one certificate, whatever name it bears; its key must still sign the handshake.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint(Sha256::digest(certificate.as_ref()).into());
        if found == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
