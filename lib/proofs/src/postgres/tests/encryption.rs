//! Whom the store speaks to, by the certificates that OpenSSL's TLS in the server shows.

use std::{fs, net::SocketAddr};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

/// A server with a certificate for `localhost`, and the file of its authority.
struct Server {
    postgres: LocalPostgres,
    authority: tempfile::NamedTempFile,
}

impl Server {
    fn start() -> Self {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &authority).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), authority.pem()).unwrap();
        let postgres = LocalPostgres::start_with_certificate(&certificate.pem(), &key.serialize_pem());
        Self { postgres, authority: file }
    }

    /// The URL with this host and these parameters.
    fn url(&self, host: &str, parameters: &str) -> String {
        let SocketAddr::V4(address) = self.postgres.address() else { panic!() };
        let port = address.port();
        format!("postgres://credlink:{}@{host}:{port}/postgres?{parameters}", self.postgres.password())
    }

    /// Whether the line is encrypted, or why there is none.
    async fn is_encrypted(&self, host: &str, parameters: &str) -> Result<bool, String> {
        let settings = PostgresSettings::parse(&self.url(host, parameters)).unwrap();
        let store = PostgresProofStore::open(&settings).await.map_err(|error| error.to_string())?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let answer = store.connections.query("look", sql, &[]).await.map_err(|error| error.to_string())?;
        Ok(answer.rows[0].get("ssl"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_as_far_as_the_url_says() {
    let server = Server::start();
    let trusted = format!("sslrootcert={}", server.authority.path().display());
    assert_eq!(server.is_encrypted("127.0.0.1", "sslmode=disable").await, Ok(false));
    assert_eq!(server.is_encrypted("127.0.0.1", "").await, Ok(true));
    assert_eq!(server.is_encrypted("127.0.0.1", "sslmode=require").await, Ok(true));
    assert_eq!(server.is_encrypted("localhost", &format!("sslmode=verify-full&{trusted}")).await, Ok(true));

    let name = server.is_encrypted("127.0.0.1", &format!("sslmode=verify-full&{trusted}")).await.unwrap_err();
    assert!(name.contains("not valid for name"), "{name}");
    let issuer = server.is_encrypted("localhost", "sslmode=verify-full").await.unwrap_err();
    assert!(issuer.contains("UnknownIssuer") && issuer.contains("sslrootcert"), "{issuer}");
}
