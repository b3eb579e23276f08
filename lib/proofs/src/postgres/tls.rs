//! TLS to the server.

use std::sync::Arc;

use credlink_pipeline::proof::ProofStoreError;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{Encryption, PostgresSettings};

/// What makes a line to the server as the settings want it.
///
/// # Errors
/// When there are no authorities to trust.
pub(super) fn connector(settings: &PostgresSettings) -> Result<MakeRustlsConnect, ProofStoreError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProofStoreError::Unavailable(format!("cannot prepare TLS: {error}")))?;
    let config = match settings.encryption {
        Encryption::Verified => builder.with_root_certificates(authorities(settings)?).with_no_client_auth(),
        Encryption::Off | Encryption::IfOffered | Encryption::Unverified => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(WhoeverItIs { provider }))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// The authorities in the file that the settings name, or the system's.
fn authorities(settings: &PostgresSettings) -> Result<RootCertStore, ProofStoreError> {
    let mut trusted = RootCertStore::empty();
    let place = match &settings.authorities {
        Some(file) => {
            let place = file.display().to_string();
            let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
            let read = read.map_err(|error| {
                ProofStoreError::Unavailable(format!("cannot read {place}, which sslrootcert names: {error}"))
            })?;
            trusted.add_parsable_certificates(read);
            place
        }
        None => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "this system".to_owned()
        }
    };
    if trusted.is_empty() {
        let reason = format!("{place} has no certificate authorities; name a PEM file with sslrootcert");
        return Err(ProofStoreError::Unavailable(reason));
    }
    Ok(trusted)
}

/// Takes any certificate, because `sslmode` asks for TLS without asking who the server is: that keeps out those who
/// only listen. The server must have the key of the certificate that it shows.
#[derive(Debug)]
struct WhoeverItIs {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for WhoeverItIs {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
