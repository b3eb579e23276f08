//! `credlink serve`: the service on this machine.

use std::{
    convert::Infallible,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use credlink_service::{
    Ports, Service,
    clock::SystemClock,
    config::{Config, ConfigError},
    installation::{Installation, InstallationError},
    local_identity::LocalIdentity,
    local_uploads::LocalUploads,
    outbound, router,
    server::{Ending, Server},
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{Answer, environment, stop_signal::StopSignals};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink serve
  credlink serve --listen 127.0.0.1:8080 --data /var/lib/credlink
  PROOF_URI_DOMAIN=https://photos.example.com/proofs credlink serve --listen 0.0.0.0:3001

The first line on standard output names the URL; logs go to standard error. SIGTERM and SIGINT end the service when
what runs is done, after 30 seconds at the latest; a second one ends it at once.

Further settings are environment variables: MAX_FILE_SIZE_MB, INLINE_LIMIT_BYTES, IMAGE_PROCESSING_TIMEOUT_MS, LOCAL_PROOF_STORAGE,
DEFAULT_DIGITAL_SOURCE_TYPE, TRUST_ANCHORS, TSA_ANCHORS, SIGNING_CERTIFICATE, ISSUER_CERTIFICATE, REVOCATION_FETCH,
REVOCATION_PRIVATE_HOSTS, TIMESTAMP_URL, TIMESTAMP_TIMEOUT_MS, WRITE_CREATIVE_WORK, LOG_LEVEL, LOG_FORMAT. docs/configuration.md explains them.")]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:3001, or the port in PORT]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Why the service did not start.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The system refused something else.
    #[error("cannot serve: {0}")]
    System(#[from] io::Error),
}

/// Serves until a signal comes.
///
/// # Errors
/// When the service could not start.
pub(crate) fn run(args: &ServeArgs, data: PathBuf) -> Result<Answer, ServeError> {
    let mut config = environment::config(data)?;
    config.listen = args.listen.unwrap_or(config.listen);
    environment::log_service(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ending = runtime.block_on(serve(&config));
    // Work on an image whose caller was told TIMEOUT may still run; it must not keep the process.
    runtime.shutdown_timeout(Duration::ZERO);
    match ending? {
        Ending::Finished => tracing::info!("stopped"),
        Ending::CutOff => tracing::warn!("stopped; what still ran after 30 seconds was cut off"),
    }
    Ok(Answer::Done)
}

async fn serve(config: &Config) -> Result<Ending, ServeError> {
    let server = Server::bind(config.listen)
        .await
        .map_err(|cause| ServeError::Listen { address: config.listen, cause })?;
    let settings = config.settings(server.address())?;
    let signals = StopSignals::listen()?;
    let proof_uris = settings.proof_uris.to_string();
    let (ports, uploads) = ports(config)?;
    let service = Arc::new(Service::new(ports, settings));
    writeln!(io::stdout(), "CredLink listening on {}", server.url())?;
    tracing::info!(url = server.url(), data = %config.data.display(), proof_uris, "listening");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.run(router::local(service, uploads), async { drop(stopped.await) });
    // When all is done already, a second signal is no reason to fail: it loses against `serving`.
    Ok(tokio::select! {
        biased;
        ending = serving => ending,
        never = obey(signals, stop) => match never {},
    })
}

/// The first signal asks for an orderly end; the second is the end.
async fn obey(mut signals: StopSignals, stop: oneshot::Sender<()>) -> Infallible {
    signals.next().await;
    drop(stop);
    process::exit(128 + signals.next().await)
}

fn ports(config: &Config) -> Result<(Ports, Arc<LocalUploads>), InstallationError> {
    let installation = Installation::new(&config.data);
    let proofs = if config.keep_proofs { installation.proofs()? } else { Installation::proofs_in_memory() };
    let uploads = installation.uploads()?;
    let signer = config.signing_certificate.clone();
    let ports = Ports {
        identity: Arc::new(LocalIdentity::new(installation, signer, config.anchor_files())?),
        proofs,
        uploads: Some(Arc::clone(&uploads) as _),
        clock: Arc::new(SystemClock),
        authorities: outbound::authorities(config),
    };
    Ok((ports, uploads))
}
