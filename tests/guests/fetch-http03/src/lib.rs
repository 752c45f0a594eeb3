//! Fetches the URL in its query over `wasi:http/client@0.3` and answers with what came: status and body, or
//! 502 and wasi:http's own word for why. Only the wasm build has contents.
#![cfg(target_family = "wasm")]

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Fetch;

impl wasip3::exports::http::handler::Guest for Fetch {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let url = path.split_once('?').map(|(_, url)| url.to_owned()).unwrap_or_default();
        let (status, body) = match fetched(&url).await {
            Ok((status, body)) => (status, body),
            Err(code) => (502, format!("{code:?}").into_bytes()),
        };
        let (mut writer, reader) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(reader), trailers_reader);
        response.set_status_code(status).expect("a valid status");
        drop(trailers);
        wit_bindgen::spawn_local(async move {
            let rest = writer.write_all(body).await;
            assert!(rest.is_empty(), "the host read the whole body");
        });
        Ok(response)
    }
}

async fn fetched(url: &str) -> Result<(u16, Vec<u8>), ErrorCode> {
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, trailers_reader, None);
    drop(trailers);
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request.set_authority(Some(authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_path_with_query(Some(path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    let answer = client::send(request).await?;
    let status = answer.get_status_code();
    let (_read, result) = wit_future::new(|| Ok(()));
    let (stream, ended) = Response::consume_body(answer, result);
    let body = stream.collect().await;
    ended.await?;
    Ok((status, body))
}

wasip3::http::service::export!(Fetch);
