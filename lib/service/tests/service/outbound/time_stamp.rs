//! Stamps of an authority, and what happens without one. `tests/python` asks a real authority.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use credlink_pipeline::{
    digest::Sha256Hash,
    time_stamp_authority::{StampError, TimeStampAuthority as _},
};
use credlink_service::outbound::{
    HttpTimeStampAuthority, TimeStampUrl,
    time_stamp::{MARGIN, REST},
};
use tokio::{io::AsyncWriteExt as _, task::JoinSet, time};

use super::site::{Site, ok, read_request};
use crate::support;

const LIMIT: Duration = Duration::from_secs(20);

fn authority(site: &Site, limit: Duration) -> HttpTimeStampAuthority {
    let url: TimeStampUrl = format!("http://{}/tsa", site.address).parse().unwrap();
    HttpTimeStampAuthority::new(url, limit)
}

/// What a stamp says; the defaults are what was asked for.
#[derive(Clone)]
struct Stamp {
    status: u8,
    digest: Option<[u8; 32]>,
    nonce: Option<Vec<u8>>,
    with_nonce: bool,
    with_certificate: bool,
    /// Makes the stamp longer.
    serial_length: usize,
}

impl Default for Stamp {
    fn default() -> Self {
        Self {
            status: 0,
            digest: None,
            nonce: None,
            with_nonce: true,
            with_certificate: true,
            serial_length: 1,
        }
    }
}

const SHA_256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
const SIGNED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
const TST_INFO: [u8; 13] = [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
const POLICY: [u8; 4] = [6, 2, 0x2a, 3];

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head: &[u8] = match content.len() {
        0..0x80 => &[tag, length[1]],
        0x80..0x100 => &[tag, 0x81, length[1]],
        _ => &[tag, 0x82, length[0], length[1]],
    };
    [head, &content].concat()
}

impl Stamp {
    /// The answer to `request`, in DER. It is signed by nobody: that is not what is looked at here.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let (digest, nonce) = (&request[24..56], &request[58..66]);
        let digest = self.digest.as_ref().map_or(digest, |digest| digest);
        let nonce = tagged(2, &[self.nonce.as_deref().unwrap_or(nonce)]);
        let info = tagged(
            0x30,
            &[
                &[2, 1, 1],
                &POLICY,
                &tagged(0x30, &[&SHA_256, &tagged(4, &[digest])]),
                &tagged(2, &[&vec![7; self.serial_length]]),
                &tagged(0x18, &[b"20260101000000Z"]),
                if self.with_nonce { &nonce } else { &[] },
            ],
        );
        let certificate = support::certificate();
        let signed = tagged(
            0x30,
            &[
                &[2, 1, 3],
                &tagged(0x31, &[&SHA_256]),
                &tagged(0x30, &[&TST_INFO, &tagged(0xa0, &[&tagged(4, &[&info])])]),
                &if self.with_certificate { tagged(0xa0, &[&certificate]) } else { Vec::new() },
                &tagged(0x31, &[]),
            ],
        );
        let token = tagged(0x30, &[&SIGNED_DATA, &tagged(0xa0, &[&signed])]);
        let status = tagged(0x30, &[&[2, 1, self.status], &tagged(0x30, &[&tagged(12, &[b"a\nreason"])])]);
        let granted = self.status < 2;
        tagged(0x30, &[&status, if granted { &token } else { &[] }])
    }
}

/// An authority whose stamps are like this.
async fn stamping(stamp: Stamp) -> Site {
    Site::serving(move |mut stream| {
        let stamp = stamp.clone();
        async move {
            let (head, request) = read_request(&mut stream).await;
            assert!(head.contains("content-type: application/timestamp-query"), "{head}");
            let answer = ok("application/timestamp-reply", &stamp.answer(&request));
            stream.write_all(&answer).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_stamp_is_for_the_message_and_never_longer_than_was_told() {
    let site = stamping(Stamp { status: 1, ..Stamp::default() }).await;
    let authority = authority(&site, LIMIT);
    let told = authority.token_length().await.unwrap();
    let answer = authority.stamp(b"signature").await.unwrap();
    assert_eq!(answer.len() + MARGIN, told);
    let digest = Sha256Hash::of(b"signature");
    assert!(answer.windows(32).any(|window| window == digest.as_bytes()));
    assert_eq!(authority.token_length().await.unwrap(), told);
    assert_eq!(site.connections(), 2, "the length is asked for once");
}

#[tokio::test]
async fn a_longer_stamp_makes_more_room() {
    let longer = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&longer);
    let site = Site::serving(move |mut stream| {
        let serial_length = if switch.load(Ordering::SeqCst) { 100 } else { 1 };
        async move {
            let (_, request) = read_request(&mut stream).await;
            let stamp = Stamp { serial_length, ..Stamp::default() };
            let answer = ok("application/timestamp-reply", &stamp.answer(&request));
            stream.write_all(&answer).await.unwrap();
        }
    })
    .await;
    let authority = authority(&site, LIMIT);
    let told = authority.token_length().await.unwrap();
    longer.store(true, Ordering::SeqCst);
    let answer = authority.stamp(b"signature").await.unwrap();
    assert_eq!(authority.token_length().await.unwrap(), answer.len() + MARGIN);
    assert!(answer.len() + MARGIN > told);
}

#[tokio::test]
async fn what_is_no_stamp_for_the_message_is_refused() {
    for (stamp, reason) in [
        (Stamp { status: 2, ..Stamp::default() }, "Rejection a\\nreason"),
        (Stamp { status: 3, ..Stamp::default() }, "Waiting"),
        (Stamp { status: 9, ..Stamp::default() }, "cannot be read"),
        (Stamp { digest: Some([7; 32]), ..Stamp::default() }, "another imprint"),
        (Stamp { nonce: Some(vec![0x40, 1, 2, 3, 4, 5, 6, 7]), ..Stamp::default() }, "another nonce"),
        (Stamp { with_nonce: false, ..Stamp::default() }, "another nonce"),
        (Stamp { with_certificate: false, ..Stamp::default() }, "no certificate"),
    ] {
        let site = stamping(stamp).await;
        match authority(&site, LIMIT).stamp(b"signature").await {
            Err(StampError::Refused(text)) => assert!(text.contains(reason), "{text}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_damaged_is_refused() {
    let request = [0x40; 69];
    let whole = Stamp::default().answer(&request);
    let mut answers: Vec<Vec<u8>> =
        (0..whole.len()).step_by(7).map(|length| whole[..length].to_vec()).collect();
    answers.push([whole.as_slice(), b"more"].concat());
    answers.push(vec![0x30; 65_536]);
    answers.push(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
    for answer in answers {
        let length = answer.len();
        let site = Site::answering(ok("application/timestamp-reply", &answer)).await;
        let outcome = authority(&site, LIMIT).stamp(b"signature").await;
        assert!(matches!(outcome, Err(StampError::Refused(_))), "{length}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_authority_that_is_down_delays_only_the_first() {
    let site = Site::answering("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n").await;
    let authority = authority(&site, LIMIT);
    for _ in 0..3 {
        assert!(matches!(authority.token_length().await, Err(StampError::Unavailable(_))));
        assert!(matches!(authority.stamp(b"signature").await, Err(StampError::Unavailable(_))));
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn whoever_asks_while_the_first_is_delayed_does_not_ask_again() {
    let site = Site::serving(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let authority = Arc::new(authority(&site, Duration::from_millis(100)));
    let mut asked = JoinSet::new();
    for _ in 0..10 {
        let authority = Arc::clone(&authority);
        asked.spawn(async move { authority.token_length().await });
    }
    let told = asked.join_all().await;
    assert!(told.iter().all(|told| matches!(told, Err(StampError::Unavailable(_)))), "{told:?}");
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn after_its_rest_the_authority_is_tried_again() {
    let works = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&works);
    let site = Site::serving(move |mut stream| {
        let works = switch.load(Ordering::SeqCst);
        async move {
            let (_, request) = read_request(&mut stream).await;
            let answer = if works { Stamp::default().answer(&request) } else { Vec::new() };
            stream.write_all(&ok("application/timestamp-reply", &answer)).await.unwrap();
        }
    })
    .await;
    let authority = authority(&site, LIMIT);
    assert!(authority.token_length().await.is_err());
    rest().await;
    assert!(authority.token_length().await.is_err());
    assert_eq!(site.connections(), 2, "it was tried once more, and rests again");
    works.store(true, Ordering::SeqCst);
    assert!(authority.stamp(b"signature").await.is_err());
    assert_eq!(site.connections(), 2);
    rest().await;
    assert!(authority.stamp(b"signature").await.is_ok());
    assert!(authority.token_length().await.is_ok());
    assert_eq!(site.connections(), 3);
}

async fn rest() {
    time::pause();
    time::advance(REST).await;
    time::resume();
}

#[test]
fn what_is_no_url_of_an_authority_is_refused() {
    for text in [
        "",
        "tsa",
        "ftp://tsa.example.com/",
        "http://user:word@tsa.example.com/",
        "http://tsa.example.com/#a",
    ] {
        assert!(text.parse::<TimeStampUrl>().unwrap_err().to_string().contains("http"), "{text}");
    }
    let url: TimeStampUrl = "http://tsa.example.com/stamp?key=secret".parse().unwrap();
    assert_eq!(url.to_string(), "http://tsa.example.com/stamp");
}
