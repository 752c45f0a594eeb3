//! `wasi:http/incoming-handler@0.2`: the guest sets its response and may go on writing the body.

use super::{Ended, Usage};
use crate::GuestError;
use crate::invoke::streamed::HeadSender;
use crate::invoke::whole::Author;
use crate::store::GuestState;
use crate::warm::Instance;
use rowhouse_base::Limits;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// Instantiates the module.
pub(crate) async fn instantiate(
    pre: &ProxyPre<GuestState>,
    mut store: Store<GuestState>,
    limits: &Limits,
) -> Ended<Instance<Proxy>> {
    match pre.instantiate_async(&mut store).await {
        Ok(proxy) => Ok(Instance::new(store, proxy)),
        Err(error) => Err(store.data().explain(&error, limits)),
    }
}

/// Runs the guest to its end. The head of its response leaves through `head` as soon as it is set. An
/// error leaves an instance that must not be used again.
pub(crate) async fn run(
    instance: &mut Instance<Proxy>,
    request: http::Request<WasiBody>,
    scheme: Scheme,
    head: HeadSender,
    limits: &Limits,
) -> Ended<Usage> {
    let Instance { store, handler, .. } = instance;
    let (author, fate) = Author::new();
    let called = async {
        let incoming = store.data_mut().http().new_incoming_request(scheme, request)?;
        let outparam = store.data_mut().http().new_response_outparam_from_callback(move |answer| {
            // The visitor may have left; then nobody waits for the head.
            let reported = |code| GuestError::BadResponse(format!("the guest reports {code:?}"));
            drop(head.send(answer.map(|answer| fate.watch(answer)).map_err(reported)));
        })?;
        handler.wasi_http_incoming_handler().call_handle(&mut *store, incoming, outparam).await
    };
    let called = called.await;
    if called.is_ok() || !store.data_mut().is_writing() {
        author.done();
    }
    match called {
        Ok(()) => Ok(Usage::of(store)),
        Err(error) => Err(store.data().explain(&error, limits)),
    }
}
