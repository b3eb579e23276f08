//! One request over a connection of its own, as any client would send it.

use axum::http::Uri;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends a request with exactly these headers, and `Host` and `Connection`.
pub(crate) async fn exchange(method: &str, url: &str, headers: &[(String, String)], body: &[u8]) -> Received {
    let url: Uri = url.parse().unwrap();
    let authority = url.authority().unwrap().as_str();
    let mut head = format!(
        "{method} {} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n",
        url.path_and_query().unwrap()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (mut reader, mut writer) = TcpStream::connect(authority).await.unwrap().into_split();
    let mut answer = Vec::new();
    // A server that refuses may answer and close before it has read the body.
    let send = async {
        let _refused = writer.write_all(head.as_bytes()).await;
        let _refused = writer.write_all(body).await;
    };
    let (_, _reset_after_the_answer) = tokio::join!(send, reader.read_to_end(&mut answer));
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    Received { status, head, body: answer[end + 4..].to_vec() }
}
