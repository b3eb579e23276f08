//! The configuration, as an operator meets it.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use credlink_pipeline::manifest::DigitalSourceType;
use credlink_service::{
    anchors::AnchorFile,
    config::Config,
    jobs::{JobName, Switches},
    logging::LogFormat,
};

fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::from_env(lookup).map_err(|error| error.to_string())
}

#[test]
fn without_variables_there_are_defaults() {
    let config = config(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3001");
    assert_eq!(config.data.to_str(), Some("./credlink-data"));
    assert_eq!(config.max_image_bytes, 50 * 1024 * 1024);
    assert_eq!(config.processing_timeout, Duration::from_secs(30));
    assert_eq!(config.inline_limit, None);
    assert_eq!((config.proof_store.is_none(), config.proofs_here().kind()), (true, "local"));
    assert!(config.revocation_fetch && config.time_stamp_url.is_none());
    assert_eq!(config.jobs, Switches::default());
    assert_eq!(config.time_stamp_timeout, Duration::from_secs(2));
    assert!(config.log.format.is_none() && config.log.filter.is_none());
    assert_eq!(config.proof_uris(config.listen).unwrap().to_string(), "http://127.0.0.1:3001/proofs");
}

#[test]
fn variables_are_taken() {
    let config = config(&[
        ("PORT", "8080"),
        ("CREDLINK_DATA", "/var/lib/credlink"),
        ("PROOF_URI_DOMAIN", "proofs.example.com"),
        ("MAX_FILE_SIZE_MB", "1"),
        ("INLINE_LIMIT_BYTES", "4194304"),
        ("IMAGE_PROCESSING_TIMEOUT_MS", "250"),
        ("LOCAL_PROOF_STORAGE", "FALSE"),
        ("DEFAULT_DIGITAL_SOURCE_TYPE", "digitalCapture"),
        ("TRUST_ANCHORS", "roots.pem"),
        ("TSA_ANCHORS", "tsa-roots.pem"),
        ("REVOCATION_FETCH", "false"),
        ("REVOCATION_PRIVATE_HOSTS", "pki.example.com, 10.0.0.7:8080"),
        ("TIMESTAMP_URL", "http://tsa.example.com:3161/stamp"),
        ("TIMESTAMP_TIMEOUT_MS", "500"),
        ("ENABLE_PROOF_RESTAMP", "false"),
        ("EXECUTE_JOBS_ON_START", "true"),
        ("LOG_LEVEL", "debug"),
        ("LOG_FORMAT", "text"),
    ])
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    let settings = config.settings(config.listen).unwrap();
    assert_eq!(settings.proof_uris.to_string(), "https://proofs.example.com");
    assert_eq!(settings.sign.limits.max_bytes, 1024 * 1024);
    assert_eq!(
        settings.sign.default_digital_source_type.map(DigitalSourceType::name),
        Some("digitalCapture")
    );
    assert_eq!(settings.inline_limit, Some(4 << 20));
    assert_eq!(settings.processing_timeout, Duration::from_millis(250));
    assert_eq!(config.proofs_here().kind(), "memory");
    let files = config.anchor_files();
    assert_eq!(files.signers, [AnchorFile::new("TRUST_ANCHORS", "roots.pem")]);
    assert_eq!(files.time_stamps, [AnchorFile::new("TSA_ANCHORS", "tsa-roots.pem")]);
    assert!(!config.revocation_fetch);
    assert_eq!(config.revocation_private_hosts.to_string(), "pki.example.com,10.0.0.7:8080");
    assert_eq!(config.time_stamp_url.unwrap().to_string(), "http://tsa.example.com:3161/stamp");
    assert_eq!(config.time_stamp_timeout, Duration::from_millis(500));
    assert!(config.jobs.on_start && config.jobs.scheduler);
    assert_eq!(config.jobs.allow(JobName::ProofRestamp), Err("ENABLE_PROOF_RESTAMP is false"));
    assert_eq!(config.jobs.allow(JobName::ProofCleanup), Ok(()));
    assert_eq!(config.log.format, Some(LogFormat::Text));
    let filter = config.log.filter.unwrap().to_string();
    assert!(filter.contains("debug") && filter.contains("aws_=info"), "{filter}");
}

#[test]
fn proofs_live_where_one_variable_or_the_older_one_says() {
    let bucket = ("PROOF_BUCKET", "proofs-of-ours");
    for (variables, location) in [
        (vec![("CREDLINK_DATA", "/data")], "local:/data/proofs"),
        (vec![("CREDLINK_DATA", "/data"), ("LOCAL_PROOF_STORAGE", "true")], "local:/data/proofs"),
        (vec![("PROOF_STORE", "local:/here"), ("LOCAL_PROOF_STORAGE", "true")], "local:/here"),
        (vec![("PROOF_STORE", "memory"), ("LOCAL_PROOF_STORAGE", "false")], "memory"),
        (vec![("PROOF_STORE", "s3"), bucket], "s3:proofs-of-ours/proofs"),
        (vec![("PROOF_STORE", "s3"), bucket, ("PROOF_PREFIX", "a/b")], "s3:proofs-of-ours/a/b"),
        (vec![("PROOF_STORE", "postgres://me:secret@db/credlink")], "postgres://me@db:5432/credlink"),
    ] {
        let config = config(&variables).unwrap();
        assert_eq!(config.proofs_here().to_string(), location);
        assert!(!format!("{config:?}").contains("secret"));
    }
    let in_memory = config(&[("PROOF_STORE", "memory")]).unwrap();
    assert_eq!(in_memory.lasting_proofs_here().kind(), "local", "for a command that ends");
    for (variables, told) in [
        (
            vec![("PROOF_STORE", "disk")],
            "PROOF_STORE cannot be used: \"disk\" is no kind of store; write local",
        ),
        (vec![("PROOF_STORE", "s3")], "set PROOF_BUCKET"),
        (vec![("PROOF_STORE", "postgres")], "set PROOF_DATABASE_URL"),
        (vec![("PROOF_STORE", "postgres://me:secret@db")], "names no database"),
        (vec![("PROOF_STORE", "local"), ("LOCAL_PROOF_STORAGE", "false")], "leave one of the two out"),
        (vec![("PROOF_STORE", "s3"), bucket, ("LOCAL_PROOF_STORAGE", "true")], "leave one of the two out"),
    ] {
        let error = config(&variables).unwrap_err();
        assert!(error.contains(told) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn an_empty_variable_counts_as_none() {
    assert_eq!(config(&[("PORT", ""), ("MAX_FILE_SIZE_MB", " ")]).unwrap().listen.port(), 3001);
}

#[test]
fn a_bad_value_is_one_line_with_name_value_and_what_is_allowed() {
    for (name, value, allowed) in [
        ("PORT", "65536", "0 to 65535"),
        ("PORT", "http", "0 to 65535"),
        ("PROOF_URI_DOMAIN", "http://proofs.example.com", "https"),
        ("PROOF_URI_DOMAIN", "https://a b", "https"),
        ("MAX_FILE_SIZE_MB", "51", "1 to 50"),
        ("MAX_FILE_SIZE_MB", "0", "1 to 50"),
        ("MAX_FILE_SIZE_MB", "1.5", "1 to 50"),
        ("INLINE_LIMIT_BYTES", "65535", "65536 to 52428800"),
        ("IMAGE_PROCESSING_TIMEOUT_MS", "-1", "100 to 600000"),
        ("LOCAL_PROOF_STORAGE", "yes", "true, false"),
        ("DEFAULT_DIGITAL_SOURCE_TYPE", "photo", "digitalCapture"),
        ("REVOCATION_FETCH", "never", "true, false"),
        ("REVOCATION_PRIVATE_HOSTS", "http://pki.example.com", "host:port"),
        ("TIMESTAMP_URL", "ftp://tsa.example.com", "http://timestamp.example.com"),
        ("TIMESTAMP_URL", "http://user@tsa.example.com", "user name"),
        ("TIMESTAMP_TIMEOUT_MS", "99", "100 to 10000"),
        ("TIMESTAMP_TIMEOUT_MS", "10001", "100 to 10000"),
        ("ENABLE_JOB_SCHEDULER", "on", "true, false"),
        ("EXECUTE_JOBS_ON_START", "1", "true, false"),
        ("ALLOWED_ORIGINS", "example.com", "https://www.example.com"),
        ("ALLOWED_ORIGINS", "https://a.example/path", "asterisk"),
        ("CORS_CREDENTIALS", "yes", "true, false"),
        ("TRUSTED_PROXIES", "17", "0 to 16"),
        ("RATE_LIMIT_WINDOW_MS", "999", "1000 to 3600000"),
        ("RATE_LIMIT_MAX", "-1", "0 to 1000000"),
        ("SIGN_RATE_LIMIT_MAX", "many", "0 to 1000000"),
        ("ENABLE_API_KEY_AUTH", "1", "true, false"),
        ("SENTRY_DSN", "https://sentry.example.com/42", "https://<key>@<host>/<project>"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("LOG_LEVEL", "loud", "debug"),
        ("LOG_FORMAT", "xml", "json, text"),
        ("RUST_LOG", "a=b=c", "directives"),
        ("PORT", "1\n2", "0 to 65535"),
    ] {
        let line = config(&[(name, value)]).unwrap_err();
        assert!(
            line.contains(name) && line.contains(&format!("{value:?}")) && line.contains(allowed),
            "{line}"
        );
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn everybody_and_credentials_do_not_go_together() {
    let line = config(&[("ALLOWED_ORIGINS", "*"), ("CORS_CREDENTIALS", "true")]).unwrap_err();
    assert!(line.contains("CORS_CREDENTIALS") && line.contains("name the origins"), "{line}");
    let http = |variables: &[(&str, &str)]| config(variables).unwrap().http;
    assert!(!http(&[("ALLOWED_ORIGINS", "*")]).cors.credentials);
    assert!(http(&[("ALLOWED_ORIGINS", "https://a.example")]).cors.credentials);
    let chosen = http(&[("RATE_LIMIT_MAX", "0"), ("RATE_LIMIT_WINDOW_MS", "1000")]).rate_limits;
    assert_eq!((chosen.requests, chosen.window), (None, Duration::from_secs(1)));
    assert_eq!(chosen.signs.map(std::num::NonZero::get), Some(100));
}

#[test]
fn proof_uris_follow_the_address_where_they_can() {
    let config = config(&[]).unwrap();
    let of = |address: &str| {
        config.proof_uris(address.parse().unwrap()).map(|base| base.to_string()).map_err(|e| e.to_string())
    };
    assert_eq!(of("127.0.0.1:49152").unwrap(), "http://127.0.0.1:49152/proofs");
    assert_eq!(of("[::1]:80").unwrap(), "http://[::1]/proofs");
    assert_eq!(of("0.0.0.0:3001").unwrap(), "http://127.0.0.1:3001/proofs");
    let refused = of("192.0.2.1:3001").unwrap_err();
    assert!(refused.contains("PROOF_URI_DOMAIN") && refused.contains("192.0.2.1:3001"), "{refused}");
}

#[test]
fn every_variable_stands_in_the_table() {
    let asked = RefCell::new(BTreeSet::new());
    // Each kind of store asks for variables of its own.
    for store in ["local", "dynamodb", "s3", "postgres"] {
        Config::from_env(|name| {
            asked.borrow_mut().insert(name.to_owned());
            Some(match name {
                "PROOF_STORE" => store.to_owned(),
                "PROOF_TABLE" => "proofs".to_owned(),
                "BLOB_BUCKET" | "PROOF_BUCKET" => "manifest-stores".to_owned(),
                "PROOF_DATABASE_URL" => "postgres://credlink@localhost/credlink".to_owned(),
                _ => return None,
            })
        })
        .unwrap();
    }
    let table = include_str!("../../../../docs/configuration.md");
    let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let documented: BTreeSet<String> = names
        .flat_map(|(names, _)| names.split(", ").map(|name| name.trim_matches('`').to_owned()))
        .collect();
    assert_eq!(asked.into_inner(), documented);
}
