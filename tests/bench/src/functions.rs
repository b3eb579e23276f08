//! The Lambda functions: how large their bootstraps are, and how long one takes from the start of its process to its
//! first call for work.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::DeflateEncoder};

const NAMES: [&str; 9] = [
    "sign",
    "verify",
    "proofs",
    "auto_sign",
    "reap_blobs",
    "cleanup_proofs",
    "restamp_proofs",
    "rotate_certificate",
    "health_metrics",
];

const STARTS: usize = 30;
const DEADLINE: Duration = Duration::from_secs(10);

/// Prints a row for each function in the folder that `CREDLINK_FUNCTIONS` names.
pub fn table() {
    let Ok(folder) = env::var("CREDLINK_FUNCTIONS") else { return };
    println!(
        "\nfunctions: bootstrap, as deflate at its best, start to first call for work (median, most of {STARTS})"
    );
    for name in NAMES {
        let program = program(Path::new(&folder), name);
        let bytes = fs::read(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes).expect("memory takes it");
        let zipped = encoder.finish().expect("memory takes it").len();
        let starts = starts(&program);
        println!(
            "  {name:<20} {:>6.2} MB {:>6.2} MB {:>8.1} ms {:>8.1} ms",
            bytes.len() as f64 / 1e6,
            zipped as f64 / 1e6,
            starts[STARTS / 2] * 1e3,
            starts[STARTS - 1] * 1e3,
        );
    }
}

/// `cargo lambda` gives each function a folder; cargo puts them side by side.
fn program(folder: &Path, name: &str) -> PathBuf {
    let own = folder.join(name).join("bootstrap");
    if own.exists() { own } else { folder.join(name) }
}

/// The times of several starts, in seconds, sorted.
fn starts(program: &Path) -> Vec<f64> {
    let (address, asked) = serve();
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| {
            while asked.try_recv().is_ok() {}
            let started = Instant::now();
            let mut process = Command::new(program)
                .env_clear()
                .envs(environment(&address))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the bootstrap runs");
            let asked_at = asked.recv_timeout(DEADLINE).expect("the function asks for work");
            process.kill().expect("it is a child");
            process.wait().expect("it is a child");
            (asked_at - started).as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The runtime's interface and the table of the active signer in one: the first keeps every caller waiting for work,
/// the second knows of no signer. Says when work was asked for.
fn serve() -> (String, Receiver<Instant>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    let (tell, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some(path) = request(&mut reader) {
                    if path.ends_with("/invocation/next") {
                        let _nobody_waits_any_more = tell.send(Instant::now());
                        let _until_it_is_killed = reader.read(&mut [0; 1]);
                        return;
                    }
                    if answer(reader.get_mut()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, asked)
}

/// The path of the next request; its body is read and forgotten.
fn request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(path)
}

fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}",
    )
}

fn environment(address: &str) -> Vec<(&'static str, String)> {
    [
        ("AWS_LAMBDA_RUNTIME_API", address),
        ("AWS_ENDPOINT_URL", &format!("http://{address}")),
        ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "measured"),
        ("AWS_SECRET_ACCESS_KEY", "measured"),
        ("PROOF_TABLE", "proofs"),
        ("BLOB_BUCKET", "blobs"),
        ("UPLOAD_BUCKET", "uploads"),
        ("INBOX_BUCKET", "inbox"),
        ("OUTBOX_BUCKET", "outbox"),
        ("FAILURE_QUEUE_URL", "http://127.0.0.1/queue"),
        ("CREDLINK_STACK", "measured"),
        ("PROOF_URI_DOMAIN", "https://proofs.example.com/proofs"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}
