//! A server that gives prepared answers and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Method, path and query.
    pub line: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

/// What to answer: status, content type, body, and further header lines.
pub(super) struct Given(pub u16, pub &'static str, pub String, pub &'static str);

/// A JSON answer.
pub(super) fn json(status: u16, body: &serde_json::Value) -> Given {
    let content_type = if status < 400 { "application/json" } else { "application/problem+json" };
    Given(status, content_type, body.to_string(), "")
}

/// The running server. Its thread ends with the test's process.
pub(super) struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Starts a server that answers with what `answer` makes of the request line.
    pub(super) fn start(answer: impl Fn(&str) -> Given + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &kept, &answer);
            }
        });
        Self { url, asked }
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics while it holds this").clone()
    }

    /// The request lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(mut stream: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &impl Fn(&str) -> Given) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a request line");
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).expect("a header field");
        let Some((name, value)) = field.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => authorization = Some(value.to_owned()),
            "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("a reader"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    asked.lock().expect("no test panics while it holds this").push(Asked {
        line: line.clone(),
        authorization,
        body,
    });
    let Given(status, content_type, text, fields) = answer(&line);
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).expect("a reader");
    stream.write_all(text.as_bytes()).expect("a reader");
}
