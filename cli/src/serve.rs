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
use credlink_proofs::{ProofArchive, StoreLocation};
use credlink_service::{
    Entrance, Measured, Ports, Service,
    clock::SystemClock,
    config::{Config, ConfigError},
    installation::{self, Installation, InstallationError},
    local_identity::LocalIdentity,
    local_jobs,
    metrics::{BuildError, PrometheusMetrics},
    outbound::{self, Delivery, FaultReports, Traces},
    router,
    server::{Ending, Server},
};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    Answer,
    background::{Background, StartError},
    environment,
    stop_signal::StopSignals,
};

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  credlink serve
  credlink serve --listen 127.0.0.1:8080 --data /var/lib/credlink
  PROOF_URI_DOMAIN=https://photos.example.com/proofs credlink serve --listen 0.0.0.0:3001

The first line on standard output names the URL; logs go to standard error. SIGTERM and SIGINT end the service when
what runs is done, after 30 seconds at the latest; a second one ends it at once.

Jobs run beside it: `credlink jobs list` names them. GET /metrics tells what was measured.

Further settings are environment variables: MAX_FILE_SIZE_MB, INLINE_LIMIT_BYTES, IMAGE_PROCESSING_TIMEOUT_MS, PROOF_STORE, LOCAL_PROOF_STORAGE,
DEFAULT_DIGITAL_SOURCE_TYPE, TRUST_ANCHORS, TSA_ANCHORS, SIGNING_CERTIFICATE, ISSUER_CERTIFICATE, REVOCATION_FETCH,
REVOCATION_PRIVATE_HOSTS, TIMESTAMP_URL, TIMESTAMP_TIMEOUT_MS, WRITE_CREATIVE_WORK, ENABLE_JOB_SCHEDULER, ENABLE_PROOF_CLEANUP, ENABLE_CERT_ROTATION,
ENABLE_PROOF_RESTAMP, ENABLE_HEALTH_METRICS, EXECUTE_JOBS_ON_START, ROTATION_AUTHORITY, ROTATE_BEFORE_DAYS, ROTATION_KEY_KIND, RESTAMP_BEFORE_DAYS,
RESTAMP_PER_MINUTE, ALLOWED_ORIGINS, CORS_CREDENTIALS, TRUSTED_PROXIES, RATE_LIMIT_WINDOW_MS, RATE_LIMIT_MAX, SIGN_RATE_LIMIT_MAX,
ENABLE_API_KEY_AUTH, SENTRY_DSN, OTEL_EXPORTER_OTLP_ENDPOINT, LOG_LEVEL, LOG_FORMAT. docs/configuration.md explains them.")]
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
    /// What runs beside it cannot start.
    #[error(transparent)]
    Background(#[from] StartError),
    /// Nothing can be measured.
    #[error("cannot measure: {0}")]
    Metrics(#[from] BuildError),
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
    let proofs = config.proofs_here();
    let (mut ports, archive) = ports_without_uploads(config, &proofs).await?;
    let uploads = Installation::new(&config.data).uploads()?;
    ports.uploads = Some(Arc::clone(&uploads) as _);
    let process = PrometheusMetrics::new()?;
    ports.entrance.metrics = process.metrics().clone();
    let runner = Arc::new(local_jobs::runner(config, &ports, archive, process.metrics().clone()));
    let measured = Arc::new(Measured { process: process.clone(), jobs: runner.book().clone() });
    let service = Arc::new(Service::new(ports, settings));
    writeln!(io::stdout(), "CredLink listening on {}", server.url())?;
    tracing::info!(url = server.url(), data = %config.data.display(), %proofs, proof_uris, "listening");
    let background = Background::start(Arc::clone(&runner), process)?;
    let (stop, stopped) = watch::channel(());
    let serving = server.run(router::local(service, uploads, measured), dropped(stopped.clone()));
    let working = async {
        dropped(stopped).await;
        runner.stop().await
    };
    // When all is done already, a second signal is no reason to fail: it loses against both.
    let (ending, jobs_ended) = tokio::select! {
        biased;
        ended = async { tokio::join!(serving, working) } => ended,
        never = obey(signals, stop) => match never {},
    };
    background.end();
    Ok(if jobs_ended { ending } else { Ending::CutOff })
}

/// Ready when the sender is dropped, which sends nothing.
async fn dropped(mut stopped: watch::Receiver<()>) {
    drop(stopped.changed().await);
}

/// The first signal asks for an orderly end; the second is the end.
async fn obey(mut signals: StopSignals, stop: watch::Sender<()>) -> Infallible {
    signals.next().await;
    drop(stop);
    process::exit(128 + signals.next().await)
}

/// What requests pass, in the data folder where it must outlive this process.
fn entrance(config: &Config, proofs: &StoreLocation) -> Entrance {
    let installation = Installation::new(&config.data);
    Entrance {
        api_keys: config.http.api_keys.then(|| Arc::new(installation.api_keys()) as Arc<_>),
        idempotency: Arc::new(installation.idempotency()),
        fault_reports: config.http.sentry.clone().map(|dsn| FaultReports::new(dsn, Delivery::Behind)),
        traces: config.http.traces.clone().map(Traces::to),
        proof_storage: proofs.kind(),
        ..Entrance::default()
    }
}

/// What jobs work with on this machine, and the proofs at `location`. Opening the uploads removes old ones, which a dry run
/// must not.
///
/// # Errors
/// When the data folder or the proofs cannot be used.
pub(crate) async fn ports_without_uploads(
    config: &Config,
    location: &StoreLocation,
) -> Result<(Ports, Arc<dyn ProofArchive>), InstallationError> {
    let installation = Installation::new(&config.data);
    let proofs = installation::open_proofs(location).await?;
    let signer = config.signing_certificate.clone();
    let ports = Ports {
        identity: Arc::new(LocalIdentity::new(installation, signer, config.anchor_files())?),
        proofs: Arc::clone(&proofs) as _,
        uploads: None,
        clock: Arc::new(SystemClock),
        authorities: outbound::authorities(config),
        entrance: entrance(config, location),
    };
    Ok((ports, proofs))
}
