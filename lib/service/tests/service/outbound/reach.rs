//! Which addresses are asked.

use std::{sync::Arc, time::Duration};

use credlink_pipeline::revocation_source::{FetchError, RevocationSource as _};
use credlink_service::outbound::{OutboundRevocation, PrivateHosts, SystemNetwork};

use super::site::{Site, StagedNetwork, ok, read_request};

const LIMIT: Duration = Duration::from_secs(2);

fn over(network: Arc<StagedNetwork>) -> OutboundRevocation {
    OutboundRevocation::over(network, PrivateHosts::default(), LIMIT)
}

fn assert_refused(outcome: &Result<bytes::Bytes, FetchError>, what: &str) {
    assert!(matches!(outcome, Err(FetchError::Refused { .. })), "{what}: {outcome:?}");
}

#[tokio::test]
async fn a_public_name_that_leads_inside_is_refused_without_a_connection() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ] {
        let network = StagedNetwork::new(&site, &[&[address]]);
        for url in ["http://crl.example.com/a.crl", "https://crl.example.com/a.crl"] {
            assert_refused(&over(Arc::clone(&network)).revocation_list(url).await, address);
            assert_refused(&over(Arc::clone(&network)).ocsp(url, b"request".to_vec()).await, address);
        }
        assert!(network.connected.lock().unwrap().is_empty(), "{address}");
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_enough_to_refuse() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let network = StagedNetwork::new(&site, &[&["8.8.8.8", "1.1.1.1", "10.0.0.1"]]);
    assert_refused(&over(network).revocation_list("http://crl.example.com/").await, "mixed");
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn the_connection_is_made_to_the_address_that_was_judged() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let network = StagedNetwork::new(&site, &[&["8.8.8.8"], &["127.0.0.1"]]);
    let outbound = over(Arc::clone(&network) as _);
    assert_eq!(&outbound.revocation_list("http://crl.example.com/").await.unwrap()[..], b"list");
    assert_eq!(*network.resolved.lock().unwrap(), ["crl.example.com"]);
    assert_eq!(*network.connected.lock().unwrap(), ["8.8.8.8:80".parse().unwrap()]);
    // The next exchange makes a connection of its own, and its look-up is judged anew.
    assert_refused(&outbound.revocation_list("http://crl.example.com/").await, "rebound");
    assert_eq!(network.connected.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn addresses_in_urls_are_judged_in_every_spelling() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let network = StagedNetwork::public(&site);
    let outbound = over(Arc::clone(&network) as _);
    for url in [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fd00:ec2::254]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://crl.example.com./",
        "http://user@crl.example.com/",
        "http://crl.example.com:8080/",
        "http://crl.example.com:22/",
        "ftp://crl.example.com/",
        "file:///etc/passwd",
        "crl.example.com",
        "",
    ] {
        assert_refused(&outbound.revocation_list(url).await, url);
        assert_refused(&outbound.ocsp(url, Vec::new()).await, url);
    }
    assert!(network.resolved.lock().unwrap().is_empty());
    assert!(network.connected.lock().unwrap().is_empty());
}

#[tokio::test]
async fn this_machine_is_not_reached_by_its_name() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let outbound = OutboundRevocation::over(Arc::new(SystemNetwork::new()), PrivateHosts::default(), LIMIT);
    assert_refused(&outbound.revocation_list("http://localhost/").await, "localhost");
    assert_refused(&outbound.revocation_list(&format!("http://{}/", site.address)).await, "the port");
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn what_the_operator_named_is_reached_wherever_it_is() {
    let site = Site::answering(ok("application/pkix-crl", b"list")).await;
    let port = site.address.port();
    let private: PrivateHosts = format!("localhost:{port},127.0.0.1:{port}").parse().unwrap();
    let outbound = OutboundRevocation::over(Arc::new(SystemNetwork::new()), private, LIMIT);
    for host in ["localhost", "127.0.0.1"] {
        let list = outbound.revocation_list(&format!("http://{host}:{port}/a.crl")).await;
        assert_eq!(&list.unwrap()[..], b"list", "{host}");
    }
    assert_refused(&outbound.revocation_list("http://localhost/a.crl").await, "another port");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n");
        let site = Site::answering(answer).await;
        let network = StagedNetwork::public(&site);
        let outcome = over(Arc::clone(&network)).revocation_list("http://crl.example.com/").await;
        assert!(matches!(&outcome, Err(FetchError::Failed { reason, .. }) if reason.contains(&status[..3])));
        assert_eq!((site.connections(), network.connected.lock().unwrap().len()), (1, 1), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_question_carries_nothing_but_itself() {
    let site = Site::serving(|mut stream| async move {
        use tokio::io::AsyncWriteExt as _;
        let (head, body) = read_request(&mut stream).await;
        let answer = [head.as_bytes(), &body].concat();
        stream.write_all(&ok("application/OCSP-response; q=1", &answer)).await.unwrap();
    })
    .await;
    let outbound = over(StagedNetwork::public(&site));
    let seen = outbound.ocsp("http://ocsp.example.com/a?b=c", b"question".to_vec()).await.unwrap();
    let seen = str::from_utf8(&seen).unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "question");
    let mut lines: Vec<&str> = head.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept: application/ocsp-response",
            "content-length: 8",
            "content-type: application/ocsp-request",
            "host: ocsp.example.com",
            "post /a?b=c http/1.1",
            "user-agent: credlink",
        ]
    );
}
