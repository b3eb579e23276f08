//! A call ends in time when nothing answers it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, TcpListener};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use credlink_aws::{MAX_CALL_TIME, explicit, s3};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_place_that_takes_requests_and_never_answers_is_given_up() {
    // The operating system takes connections and what is sent over them; nobody reads it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let client = s3(&explicit("eu-central-1".to_owned(), credentials(), Some(url)));
    let began = Instant::now();
    let error = client.head_bucket().bucket("bucket").send().await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), MAX_CALL_TIME.as_secs(), "{error:?}");
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "tests"))
}
