//! What an attack of several attempts reports, as JSON.
//!
//! `accepted` lists the attempts that the host let through and must be empty; `refused` lists the
//! others, each with the host's word for it, so that a test sees that the attempt was really made.

use std::fmt::Write as _;

use crate::exports::rowhouse::site::handler::{Header, Response};

/// The attempts so far.
#[derive(Default)]
pub(crate) struct Verdict {
    accepted: Vec<String>,
    refused: Vec<(String, String)>,
}

impl Verdict {
    /// Notes one attempt with its result.
    pub(crate) fn note<T, E: std::fmt::Debug>(&mut self, attempt: &str, result: Result<T, E>) {
        match result {
            Ok(_) => self.accepted.push(attempt.to_owned()),
            Err(error) => self.refused.push((attempt.to_owned(), format!("{error:?}"))),
        }
    }

    /// The answer to the visitor.
    pub(crate) fn into_response(self) -> Response {
        let mut json = String::from("{\"accepted\":[");
        for (index, attempt) in self.accepted.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            string(&mut json, attempt);
        }
        json.push_str("],\"refused\":{");
        for (index, (attempt, error)) in self.refused.iter().enumerate() {
            json.push_str(if index == 0 { "" } else { "," });
            string(&mut json, attempt);
            json.push(':');
            string(&mut json, error);
        }
        json.push_str("}}\n");
        Response {
            status: 200,
            headers: vec![Header { name: "content-type".into(), value: "application/json".into() }],
            body: json.into_bytes(),
        }
    }
}

fn string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a String can't fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}
