//! `/runs/{id}/events`: how a run goes on, as server-sent events.
//!
//! What a stream tells is read from the control database, so any server can tell it and nothing is lost
//! with one: who comes again, here or elsewhere, is told the present state first. A stream ends with the run,
//! and before that after a while, so that it never holds up a server that is to end.

use super::auth::Permit;
use super::{Answer, Problem, State};
use crate::Control;
use crate::types::RunView;
use axum::extract::{self, Path};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use http::StatusCode;
use rowhouse_base::Chain;
use rowhouse_identity::Operator;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// How often the run is looked at: often enough for a bar, rarely enough to cost nothing.
const LOOK: Duration = Duration::from_millis(500);
/// A stream ends after this time, below the 30 s that a server which is to end waits for its answers. Clients ask
/// again by themselves.
const LONGEST: Duration = Duration::from_secs(25);
/// Something is sent this often, so that nothing in between takes the connection for dead.
const ALIVE: Duration = Duration::from_secs(10);
/// How long a client waits before it asks again.
const RETRY: Duration = Duration::from_secs(1);

/// Somebody who watches a run.
struct Watch {
    control: Arc<Control>,
    operator: Operator,
    run: RunView,
    /// What was told last.
    told: Option<RunView>,
    until: Instant,
    #[expect(dead_code, reason = "held for the bound of watchers")]
    place: OwnedSemaphorePermit,
}

/// How a run goes on: an event `progress` with the run whenever it changed, and `ended` with its end.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn follow(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Response> {
    let run = control.run(&operator, &id).await?;
    let place = Arc::clone(&control.watchers).try_acquire_owned().map_err(|_full| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many watch runs on this server; try again later")
    })?;
    let watch = Watch { control, operator, run, told: None, until: Instant::now() + LONGEST, place };
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(unfold(Some(watch), next)).keep_alive(alive).into_response())
}

/// The next event, and who waits for the one after it.
async fn next(watch: Option<Watch>) -> Option<(Result<Event, Infallible>, Option<Watch>)> {
    let mut watch = watch?;
    while watch.told.as_ref() == Some(&watch.run) {
        if Instant::now() >= watch.until {
            return None;
        }
        tokio::time::sleep(LOOK).await;
        match watch.control.run(&watch.operator, &watch.run.id).await {
            Ok(run) => watch.run = run,
            Err(error) => {
                // Who asks again is told the reason.
                tracing::warn!(run = %watch.run.id, error = %Chain(&error), "look at a run");
                return None;
            }
        }
    }
    let is_open = watch.run.is_open();
    let event = Event::default().retry(RETRY).event(if is_open { "progress" } else { "ended" });
    let event = match event.json_data(&watch.run) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "write an event");
            return None;
        }
    };
    watch.told = Some(watch.run.clone());
    Some((Ok(event), is_open.then_some(watch)))
}
