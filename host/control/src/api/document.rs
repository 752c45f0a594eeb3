//! `/openapi.json`: the API, described from its handlers. The one route without a credential.

use super::{
    Problem, archives, cache, events, farm, limits, people, releases, runs, servers, status, tenants, tokens,
};
use axum::Json;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Rowhouse API", description = "Tenants, releases, runs and people of one Rowhouse."),
    servers((url = "/-/api/v1")),
    paths(
        show, status::show, limits::list, people::audit, tenants::receipts,
        tenants::list, tenants::create, tenants::show, tenants::change, tenants::remove,
        tenants::suspend, tenants::resume, tenants::usage,
        archives::import, archives::export, archives::restore, archives::clone, archives::relocate, archives::reset,
        cache::show, cache::flush, cache::list, servers::list, farm::list, farm::drain,
        people::members, people::set_member, people::remove_member,
        releases::list, releases::push, releases::show, releases::remove,
        runs::list, runs::start, runs::show, events::follow, runs::resume, runs::rollback,
        people::list, people::create, people::change, people::remove, people::reset_password, people::end_sessions,
        tokens::list, tokens::create, tokens::remove,
    ),
    components(schemas(Problem)),
    modifiers(&Common),
)]
struct Document;

/// What all operations share: tokens, and problems.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
        for item in document.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                let response = ResponseBuilder::new()
                    .description("problem details (RFC 9457)")
                    .content("application/problem+json", problem)
                    .build();
                operation.responses.responses.insert("default".to_owned(), response.into());
            }
        }
    }
}

/// The OpenAPI document.
#[must_use]
pub fn document() -> openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", security(()), responses((status = 200)))]
pub(super) async fn show() -> Json<openapi::OpenApi> {
    Json(document())
}
