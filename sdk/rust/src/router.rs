//! From method and path to a handler.
//!
//! Patterns are `/news/{slug}`: a segment in braces is a parameter, `{*rest}` takes all that is left.
//! Parameters reach the handler decoded and typed; one that does not parse is a 404, not an error.
//! The first route that fits wins. Invariant: a guard runs before every handler under its prefix,
//! also before those that do not exist. Called by `site`.

use std::str::FromStr;

use crate::{
    error::{Error, Result},
    request::Request,
    response::{IntoResponse, Response},
    url,
};

type Endpoint = Box<dyn Fn(&Request, &[String]) -> Result<Response>>;
type Guard = fn(&Request) -> Result<()>;

/// Routes and guards, in order.
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
    guards: Vec<(&'static str, Guard)>,
}

struct Route {
    method: &'static str,
    pattern: &'static str,
    endpoint: Endpoint,
}

/// A function that answers: `fn(&Request) -> …`, with up to three typed parameters after the request.
pub trait Handler<Parameters>: 'static {
    /// Answers the request.
    ///
    /// # Errors
    /// The handler's own, and `NotFound` where a parameter does not parse.
    fn call(&self, request: &Request, parameters: &[String]) -> Result<Response>;
}

macro_rules! handlers {
    ($(($($name:ident $place:tt),*);)*) => {
        $(impl<F, R, $($name: FromStr),*> Handler<($($name,)*)> for F
        where
            F: Fn(&Request $(, $name)*) -> R + 'static,
            R: IntoResponse,
        {
            fn call(&self, request: &Request, _parameters: &[String]) -> Result<Response> {
                self(request $(, parameter::<$name>(_parameters, $place)?)*).into_response()
            }
        })*
    };
}

handlers! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
}

fn parameter<T: FromStr>(parameters: &[String], place: usize) -> Result<T> {
    parameters.get(place).and_then(|text| text.parse().ok()).ok_or(Error::NotFound)
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        // Built for every request: room for most sites' routes saves growing step by step.
        Self { routes: Vec::with_capacity(32), guards: Vec::new() }
    }

    /// Answers GET, and HEAD by leaving the body out.
    #[must_use]
    pub fn get<P>(self, pattern: &'static str, handler: impl Handler<P>) -> Self {
        self.on("GET", pattern, handler)
    }

    /// Answers POST.
    #[must_use]
    pub fn post<P>(self, pattern: &'static str, handler: impl Handler<P>) -> Self {
        self.on("POST", pattern, handler)
    }

    /// Answers any method, given in upper case.
    #[must_use]
    pub fn on<P>(mut self, method: &'static str, pattern: &'static str, handler: impl Handler<P>) -> Self {
        let endpoint: Endpoint = Box::new(move |request, parameters| handler.call(request, parameters));
        self.routes.push(Route { method, pattern, endpoint });
        self
    }

    /// Runs `guard` before everything at `prefix` and below it.
    #[must_use]
    pub fn guard(mut self, prefix: &'static str, guard: Guard) -> Self {
        self.guards.push((prefix, guard));
        self
    }

    /// Answers a request.
    ///
    /// # Errors
    /// What a guard or the handler returned; `NotFound` or `MethodNotAllowed` where no route fits.
    pub fn dispatch(&self, request: &Request) -> Result<Response> {
        let segments: Vec<&str> = segments(request.path()).collect();
        for (prefix, guard) in &self.guards {
            if is_under(&segments, prefix) {
                guard(request)?;
            }
        }
        let head = request.method() == "HEAD";
        let wanted = if head { "GET" } else { request.method() };
        let mut allowed: Vec<&str> = Vec::new();
        for route in &self.routes {
            let Some(parameters) = fit(route.pattern, &segments) else { continue };
            if route.method == wanted {
                let response = (route.endpoint)(request, &parameters)?;
                return Ok(if head { response.without_body() } else { response });
            }
            allowed.push(route.method);
        }
        if !allowed.is_empty() {
            return Err(Error::MethodNotAllowed(allowed.join(", ")));
        }
        self.without_slash(request, wanted).ok_or(Error::NotFound)
    }

    /// `/news/` leads to `/news` where that exists.
    fn without_slash(&self, request: &Request, method: &str) -> Option<Response> {
        let path = request.path().strip_suffix('/').filter(|path| !path.is_empty())?;
        let segments: Vec<&str> = segments(path).collect();
        let fits = |route: &Route| route.method == method && fit(route.pattern, &segments).is_some();
        (method == "GET" && self.routes.iter().any(fits)).then(|| Response::moved(request.urls().to(path)))
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn is_under(path: &[&str], prefix: &str) -> bool {
    let mut path = path.iter();
    segments(prefix).all(|own| path.next().is_some_and(|segment| is_same(segment, own)))
}

/// Compared after decoding, so that `/man%61ge` can't slip past the guard of `/manage`. Nearly no segment
/// has anything to decode, and there is one to compare for each route: only those that have allocate.
fn is_same(segment: &str, own: &str) -> bool {
    segment == own || (segment.contains('%') && url::decode(segment).as_deref() == Some(own))
}

fn fit(pattern: &str, path: &[&str]) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut rest = path.iter();
    for own in segments(pattern) {
        let name = own.strip_prefix('{').and_then(|own| own.strip_suffix('}'));
        match name {
            Some(name) if name.starts_with('*') => {
                let left: Vec<&str> = rest.copied().collect();
                parameters.push(url::decode(&left.join("/"))?);
                return Some(parameters);
            }
            Some(_) => {
                let value = url::decode(rest.next()?)?;
                if value.is_empty() {
                    return None;
                }
                parameters.push(value);
            }
            None => {
                let segment = *rest.next()?;
                if !is_same(segment, own) {
                    return None;
                }
            }
        }
    }
    rest.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        Router::new()
            .guard("/secret", |request| request.require_role(&["owner"]).map(|_| ()))
            .get("/", |_: &Request| Response::text("home"))
            .get("/news/{slug}", |_: &Request, slug: String| Response::text(slug))
            .post("/news/{slug}", |_: &Request, _: String| Response::new(204))
            .get("/n/{id}/{page}", |_: &Request, id: i64, page: u8| Response::text(format!("{id}.{page}")))
            .get("/files/{*path}", |_: &Request, path: String| Response::text(path))
            .get("/secret/{id}", |_: &Request, _: i64| Response::text("in"))
    }

    fn body(path: &str) -> String {
        let response = router().dispatch(&Request::get(path)).unwrap();
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    #[test]
    fn parameters_are_decoded_and_typed() {
        assert_eq!(body("/"), "home");
        assert_eq!(body("/news/a%20b%2Fc"), "a b/c");
        assert_eq!(body("/n/-3/7"), "-3.7");
        assert_eq!(body("/files/a/b"), "a/b");
        for path in ["/n/x/7", "/n/1/300", "/news", "/news/a/b", "/nothing", "/news/%ff"] {
            assert!(matches!(router().dispatch(&Request::get(path)), Err(Error::NotFound)), "{path}");
        }
    }

    #[test]
    fn head_is_get_without_a_body_and_other_methods_are_named() {
        let head = router().dispatch(&Request::get("/news/x").with_method("HEAD")).unwrap();
        assert_eq!((head.status_code(), head.body().len()), (200, 0));
        let error = router().dispatch(&Request::get("/news/x").with_method("PUT")).unwrap_err();
        assert!(matches!(error, Error::MethodNotAllowed(allowed) if allowed == "GET, POST"));
    }

    #[test]
    fn a_slash_at_the_end_leads_to_the_page_under_the_base_path() {
        let request = Request::get("/news/x/").with_base_path("/club");
        let response = router().dispatch(&request).unwrap();
        assert_eq!(response.status_code(), 308);
        assert_eq!(response.header_value("location"), Some("/club/news/x"));
    }

    #[test]
    fn a_guard_covers_its_prefix_in_every_spelling() {
        for path in ["/secret", "/secret/1", "/%73ecret/1", "/secret/none/such", "/secret/"] {
            assert!(matches!(router().dispatch(&Request::get(path)), Err(Error::SignIn { .. })), "{path}");
        }
        assert!(matches!(router().dispatch(&Request::get("/secrets")), Err(Error::NotFound)));
    }
}
