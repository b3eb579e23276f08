//! A local AWS for the tests of everything that speaks to the real one: ministack, on loopback, as a process of its
//! own. `make .tools/aws/installed` installs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod link;
mod places;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_types::timeout::TimeoutConfig;
use credlink_aws::{SdkConfig, explicit};

pub use link::{Call, Fate, FaultyLink};

/// The region of the local AWS.
pub const REGION: &str = "eu-central-1";

const MAX_START_TIME: Duration = Duration::from_secs(60);

/// How long a call may take, one attempt of it, and its connection. Longer than in production: one thread of the local
/// AWS answers all tests, beside programs that use every core, and an answer that is late there is no fault of the
/// caller.
const MAX_CALL_TIME: Duration = Duration::from_secs(90);
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(30);
const MAX_CONNECT_TIME: Duration = Duration::from_secs(10);

/// A local AWS that runs. It ends with the process of the tests, however that ends.
pub struct LocalAws {
    address: SocketAddr,
    _process: Child,
    /// Closed when the process of the tests ends, which tells the other one to end as well.
    _lifeline: ChildStdin,
}

impl LocalAws {
    /// The one that all tests of a process share. Each test makes tables and buckets of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<LocalAws> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The URL for all services.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What clients of it are made with: the same retries as in production, with more time.
    pub fn sdk_config(&self) -> SdkConfig {
        self.sdk_config_at(&self.endpoint())
    }

    /// Like [`LocalAws::sdk_config`], with another endpoint in between.
    pub fn sdk_config_at(&self, endpoint: &str) -> SdkConfig {
        sdk_config_at(endpoint)
    }

    fn start() -> Self {
        let program = program();
        // Taken by somebody else in between only by a rare accident, which the start then reports.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut process = Command::new("sh")
            .args(["-c", "\"$0\" <&- & child=$!; cat >/dev/null; kill -9 $child"])
            .arg(program)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            .env("MINISTACK_REGION", REGION)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be run");
        let lifeline = process.stdin.take().expect("stdin is a pipe");
        let aws =
            Self { address: (Ipv4Addr::LOCALHOST, port).into(), _process: process, _lifeline: lifeline };
        aws.wait_until_ready();
        aws
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + MAX_START_TIME;
        while !self.answers() {
            assert!(Instant::now() < deadline, "ministack does not answer at {}", self.address);
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        let request = "GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

fn sdk_config_at(endpoint: &str) -> SdkConfig {
    let credentials = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "tests"));
    let time = TimeoutConfig::builder()
        .connect_timeout(MAX_CONNECT_TIME)
        .operation_attempt_timeout(MAX_ATTEMPT_TIME)
        .operation_timeout(MAX_CALL_TIME)
        .build();
    explicit(REGION.to_owned(), credentials, Some(endpoint.to_owned()))
        .into_builder()
        .timeout_config(time)
        .build()
}

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/aws/bin/ministack");
    assert!(program.exists(), "{} is missing; `make .tools/aws/installed` installs it", program.display());
    program
}
