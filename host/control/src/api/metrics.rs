//! `/-/metrics`: what this server measures, in the text format of Prometheus, for operators.
//!
//! Each server tells of itself alone and asks no database for it, beyond who asks. The number of series is bounded:
//! states are few, and of tenants only the hundred with the most bytes in the cache are named.

use super::auth::Permit;
use super::problem;
use crate::Control;
use crate::ports::{CacheNumbers, Measure, MeasureKind, Measures};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use http::header::CONTENT_TYPE;
use rowhouse_tenant::TenantState;
use std::fmt::Write as _;
use std::sync::Arc;

/// Where the metrics are on the console's host.
const PATH: &str = "/-/metrics";
/// The version of the text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const STATES: [TenantState; 6] = [
    TenantState::Provisioning,
    TenantState::Active,
    TenantState::Suspended,
    TenantState::Moving,
    TenantState::Trashed,
    TenantState::Deleting,
];

/// A number of the cache: the end of its name, what it counts, and where it is.
type CacheMeasure = (&'static str, &'static str, MeasureKind, fn(&CacheNumbers) -> u64);

const CACHE: [CacheMeasure; 6] = [
    ("hits_total", "Requests answered from the cache", MeasureKind::Counter, |numbers| numbers.hits),
    (
        "misses_total",
        "Requests for which the site was asked and whose answer could have been kept",
        MeasureKind::Counter,
        |numbers| numbers.misses,
    ),
    ("fills_total", "Answers kept", MeasureKind::Counter, |numbers| numbers.fills),
    ("evictions_total", "Pages that had to go for others", MeasureKind::Counter, |numbers| numbers.evictions),
    ("pages", "Pages in memory", MeasureKind::Gauge, |numbers| numbers.entries),
    ("bytes", "Memory that pages take", MeasureKind::Gauge, |numbers| numbers.bytes),
];

/// The metrics of a server at `/-/metrics`, for who may read the API. `measures` are those of other rooms.
pub fn metrics_router(control: Arc<Control>, measures: Arc<dyn Measures>) -> Router {
    Router::new()
        .route(PATH, get(show))
        .layer(Extension(measures))
        .layer(middleware::from_fn(problem::finish))
        .with_state(control)
}

async fn show(
    State(control): State<Arc<Control>>,
    Extension(measures): Extension<Arc<dyn Measures>>,
    Permit(_operator): Permit,
) -> Response {
    ([(CONTENT_TYPE, FORMAT)], written(&control, &measures.read())).into_response()
}

fn written(control: &Control, measures: &[Measure]) -> String {
    let mut text = Exposition::default();
    text.family("rowhouse_build_info", "1, with the version of the server", MeasureKind::Gauge);
    text.sample("rowhouse_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let snapshot = control.directory.snapshot();
    text.one(&Measure {
        name: "rowhouse_generation",
        help: "Generation of the control state that this server shows",
        kind: MeasureKind::Gauge,
        value: snapshot.generation(),
    });
    text.family("rowhouse_tenants", "Tenants in each state, as this server sees them", MeasureKind::Gauge);
    for state in STATES {
        let count = snapshot.tenants().filter(|tenant| tenant.state == state).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        text.sample("rowhouse_tenants", &[("state", state.as_str())], count);
    }
    let totals = control.cache.totals();
    for (end, help, kind, of) in CACHE {
        let name = format!("rowhouse_cache_{end}");
        text.family(&name, help, kind);
        text.sample(&name, &[], of(&totals));
    }
    let largest = control.largest_in_cache();
    for (end, help, kind, of) in CACHE {
        let name = format!("rowhouse_tenant_cache_{end}");
        text.family(&name, &format!("{help}, of the tenants with the most bytes"), kind);
        for (tenant, numbers) in &largest {
            text.sample(&name, &[("tenant", tenant.name.as_str())], of(numbers));
        }
    }
    for measure in measures {
        text.one(measure);
    }
    text.0
}

/// A text in the format of Prometheus. Each family comes once, with all its samples after it.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, help: &str, kind: MeasureKind) {
        let kind = match kind {
            MeasureKind::Counter => "counter",
            MeasureKind::Gauge => "gauge",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a text does not fail.
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _written = write!(self.0, "{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _written = writeln!(self.0, " {value}");
    }

    fn one(&mut self, measure: &Measure) {
        self.family(measure.name, measure.help, measure.kind);
        self.sample(measure.name, &[], measure.value);
    }
}

#[cfg(test)]
mod tests;
