//! `wasi:http/incoming-handler@0.2`: the guest sets its response and may go on writing the body.

use super::{Ended, Usage};
use crate::GuestError;
use crate::invoke::streamed::HeadSender;
use crate::store::GuestState;
use rowhouse_base::Limits;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// Runs the guest to its end. The head of its response leaves through `head` as soon as it is set.
pub(crate) async fn run(
    pre: ProxyPre<GuestState>,
    mut store: Store<GuestState>,
    request: http::Request<WasiBody>,
    scheme: Scheme,
    head: HeadSender,
    limits: &Limits,
) -> Ended<Usage> {
    let called = async {
        let incoming = store.data_mut().http().new_incoming_request(scheme, request)?;
        let outparam =
            store.data_mut().http().new_response_outparam_from_callback(move |answer| {
                // The visitor may have left; then nobody waits for the head.
                drop(head.send(
                    answer.map_err(|code| GuestError::BadResponse(format!("the guest reports {code:?}"))),
                ));
            })?;
        let instance = pre.instantiate_async(&mut store).await?;
        instance.wasi_http_incoming_handler().call_handle(&mut store, incoming, outparam).await
    };
    match called.await {
        Ok(()) => Ok(Usage::of(&store)),
        Err(error) => Err(store.data().explain(&error, limits)),
    }
}
