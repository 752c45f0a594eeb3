//! The console over stand-in rooms: who gets in, and the main ways through by form and redirect.

use super::*;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::CreateUser;
use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use rowhouse_base::secret::Secret;
use rowhouse_identity::Scope;
use tower::ServiceExt as _;

const BOUNDARY: &str = "x-boundary-x";

/// A browser with a session of the console.
struct Browser {
    house: House,
    cookie: String,
}

/// What came back.
struct Seen {
    status: StatusCode,
    location: String,
    policy: String,
    html: String,
}

impl Browser {
    async fn new() -> Self {
        let house = House::new().await;
        let boss = CreateUser {
            name: "boss".into(),
            super_user: Some(true),
            password: Some("correct horse".into()),
            ..CreateUser::default()
        };
        house.control.create_user(&house.operator, boss).await.unwrap();
        let password = Secret::from_text("correct horse");
        let session = house.control.identity().sign_in(Scope::Console, "boss", password, None).await.unwrap();
        Self { cookie: format!("rowhouse_session={}", session.secret.reveal()), house }
    }

    async fn send(&self, mut request: Request<Body>) -> Seen {
        let headers = request.headers_mut();
        headers.insert("host", "localhost:8080".parse().unwrap());
        headers.insert("cookie", self.cookie.parse().unwrap());
        if !headers.contains_key("sec-fetch-site") {
            headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        }
        let control = &self.house.control;
        let both = crate::router(Arc::clone(control))
            .merge(router(Arc::clone(control), Arc::clone(control.identity())));
        let response = both.oneshot(request).await.unwrap();
        let text = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (status, location, policy) =
            (response.status(), text("location"), text("content-security-policy"));
        let html = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Seen { status, location, policy, html: String::from_utf8(html.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str) -> Seen {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    async fn upload(&self, version: &str, component: &str) -> Seen {
        let part = |name: &str, value: &str| {
            let file = if name == "file" { "; filename=\"site.wasm\"" } else { "" };
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
            )
        };
        let parts = [part("name", "site"), part("version", version), part("file", component)];
        let body = format!("{}--{BOUNDARY}--\r\n", parts.concat());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = Request::post("/-/console/releases").header("content-type", kind);
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

async fn nobody_enters_without_a_session() {
    let mut browser = Browser::new().await;
    browser.house.push("1.0.0", "module 0").await;
    browser.house.create("club").await.unwrap();
    for cookie in ["", "rowhouse_session=", "rowhouse_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        browser.cookie = cookie.to_owned();
        for path in ["/-/console/", "/-/console/tenants?search=a", "/-/console/nothing", "/-/console/users"] {
            let seen = browser.get(path).await;
            assert_eq!(seen.status, StatusCode::SEE_OTHER, "{path}");
            assert!(
                seen.location.starts_with("/-/console/sign-in?return-to=%2F%2D%2Fconsole%2F"),
                "{}",
                seen.location
            );
        }
        let seen = browser.post("/-/console/tenants/club/suspend", "").await;
        assert_eq!(seen.location, "/-/console/sign-in?return-to=%2F%2D%2Fconsole%2F");
    }
    assert_eq!(browser.house.control.tenant(&browser.house.operator, "club").await.unwrap().state, "active");
}

async fn another_site_can_not_make_a_browser_change_anything() {
    let browser = Browser::new().await;
    browser.house.push("1.0.0", "module 0").await;
    browser.house.create("club").await.unwrap();
    for site in ["cross-site", "same-site"] {
        let request = Request::post("/-/console/tenants/club/suspend").header("sec-fetch-site", site);
        let seen = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{site}");
    }
    assert_eq!(browser.house.control.tenant(&browser.house.operator, "club").await.unwrap().state, "active");
}

async fn every_page_is_protected_and_none_is_kept() {
    let browser = Browser::new().await;
    browser.house.push("1.0.0", "module 0").await;
    browser.house.create("club").await.unwrap();
    for path in [
        "/-/console/",
        "/-/console/audit?tenant=club",
        "/-/console/tenants",
        "/-/console/tenants/new",
        "/-/console/tenants/club",
        "/-/console/tenants/club/delete",
        "/-/console/tenants/club/suspend",
        "/-/console/tenants/club/move?to=other",
        "/-/console/tenants/club/reset",
        "/-/console/releases",
        "/-/console/releases/site@1.0.0",
        "/-/console/releases/site@1.0.0/activate",
        "/-/console/releases/site@1.0.0/delete",
        "/-/console/users",
        "/-/console/users/boss",
        "/-/console/users/boss/delete",
        "/-/console/users/boss/reset-password",
        "/-/console/users/boss/sign-out",
        "/-/console/servers",
        "/-/console/data-servers",
        "/-/console/tokens",
    ] {
        let seen = browser.get(path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.html);
        assert!(seen.policy.starts_with("default-src 'none'; style-src 'self'"), "{path}");
    }
    for path in [
        "/-/console/nothing",
        "/-/console/tenants/nobody",
        "/-/console/users/nobody",
        "/-/console/users/boss/nothing",
        "/-/console/users/nobody/sign-out",
        "/-/console/releases/a@1",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.get("/").await.location, "/-/console/");
    assert_eq!(browser.get(views::STYLESHEET_PATH).await.html, views::STYLESHEET);
}

async fn a_site_from_the_form_to_the_receipt() {
    let browser = Browser::new().await;
    assert_eq!(browser.upload("1.0.0", "module 0").await.location, "/-/console/releases?done=stored");
    let wrong = browser.post("/-/console/tenants/new", "name=www&title=The+%3Cb%3EClub&url_prefix=on").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.html.contains("is reserved") && wrong.html.contains("value=\"The &#60;b&#62;Club\""),
        "{}",
        wrong.html
    );

    let form = "name=club&title=The+Club&addresses=club.example%2C+www.club.example&release=site%401.0.0&url_prefix=on";
    let made = browser.post("/-/console/tenants/new", form).await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (StatusCode::SEE_OTHER, "/-/console/tenants/club?done=site-made")
    );
    let page = browser.get(&made.location).await.html;
    assert!(
        page.contains("The tenant is made")
            && page.contains("www.club.example")
            && page.contains("site@1.0.0"),
        "{page}"
    );

    let base = "/-/console/tenants/club";
    for (form, post) in [
        ("addresses", "remove=www.club.example"),
        ("settings", "key=tagline&value=Hello"),
        ("outbound", "add=api.example"),
        ("members", "user=boss&role=owner"),
    ] {
        let seen = browser.post(&format!("{base}/{form}"), post).await;
        assert_eq!(seen.location, format!("{base}?done=saved"), "{form}: {}", seen.html);
    }
    let site = browser.house.control.tenant(&browser.house.operator, "club").await.unwrap();
    assert_eq!(site.addresses, ["club.example"]);
    assert_eq!(site.settings.get("tagline").map(String::as_str), Some("Hello"));
    assert_eq!(site.outbound, ["api.example"]);
    let refused = browser.post(&format!("{base}/addresses"), "add=not+a+host").await;
    assert!(
        refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.html.contains("flash-bad"),
        "{}",
        refused.html
    );

    let flushed = browser.post(&format!("{base}/flush"), "").await.location;
    assert_eq!((flushed, browser.house.rooms.called("moved club *")), (format!("{base}?done=flushed"), 1));
    assert!(browser.get(base).await.html.contains("Make all pages anew"));

    assert_eq!(browser.post(&format!("{base}/suspend"), "").await.location, format!("{base}?done=suspended"));
    assert!(browser.get(base).await.html.contains("Resume"));
    let untyped = browser.post(&format!("{base}/delete"), "confirm=clubb&now=on").await;
    assert!(!untyped.status.is_success() && !untyped.status.is_redirection(), "{}", untyped.status);
    let gone = browser.post(&format!("{base}/delete"), "confirm=club&now=on").await;
    assert!(
        gone.html.contains("The tenant club is gone") && gone.html.contains("Found afterwards: nothing."),
        "{}",
        gone.html
    );
    assert_eq!(browser.get(base).await.status, StatusCode::NOT_FOUND);
}

async fn a_refused_form_of_a_site_keeps_what_was_typed() {
    let browser = Browser::new().await;
    browser.house.create("club").await.unwrap();
    let base = "/-/console/tenants/club";
    browser.post(&format!("{base}/members"), "user=boss&role=owner").await;
    let refused = browser.post(&format!("{base}/addresses"), "add=not+a+host").await;
    assert!(refused.html.contains("value=\"not a host\"") && refused.html.contains("id=\"d-add-address\""));
    let refused = browser.post(&format!("{base}/properties"), "title=&locale=x+y&time_zone=UTC").await;
    assert!(refused.html.contains("<li>Language: a language tag") && refused.html.contains("value=\"x y\""));
    let refused = browser.post(&format!("{base}/members"), "user=zoe&role=editor").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(
        refused.html.contains("There is no user <code>zoe</code>.") && refused.html.contains("value=\"zoe\"")
    );
    let page = browser.get("/-/console/users/boss").await.html;
    assert!(
        page.contains("<a href=\"/-/console/tenants/club\">club</a>") && page.contains("owner"),
        "{page}"
    );
}

async fn a_module_is_uploaded_activated_and_rolled_back() {
    let browser = Browser::new().await;
    browser.house.push("1.0.0", "module 0").await;
    for name in ["club", "chess"] {
        let form = format!("name={name}&release=site%401.0.0");
        assert_eq!(browser.post("/-/console/tenants/new", &form).await.status, StatusCode::SEE_OTHER);
    }
    let bad = browser.upload("2.0.0", "bad first second").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        bad.html.contains("first") && bad.html.contains("second") && bad.html.contains("value=\"2.0.0\""),
        "{}",
        bad.html
    );
    assert_eq!(browser.upload("2.0.0", "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.upload("2.0.0", "module 1").await.location, "/-/console/releases?done=stored");
    assert_eq!(browser.upload("2.0.0", "module 1").await.location, "/-/console/releases?done=known");

    let action = "/-/console/releases/site@2.0.0/activate";
    assert_eq!(browser.post(action, "whom=some").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let present = "/-/console/releases/site@1.0.0/activate";
    let nothing = browser.post(present, "whom=all").await.location;
    assert!(nothing.ends_with("?done=nothing-to-move"), "{nothing}");
    browser.house.runs_ended().await;
    let begun = browser.post(action, "whom=some&tenant=club").await.location;
    let run = begun.strip_suffix("?done=run-begun").unwrap().to_owned();
    assert!(run.starts_with("/-/console/runs/"), "{run}");
    browser.house.runs_ended().await;
    assert_eq!(browser.house.release_of("club").as_deref(), Some("site@2.0.0"));
    assert_eq!(browser.house.release_of("chess").as_deref(), Some("site@1.0.0"));

    browser.house.rooms.fail(Fault::MigrateOf("chess".into()));
    let begun = browser.post("/-/console/tenants/chess/release", "release=site%402.0.0").await.location;
    let kept = begun.strip_suffix("?done=run-begun").unwrap().to_owned();
    browser.house.runs_ended().await;
    let page = browser.get(&kept).await.html;
    assert!(page.contains("TABEL") && page.contains("Resume"), "{page}");
    assert!(!page.contains("Roll back"), "nobody moved: {page}");
    assert_eq!(browser.get(&format!("{kept}?state=nonsense")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    browser.house.rooms.mend();
    let again = browser.post(&format!("{kept}/resume"), "").await;
    assert_eq!(again.location, format!("{kept}?done=run-resumed"));
    browser.house.runs_ended().await;
    assert_eq!(browser.house.release_of("chess").as_deref(), Some("site@2.0.0"));
    assert_eq!(browser.post(&format!("{kept}/resume"), "").await.status, StatusCode::CONFLICT);

    let list = browser.get("/-/console/runs").await.html;
    assert_eq!(list.matches("/-/console/runs/").count(), 3, "{list}");
    assert!(browser.get(&format!("{run}/rollback")).await.html.contains("1 tenants that moved"));
    let back = browser.post(&format!("{run}/rollback"), "").await;
    assert!(back.location.ends_with("?done=rolled-back"), "{}", back.location);
    browser.house.runs_ended().await;
    assert_eq!(browser.house.release_of("club").as_deref(), Some("site@1.0.0"));
}

async fn people_get_secrets_once() {
    let browser = Browser::new().await;
    let made = browser.post("/-/console/users", "name=ben&email=ben%40club.example").await;
    assert_eq!(made.status, StatusCode::OK);
    assert!(made.html.contains("One-time password of ben"), "{}", made.html);
    let twice = browser.post("/-/console/users", "name=ben&email=").await;
    assert!(twice.status == StatusCode::CONFLICT && twice.html.contains("already"), "{}", twice.html);
    for (change, done) in [("disable", "saved"), ("enable", "saved"), ("sign-out", "signed-out")] {
        let seen = browser.post(&format!("/-/console/users/ben/{change}"), "").await;
        assert_eq!(seen.location, format!("/-/console/users/ben?done={done}"), "{change}");
    }
    for (change, asked) in [("reset-password", "Reset the password of ben?"), ("sign-out", "Sign ben out")] {
        let path = format!("/-/console/users/ben/{change}");
        let page = browser.get(&path).await.html;
        assert!(page.contains(asked) && page.contains(&format!("action=\"{path}\"")), "{page}");
    }
    let reset = browser.post("/-/console/users/ben/reset-password", "").await.html;
    assert!(reset.contains("has a new password") && reset.contains("The password is reset"), "{reset}");
    let changed = browser.get("/-/console/?done=password-changed").await.html;
    assert!(changed.contains("Your password is changed."), "{changed}");
    assert_eq!(
        browser.post("/-/console/users/ben/delete", "confirm=be").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        browser.post("/-/console/users/ben/delete", "confirm=ben").await.location,
        "/-/console/users?done=user-deleted"
    );

    let token = browser.post("/-/console/tokens", "name=ci&scope=read&expires_at=2099-01-01").await;
    let secret = token.html.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(secret.starts_with("rh_"));
    let page = browser.get("/-/console/tokens").await.html;
    assert!(page.contains("1 Jan 2099") && !page.contains(&secret));
    let past = browser.post("/-/console/tokens", "name=ci&scope=read&expires_at=1999-01-01").await;
    assert!(past.status == StatusCode::UNPROCESSABLE_ENTITY && past.html.contains("a time to come"));
    let id = page.split("/-/console/tokens/").nth(1).unwrap().split('/').next().unwrap();
    assert!(browser.get(&format!("/-/console/tokens/{id}/revoke")).await.html.contains("Revoke"));
    assert_eq!(
        browser.post(&format!("/-/console/tokens/{id}/revoke"), "").await.location,
        "/-/console/tokens?done=token-revoked"
    );
}

async fn a_one_time_password_opens_only_the_change_of_it() {
    let browser = Browser::new().await;
    let carla = CreateUser { name: "carla".into(), super_user: Some(true), ..CreateUser::default() };
    let made = browser.house.control.create_user(&browser.house.operator, carla).await.unwrap();
    let password = Secret::from_text(made.one_time_password.unwrap());
    let identity = browser.house.control.identity();
    let session = identity.sign_in(Scope::Console, "carla", password, None).await.unwrap();
    let carla =
        Browser { cookie: format!("rowhouse_session={}", session.secret.reveal()), house: browser.house };
    let seen = carla
        .send(Request::builder().method(Method::GET).uri("/-/console/users").body(Body::empty()).unwrap())
        .await;
    assert_eq!(seen.location, "/-/console/password?return-to=%2F%2D%2Fconsole%2Fusers");
}

async fn the_trail_leads_to_what_is_still_there() {
    let browser = Browser::new().await;
    browser.house.push("1.0.0", "module 0").await;
    for name in ["club", "chess"] {
        browser.house.create(name).await.unwrap();
    }
    browser.house.activate("site@1.0.0").await;
    browser.post("/-/console/users", "name=ben").await;
    browser.post("/-/console/users/ben/delete", "confirm=ben").await;
    browser.post("/-/console/tenants/chess/delete", "confirm=chess&now=on").await;
    let id = browser.house.served("club").unwrap().id.to_string();
    let page = browser.get("/-/console/audit").await.html;
    for link in [
        "<a href=\"/-/console/tenants/club\">club</a>",
        "user <a href=\"/-/console/users/boss\">boss</a>",
        "<a href=\"/-/console/releases/site@1.0.0\">site@1.0.0</a>",
        "tenant(s), run <a href=\"/-/console/runs/",
    ] {
        assert!(page.contains(link), "{link}: {page}");
    }
    assert!(page.contains("chess") && !page.contains("/-/console/tenants/chess"), "it is gone: {page}");
    assert!(page.contains("ben") && !page.contains("/-/console/users/ben"), "so is he: {page}");
    assert!(!page.contains(&id), "it has a name: {page}");
}

async fn the_trail_tells_those_apart_that_had_one_name() {
    let browser = Browser::new().await;
    let links = |page: &str| {
        let to = |link: &str| page.matches(link).count();
        (to("<a href=\"/-/console/tenants/club\">club</a>"), to("<a href=\"/-/console/users/ben\">ben</a>"))
    };
    browser.house.create("club").await.unwrap();
    browser.post("/-/console/users", "name=ben").await;
    browser.post("/-/console/tenants/club/delete", "confirm=club").await;
    let page = browser.get("/-/console/audit?tenant=club").await.html;
    assert_eq!(
        links(&page),
        (3, 0),
        "made, activated and in the trash, where it is found by its name: {page}"
    );
    browser.post("/-/console/users/ben/delete", "confirm=ben").await;
    browser.post("/-/console/users", "name=ben").await;
    browser.house.create("club").await.unwrap();
    let page = browser.get("/-/console/audit").await.html;
    assert_eq!(links(&page), (2, 1), "only what was done to those who have the names now: {page}");
}

async fn data_servers_say_whether_they_are_there() {
    let browser = Browser::new().await;
    let page = browser.get("/-/console/data-servers").await.html;
    assert!(page.contains("local") && page.contains("new tenants") && page.contains("sqlite"), "{page}");
    assert!(page.contains(">away<") && page.contains("3 of 20"), "{page}");
    let nowhere = browser.get("/-/console/nothing").await.html;
    assert!(nowhere.contains("<code>/-/console/nothing</code>") && !nowhere.contains("aria-current"));
}

async fn a_server_is_told_to_leave() {
    let browser = Browser::new().await;
    let page = browser.get("/-/console/servers").await;
    assert_eq!(page.status, StatusCode::OK);
    let id = browser.house.control.config().server.to_string();
    assert!(page.html.contains(&id) && page.html.contains("this one"), "{}", page.html);
    let path = format!("/-/console/servers/{id}/drain");
    assert!(browser.get(&path).await.html.contains("Drain the server"));
    assert_eq!(browser.get("/-/console/servers/nobody/drain").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&path, "").await.location, "/-/console/servers?done=draining");
    browser.house.control.asked_to_leave().await;
}

on_each_engine!(
    a_server_is_told_to_leave,
    the_trail_leads_to_what_is_still_there,
    the_trail_tells_those_apart_that_had_one_name,
    data_servers_say_whether_they_are_there,
    nobody_enters_without_a_session,
    another_site_can_not_make_a_browser_change_anything,
    every_page_is_protected_and_none_is_kept,
    a_site_from_the_form_to_the_receipt,
    a_refused_form_of_a_site_keeps_what_was_typed,
    a_module_is_uploaded_activated_and_rolled_back,
    people_get_secrets_once,
    a_one_time_password_opens_only_the_change_of_it,
);

#[tokio::test]
async fn whole_sites_are_cloned_moved_and_reset() {
    let browser = Browser::new().await;
    browser.house.create("club").await.unwrap();
    browser.house.rooms.write(&browser.house.served("club").unwrap(), &["one"]);
    let base = "/-/console/tenants/club";
    let page = browser.get(base).await.html;
    assert!(
        page.contains("/-/api/v1/tenants/club/archive") && page.contains("<option>other</option>"),
        "{page}"
    );
    let archive = browser.get("/-/api/v1/tenants/club/archive").await;
    assert_eq!(archive.status, StatusCode::OK, "a link of the console has the session's permit");

    let cloned = browser.post(&format!("{base}/clone"), "name=twin").await;
    assert_eq!(cloned.location, "/-/console/tenants/twin?done=cloned");
    let taken = browser.post(&format!("{base}/clone"), "name=twin").await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let asked = browser.get(&format!("{base}/move?to=other")).await.html;
    assert!(asked.contains("action=\"/-/console/tenants/club/move?to=other\""), "{asked}");
    let moved = browser.post(&format!("{base}/move?to=other"), "").await;
    assert_eq!(moved.location, format!("{base}?done=relocated"));
    assert!(browser.get(base).await.html.contains("<dd>other</dd>"));
    let wrong = browser.post(&format!("{base}/move?to=%3Cmars%3E"), "").await;
    assert!(
        wrong.status == StatusCode::UNPROCESSABLE_ENTITY && !wrong.html.contains("<mars>"),
        "{}",
        wrong.html
    );
    let unsure = browser.post("/-/console/tenants/twin/reset", "confirm=club").await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let emptied = browser.post("/-/console/tenants/twin/reset", "confirm=twin").await;
    assert_eq!(emptied.location, "/-/console/tenants/twin?done=emptied");
    let running = browser.post(&format!("{base}/reset"), "confirm=club").await;
    assert_eq!(running.status, StatusCode::CONFLICT, "only a suspended one");
    let made = browser.post("/-/console/tenants/new", "name=choir&data_server=other").await;
    assert_eq!(made.location, "/-/console/tenants/choir?done=site-made");
    assert_eq!(browser.house.served("choir").unwrap().data_server.as_str(), "other");
}
