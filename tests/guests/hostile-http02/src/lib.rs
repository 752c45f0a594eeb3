//! A guest whose path picks an attack that only wasi:http 0.2 allows: streams, resources, and a
//! response that is set late, never, or before the work begins. Two of its paths mean no harm: they write a file.
//!
//! `/ok` answers at once. It knows nothing of Rowhouse. Only the wasm build has contents.
#![cfg(target_family = "wasm")]

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

struct Hostile;

impl wasip2::exports::http::incoming_handler::Guest for Hostile {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        match target.split('?').next().unwrap_or_default() {
            "/ok" => {
                let (body, stream) = begin(out, &[]);
                let _ = stream.blocking_write_and_flush(b"ok\n");
                drop(stream);
                let _ = OutgoingBody::finish(body, None);
            }
            "/remember" => remember(&target, out),
            "/slow-drip" => drip(out, Duration::from_millis(200)),
            "/endless" => drip(out, Duration::ZERO),
            "/giant-header" => giant_header(out),
            "/never-set" => std::mem::forget(out),
            "/drop-set" => drop(out),
            "/set-then-loop" => set_then_loop(out),
            "/set-then-trap" => set_then_trap(out),
            "/short-body" => short_body(out),
            "/read-for-ever" => read_for_ever(&request, out),
            "/leak" => leak_resources(out),
            "/loop" => spin_for_ever(),
            "/poll-for-ever" => poll_for_ever(out),
            "/write" => write(out),
            "/write-late" => write_late(&target, out),
            _ => {
                let response = OutgoingResponse::new(Fields::new());
                let _ = response.set_status_code(404);
                ResponseOutparam::set(out, Ok(response));
            }
        }
    }
}

/// Everything this instance was ever asked to remember, this request's word last, one a line.
fn remember(target: &str, out: ResponseOutparam) {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut seen = SEEN.lock().expect("one thread");
    seen.push(target.split_once('?').map(|(_, word)| word.to_owned()).unwrap_or_default());
    let (body, stream) = begin(out, &[]);
    let _ = stream.blocking_write_and_flush(seen.join("\n").as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Sets a response with these fields and gives its body.
fn begin(out: ResponseOutparam, fields: &[(String, Vec<u8>)]) -> (OutgoingBody, OutputStream) {
    let fields = Fields::from_list(fields).expect("valid fields");
    let response = OutgoingResponse::new(fields);
    let body = response.body().expect("the first call of body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the first call of write");
    (body, stream)
}

/// A body that never ends: one byte each `pause`, or 4 KiB at once without one.
fn drip(out: ResponseOutparam, pause: Duration) {
    let (_body, stream) = begin(out, &[]);
    let block = [b'.'; 4096];
    let part = if pause.is_zero() { &block[..] } else { &block[..1] };
    loop {
        match stream.blocking_write_and_flush(part) {
            Ok(()) => std::thread::sleep(pause),
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return,
        }
    }
}

/// 16 MiB of fields, in fields of 64 KiB.
fn giant_header(out: ResponseOutparam) {
    let fields: Vec<_> = (0..256).map(|i| (format!("x-giant-{i}"), vec![b'a'; 64 * 1024])).collect();
    let (body, stream) = begin(out, &fields);
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Answers, keeps the body open and computes for ever.
fn set_then_loop(out: ResponseOutparam) {
    let (_body, stream) = begin(out, &[]);
    let _ = stream.blocking_write_and_flush(b"begun\n");
    spin_for_ever();
}

fn spin_for_ever() {
    let mut turns = 0u64;
    while black_box(turns) != u64::MAX {
        turns += 1;
    }
}

/// Answers and traps in the middle of the body.
fn set_then_trap(out: ResponseOutparam) {
    let (_body, stream) = begin(out, &[]);
    let _ = stream.blocking_write_and_flush(b"begun\n");
    std::arch::wasm32::unreachable()
}

/// Promises more than it sends.
fn short_body(out: ResponseOutparam) {
    let (body, stream) = begin(out, &[("content-length".to_owned(), b"100".to_vec())]);
    let _ = stream.blocking_write_and_flush(b"short\n");
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Writes a file and answers.
fn write(out: ResponseOutparam) {
    let text = written();
    let (body, stream) = begin(out, &[]);
    let _ = stream.blocking_write_and_flush(text);
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Writes a file while its answer is on its way, whose length it told before or not.
fn write_late(target: &str, out: ResponseOutparam) {
    let told = [("content-length".to_owned(), b"14".to_vec())];
    let (body, stream) = begin(out, if target.ends_with("?length") { &told[..] } else { &[] });
    let _ = stream.blocking_write_and_flush(b"begun\n");
    // The host lets go of the head where nothing comes for a moment.
    std::thread::sleep(Duration::from_millis(200));
    let _ = stream.blocking_write_and_flush(written());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn written() -> &'static [u8] {
    if std::fs::write("/files/note", b"a note").is_ok() { b"written\n" } else { b"refused\n" }
}

/// Reads the request's body byte by byte until it ends, then answers.
fn read_for_ever(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume().expect("the first call of consume");
    let stream = incoming.stream().expect("the first call of stream");
    let mut length = 0u64;
    while let Ok(bytes) = stream.blocking_read(1) {
        length += u64::try_from(bytes.len()).unwrap_or(0);
    }
    let (body, stream) = begin(out, &[]);
    let _ = stream.blocking_write_and_flush(format!("{length} bytes\n").as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Makes host resources without end and drops none, then would answer.
fn leak_resources(out: ResponseOutparam) {
    let mut made = 0u64;
    while made != u64::MAX {
        let fields = Fields::new();
        let _ = fields.append("x", &[b'a'; 1024]);
        std::mem::forget(fields);
        made += 1;
    }
    drop(out);
}

/// Waits for a clock that comes in a hundred years, with a thousand pollables.
fn poll_for_ever(out: ResponseOutparam) {
    const CENTURY: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;
    let pollables: Vec<_> =
        (0..1_000).map(|_| wasip2::clocks::monotonic_clock::subscribe_duration(CENTURY)).collect();
    let borrowed: Vec<_> = pollables.iter().collect();
    black_box(wasip2::io::poll::poll(&borrowed));
    drop(out);
}

wasip2::http::proxy::export!(Hostile);
