//! How long an answer may be, and how long it may take.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use credlink_pipeline::revocation_source::{FetchError, RevocationSource as _};
use credlink_service::outbound::{OutboundRevocation, PrivateHosts, revocation::MAX_ANSWER_LENGTH};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Barrier,
    task::JoinSet,
};

use super::site::{Site, StagedNetwork, ok, read_request};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

const URL: &str = "http://crl.example.com/a.crl";

fn outbound(site: &Site, limit: Duration) -> OutboundRevocation {
    OutboundRevocation::over(StagedNetwork::public(site), PrivateHosts::default(), limit)
}

/// The reason of the failure of a list that `answer` gives.
async fn failure(answer: impl Into<Vec<u8>>) -> String {
    let site = Site::answering(answer).await;
    match outbound(&site, LONG).revocation_list(URL).await {
        Err(FetchError::Failed { url, reason }) => {
            assert_eq!(url, URL);
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_longest_answer_is_taken_and_one_byte_more_is_not() {
    let longest = vec![7; MAX_ANSWER_LENGTH];
    let site = Site::answering(ok("application/pkix-crl", &longest)).await;
    assert_eq!(outbound(&site, LONG).revocation_list(URL).await.unwrap(), longest);

    let too_long = vec![7; MAX_ANSWER_LENGTH + 1];
    assert!(failure(ok("application/pkix-crl", &too_long)).await.contains("longer than 1048576 bytes"));
    // Without an announced length, it is counted.
    let unannounced = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".as_slice(), &too_long].concat();
    assert!(failure(unannounced).await.contains("longer than 1048576 bytes"));
    let chunk = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", too_long.len());
    let chunked = [chunk.as_bytes(), &too_long, b"\r\n0\r\n\r\n"].concat();
    assert!(failure(chunked).await.contains("longer than 1048576 bytes"));
}

#[tokio::test]
async fn of_50_mb_no_more_is_read_than_is_kept() {
    const ANSWER: usize = 50 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let site = Site::serving(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
            let piece = vec![0; 64 << 10];
            while counter.load(Ordering::SeqCst) < ANSWER && stream.write_all(&piece).await.is_ok() {
                counter.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    assert!(outbound(&site, LONG).revocation_list(URL).await.is_err());
    // What stood in the buffers of both sockets comes on top.
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 16 << 20, "{sent} bytes were taken");
}

#[tokio::test]
async fn whoever_does_not_answer_is_waited_for_until_the_limit() {
    let heads: [&[u8]; 3] = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"];
    for head in heads {
        let site = Site::serving(move |mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(head).await.unwrap();
            pending::<()>().await;
        })
        .await;
        let begun = Instant::now();
        let outcome = outbound(&site, SHORT).revocation_list(URL).await;
        assert!(
            matches!(&outcome, Err(FetchError::Failed { reason, .. }) if reason.contains("150ms")),
            "{outcome:?}"
        );
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG);
    }
}

#[tokio::test]
async fn eight_are_asked_at_once_and_others_wait() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    // Nobody is answered before eight are there.
    let eight = Arc::new(Barrier::new(8));
    let site = Site::serving(move |mut stream| {
        let (now, most, eight) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&eight));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            read_request(&mut stream).await;
            eight.wait().await;
            now.fetch_sub(1, Ordering::SeqCst);
            stream.write_all(&ok("application/pkix-crl", b"list")).await.unwrap();
        }
    })
    .await;
    let outbound = Arc::new(outbound(&site, LONG));
    let mut asked = JoinSet::new();
    for _ in 0..32 {
        let outbound = Arc::clone(&outbound);
        asked.spawn(async move { outbound.revocation_list(URL).await });
    }
    assert!(asked.join_all().await.iter().all(Result::is_ok));
    assert_eq!((site.connections(), seen.load(Ordering::SeqCst)), (32, 8));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure() {
    for (answer, reason) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "status 204"),
        ("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\na", "status 206"),
        ("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "status 503"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ""),
        ("SSH-2.0-OpenSSH_9.6\r\n", ""),
        ("", ""),
    ] {
        assert!(failure(answer).await.contains(reason), "{answer}");
    }
    let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(1 << 20));
    failure(long_head).await;
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(1000));
    failure(many_fields).await;
}

#[tokio::test]
async fn an_ocsp_response_has_its_type() {
    let site = Site::answering(ok("text/html", b"<html>\r\n")).await;
    match outbound(&site, LONG).ocsp(URL, Vec::new()).await {
        Err(FetchError::Failed { reason, .. }) => assert!(reason.contains("text/html"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn https_is_spoken_and_nothing_else_where_the_url_says_so() {
    let site = Site::serving(|mut stream| async move {
        assert_eq!(stream.read_u8().await.unwrap(), 0x16, "a TLS handshake begins so");
        drop(stream.write_all(&ok("application/pkix-crl", b"list")).await);
    })
    .await;
    let outcome = outbound(&site, LONG).revocation_list("https://crl.example.com/").await;
    assert!(matches!(outcome, Err(FetchError::Failed { .. })), "{outcome:?}");
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn all_questions_together_end_after_twice_the_time_of_one() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let outbound = outbound(&site, SHORT);
    let started = Instant::now();
    assert!(!outbound.within_limit(Box::pin(pending())).await);
    assert!(started.elapsed() >= 2 * SHORT && started.elapsed() < LONG);
    let mut answered = None;
    let asking = async { answered = outbound.revocation_list(URL).await.ok() };
    assert!(outbound.within_limit(Box::pin(asking)).await);
    assert_eq!(answered.as_deref(), Some(&b"list"[..]));
}
