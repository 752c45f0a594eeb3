//! Renders every page with sample data and checks what all pages promise. With ROWHOUSE_PAGES=FOLDER the pages are
//! written there too, to be looked at in a browser.

mod forms;

use super::audit::{AuditPage, AuditRow};
use super::data::{DataServerRow, DataServersPage};
use super::people::{
    MembershipRow, TokenRow, TokensPage, UserPage, UserRow, UsersPage, token_fields, user_fields,
};
use super::releases::{ActivatePage, ReleasePage, ReleaseRow, ReleasesPage, upload_fields};
use super::runs::{RunPage, RunRow, RunsPage};
use super::servers::{ServerRow, ServersPage};
use super::sites::{
    CacheFacts, MemberRow, NewSitePage, Site, SiteForms, SitePage, SiteRow, SitesPage, Usage, new_site_fields,
};
use super::*;
use crate::services::Named;
use crate::types::{
    AuditEntry, CacheCounts, CreateTenant, DataServerView, MemberView, Membership, ReleaseView, RunItemView,
    RunView, ServerView, TenantRelease, TenantView, TokenView, UsageView, UserView,
};
use rowhouse_base::Timestamp;

const WHEN: &str = "2026-03-01T09:30:00.123456Z";
/// In every text that a person may choose.
const HOSTILE: &str = "<script>alert(1)</script>\" onfocus='x";

fn frame(section: Section, title: &str) -> Frame {
    Frame::new(section, title, "ada")
}

fn tenant(name: &str, title: &str, state: &str) -> TenantView {
    TenantView {
        id: "0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10".into(),
        name: name.into(),
        title: title.into(),
        state: state.into(),
        addresses: vec![format!("{name}.example"), format!("*.{name}.example")],
        url_prefix: true,
        urls: vec![format!("http://{name}.localhost:8080/"), format!("http://localhost:8080/{name}/")],
        locale: "en-GB".into(),
        time_zone: "Europe/London".into(),
        settings: [("tagline".to_owned(), "On the river since 1921".to_owned())].into(),
        outbound: vec!["api.example:8443".into()],
        release: Some(TenantRelease { name: "site@1.0.0".into(), digest: "4f2ab19c".repeat(8) }),
        previous_release: Some("site@0.9.0".into()),
        schema_version: 3,
        revision: 41,
        created_at: WHEN.into(),
        trash_until: None,
        data_server: "local".into(),
        operation: None,
    }
}

fn release(name: &str, tenants: u64) -> ReleaseView {
    ReleaseView {
        name: name.into(),
        digest: "4f2ab19c".repeat(8),
        size: 1_482_331,
        lane: "fast".into(),
        exports: vec!["rowhouse:site/handler@0.1.0".into(), "rowhouse:site/schema@0.1.0".into()],
        imports: vec!["rowhouse:host/sql@0.1.0".into(), "rowhouse:host/tenant@0.1.0".into()],
        schema_version: 3,
        has_upgrade: false,
        reuse: None,
        pushed_at: WHEN.into(),
        tenants,
        ready_on: vec!["web1".into(), "web2".into()],
    }
}

fn run(state: &str, kind: &str, failed: u64, left: u64) -> RunView {
    RunView {
        id: "r1".into(),
        kind: kind.into(),
        release: "site@1.0.0".into(),
        state: state.into(),
        total: 12,
        moved: 12 - failed - left - 1,
        failed,
        gone: 1,
        left,
        actor: "user ada".into(),
        rollback_of: (kind == "rollback").then(|| "r0".into()),
        server: None,
        turns: 2,
        started_at: WHEN.into(),
        ended_at: (left == 0).then(|| WHEN.into()),
    }
}

fn runs(some: bool) -> RunsPage {
    let rows = vec![
        RunRow::from(run("running", "activation", 0, 4)),
        RunRow::from(run("failed", "activation", 2, 0)),
        RunRow::from(run("finished", "rollback", 0, 0)),
    ];
    RunsPage {
        frame: frame(Section::Runs, "Runs"),
        is_open: some,
        rows: if some { rows } else { Vec::new() },
        pager: Pager::default(),
    }
}

fn one_run(state: &str, kind: &str) -> RunPage {
    let item = |tenant: &str, state: &str, error: Option<&str>| RunItemView {
        tenant: tenant.into(),
        id: "t1".into(),
        from: (tenant != "new").then(|| "site@0.9.0".into()),
        to: "site@1.0.0".into(),
        state: state.into(),
        attempts: 1,
        error: error.map(Into::into),
        ended_at: None,
    };
    let view = run(state, kind, if state == "failed" { 2 } else { 0 }, if state == "failed" { 0 } else { 4 });
    RunPage {
        frame: frame(Section::Runs, "Run of site@1.0.0"),
        base: "/-/console/runs/r1".into(),
        is_open: view.is_open(),
        can_resume: state == "failed",
        can_roll_back: state == "failed",
        run: RunRow::from(view),
        state: String::new(),
        items: vec![
            item("rowing", "moved", None),
            item("chess", "failed", Some("migration 4: no such table: news")),
            item("new", "failed", Some(HOSTILE)),
        ],
        pager: Pager::default(),
    }
}

fn user(name: &str, super_user: bool, disabled: bool) -> UserRow {
    UserRow::from(UserView {
        id: "u1".into(),
        name: name.into(),
        email: Some(format!("{name}@club.example")),
        super_user,
        disabled,
        must_change_password: name == "ben",
        created_at: WHEN.into(),
    })
}

fn audit(action: &str, subject: &str) -> AuditRow {
    let entry = AuditEntry {
        id: "x".into(),
        at: WHEN.into(),
        actor: "user ada".into(),
        actor_id: None,
        action: action.into(),
        subject: subject.into(),
        subject_id: None,
        detail: "site@1.0.0".into(),
    };
    AuditRow::new(entry, &Named::default())
}

fn overview() -> OverviewPage {
    let figure = |label, value: &str, path| Figure { label, value: value.into(), path };
    OverviewPage {
        frame: frame(Section::Overview, "Overview").with(Some(Flash::good("The site rowing is served."))),
        figures: vec![
            figure("active sites", "128", "/-/console/tenants?state=active"),
            figure("suspended", "3", "/-/console/tenants?state=suspended"),
            figure("in the trash", "1", "/-/console/tenants?state=trashed"),
        ],
        generation: 5121,
        default_release: Some("site@1.0.0".into()),
        rows: vec![
            audit("tenant.create", "rowing"),
            audit("release.push", "site@1.0.0"),
            audit("tenant.suspend", "chess"),
        ],
    }
}

fn sites(rows: bool) -> SitesPage {
    let all = vec![
        SiteRow::from(tenant("rowing", "Rowing Club Hammerfield", "active")),
        SiteRow::from(tenant("chess", "Chess Club", "suspended")),
        SiteRow::from(tenant(
            "garden-friends",
            "Friends of the Botanical Garden and its Greenhouses",
            "provisioning",
        )),
        SiteRow::from(tenant("hostile", HOSTILE, "trashed")),
    ];
    SitesPage {
        frame: frame(Section::Sites, "Sites"),
        search: if rows { String::new() } else { HOSTILE.to_owned() },
        state: String::new(),
        states: ["active", "suspended", "moving", "provisioning", "trashed", "deleting"],
        with_servers: true,
        rows: if rows { all } else { Vec::new() },
        pager: Pager::new("/-/console/tenants", &[("search", "a b")], None, rows.then_some("c1")),
    }
}

fn new_site() -> NewSitePage {
    let typed = CreateTenant { name: "www".into(), title: Some(HOSTILE.into()), ..CreateTenant::default() };
    let mut fields = new_site_fields(&typed);
    let errors = [("name", "`www` is reserved for the server"), ("data_server", "too full")];
    let errors = errors.map(|(field, detail)| FieldError { field: field.into(), detail: detail.into() });
    let lines = mark(&mut fields, &errors);
    assert_eq!(lines, ["Data server: too full"]);
    let flash = Flash { good: false, text: "The site was not created.".into(), lines };
    NewSitePage {
        frame: frame(Section::Sites, "New site").with(Some(flash)),
        fields,
        url_prefix: true,
        default_release: Some("site@1.0.0".into()),
        releases: vec!["site@0.9.0".into(), "site@1.0.0".into()],
        chosen: "site@0.9.0".into(),
        servers: vec!["local".into(), "pg".into()],
        server_chosen: "pg".into(),
    }
}

fn site() -> SitePage {
    let view = tenant("rowing", "Rowing Club Hammerfield", "active");
    let member = MemberView { user: "ada".into(), roles: vec!["owner".into()] };
    SitePage {
        frame: frame(Section::Sites, "Rowing Club Hammerfield"),
        base: "/-/console/tenants/rowing".into(),
        forms: SiteForms::new(&view),
        tenant: Site::from(view),
        members: vec![MemberRow::from(member)],
        releases: vec!["site@0.9.0".into(), "site@1.0.0".into()],
        servers: vec!["pg".into()],
        usage: Usage::from(UsageView {
            data_server: "local".into(),
            database_bytes: 262_144,
            file_bytes: 18_423_001,
            files: 41,
            database_limit: 1 << 30,
            file_bytes_limit: 1 << 30,
            files_limit: 100_000,
            tables: None,
        }),
        cache: CacheFacts::from(CacheCounts {
            hits: 99_999,
            misses: 1,
            fills: 1,
            evictions: 3,
            entries: 212,
            bytes: 18_423_001,
        }),
    }
}

#[test]
fn a_hit_ratio_is_never_said_better_than_it_is() {
    assert_eq!(site().cache.ratio, "99 %");
    let of = |hits, misses| CacheFacts::from(CacheCounts { hits, misses, ..CacheCounts::default() }).ratio;
    assert_eq!([of(0, 0), of(0, 1), of(1, 0), of(1, 2)], ["", "0 %", "100 %", "33 %"]);
    assert_eq!(of(u64::MAX, u64::MAX), "50 %");
}

fn confirm() -> ConfirmPage {
    ConfirmPage {
        frame: frame(Section::Sites, "Delete rowing"),
        back: "rowing".into(),
        cancel: "/-/console/tenants/rowing".into(),
        action: "/-/console/tenants/rowing/delete".into(),
        text: vec!["The site goes to the trash and is removed for good after 7 days.".into()],
        typed: Some("rowing".into()),
        tick: Some("Remove everything at once, without the trash"),
        button: "Delete the site",
        grave: true,
    }
}

fn releases(some: bool) -> ReleasesPage {
    let rows = vec![
        ReleaseRow::new(&release("site@1.0.0", 128), Some("site@1.0.0")),
        ReleaseRow::new(&release("site@0.9.0", 0), None),
    ];
    ReleasesPage {
        frame: frame(Section::Releases, "Releases"),
        rows: if some { rows } else { Vec::new() },
        fields: upload_fields("site", HOSTILE),
    }
}

fn one_release() -> ReleasePage {
    let view = release("site@1.0.0", 0);
    ReleasePage {
        frame: frame(Section::Releases, "site@1.0.0"),
        base: "/-/console/releases/site@1.0.0".into(),
        release: ReleaseRow::new(&view, None),
        digest: view.digest,
        has_upgrade: true,
        ready_on: view.ready_on,
        exports: view.exports,
        imports: view.imports,
    }
}

fn tokens() -> TokensPage {
    let token = |name: &str, expires: Option<&str>| TokenView {
        id: "t1".into(),
        name: name.into(),
        scopes: vec!["read".into(), "write".into()],
        created_at: WHEN.into(),
        expires_at: expires.map(Into::into),
    };
    TokensPage {
        frame: frame(Section::Tokens, "API tokens"),
        rows: vec![
            TokenRow::new(token("nightly backup", None), Timestamp(0)),
            TokenRow::new(token(HOSTILE, Some(WHEN)), Timestamp(i64::MAX)),
        ],
        fields: token_fields("", ""),
    }
}

fn servers() -> ServersPage {
    let server = |name: &str, state: &str, behind| {
        ServerRow::from(ServerView {
            id: "0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10".into(),
            name: name.into(),
            version: "1.0.0".into(),
            state: state.into(),
            applied: 40,
            behind,
            started_at: WHEN.into(),
            silent_ms: 120,
            is_this: behind == 0,
        })
    };
    ServersPage {
        frame: frame(Section::Servers, "Servers"),
        generation: 42,
        rows: vec![server("web1", "serving", 0), server(HOSTILE, "silent", 2)],
    }
}

fn data_servers() -> DataServersPage {
    let server = |name: &str, connection_limit: Option<u64>| {
        DataServerRow::from(DataServerView {
            name: name.into(),
            engine: "postgresql".into(),
            isolation: "prefix".into(),
            reachable: connection_limit.is_some(),
            tenants: 12,
            connections: 3,
            connection_limit,
            opened: 7,
            default: connection_limit.is_some(),
        })
    };
    DataServersPage {
        frame: frame(Section::Data, "Data servers"),
        rows: vec![server("pg", Some(20)), server("local", None)],
    }
}

fn users() -> UsersPage {
    UsersPage {
        frame: frame(Section::Users, "Users"),
        search: String::new(),
        rows: vec![user("ada", true, false), user("ben", false, false), user("carla", false, true)],
        pager: Pager::default(),
        fields: user_fields("", HOSTILE),
    }
}

/// Every page by name.
fn pages() -> Vec<(&'static str, String)> {
    let secret = SecretPage {
        frame: frame(Section::Users, "New password for ben"),
        back: "/-/console/users/ben".into(),
        back_label: "ben",
        label: "One-time password".into(),
        secret: "k3m7p-9qw2x-ab4cd-zz8yt".into(),
        note: "It is shown once.",
    };
    let audit = AuditPage {
        frame: frame(Section::Audit, "Audit trail"),
        tenant: "rowing".into(),
        rows: vec![audit("tenant.create", "rowing"), audit("tenant.set", HOSTILE)],
        pager: Pager::new("/-/console/audit", &[("tenant", "rowing")], Some("c0"), Some("c1")),
    };
    let activate = ActivatePage {
        frame: frame(Section::Releases, "Activate site@1.0.0"),
        action: "/-/console/releases/site@1.0.0/activate".into(),
        total: 128,
        tenants: vec![("rowing".into(), "site@0.9.0".into()), ("chess".into(), "site@1.0.0".into())],
    };
    let user = UserPage {
        frame: frame(Section::Users, "ben"),
        base: "/-/console/users/ben".into(),
        user: user("ben", false, false),
        memberships: vec![MembershipRow::from(Membership {
            tenant: "rowing".into(),
            title: HOSTILE.into(),
            roles: vec!["owner".into(), "editor".into()],
        })],
        are_more: true,
    };
    let problem = ProblemPage { frame: frame(Section::Sites, "Not found"), text: HOSTILE.into() };
    let nowhere = ProblemPage { frame: frame(Section::Nowhere, "Not found"), text: "no `page`".into() };
    let all = [
        ("overview", overview().render()),
        ("tenants", sites(true).render()),
        ("tenants-none", sites(false).render()),
        ("tenant-new", new_site().render()),
        ("tenant", site().render()),
        ("confirm", confirm().render()),
        ("releases", releases(true).render()),
        ("releases-none", releases(false).render()),
        ("release", one_release().render()),
        ("activate", activate.render()),
        ("runs", runs(true).render()),
        ("runs-none", runs(false).render()),
        ("run", one_run("failed", "activation").render()),
        ("run-open", one_run("running", "rollback").render()),
        ("servers", servers().render()),
        ("data-servers", data_servers().render()),
        ("users", users().render()),
        ("user", user.render()),
        ("tokens", tokens().render()),
        ("secret", secret.render()),
        ("audit", audit.render()),
        ("problem", problem.render()),
        ("nowhere", nowhere.render()),
    ];
    all.into_iter().map(|(name, page)| (name, page.unwrap())).collect()
}

#[test]
fn every_page_keeps_the_promises_of_all_pages() {
    for (name, page) in pages() {
        assert!(
            !page.contains("<script") && !page.contains("' onfocus") && !page.contains("\" onfocus"),
            "{name}"
        );
        // The content security policy would drop these.
        assert!(!page.contains(" style=") && !page.contains("<style"), "{name}");
        assert_eq!(
            page.matches("<h1").count() + page.matches("class=\"empty\"").count().min(1),
            expected_heads(name),
            "{name}"
        );
        for label in page.split("<label for=\"").skip(1) {
            let id = label.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{name}: no field for the label {id}");
        }
        for cell in page.split("<td").skip(1) {
            let tag = cell.split('>').next().unwrap();
            assert!(
                tag.contains("data-label") || tag.contains("act"),
                "{name}: a cell without a label: {tag}"
            );
        }
    }
}

fn expected_heads(name: &str) -> usize {
    if matches!(name, "tenants-none" | "releases-none" | "runs-none" | "problem" | "nowhere") { 2 } else { 1 }
}

#[test]
fn the_page_is_marked_in_the_navigation() {
    for (name, page) in pages() {
        let marked = usize::from(name != "nowhere");
        assert_eq!(page.matches("aria-current=\"page\"").count(), marked, "{name}");
    }
}

#[test]
fn a_run_that_goes_on_is_fetched_again_and_one_that_failed_can_be_resumed() {
    let open = one_run("running", "rollback").render().unwrap();
    assert!(open.contains("http-equiv=\"refresh\"") && !open.contains("/resume\""), "{open}");
    assert!(open.contains("<progress max=\"12\" value=\"8\""), "{open}");
    let failed = one_run("failed", "activation").render().unwrap();
    assert!(!failed.contains("http-equiv=\"refresh\""));
    assert!(failed.contains("<form class=\"inline\" method=\"post\" action=\"/-/console/runs/r1/resume\">"));
    assert!(failed.contains("migration 4: no such table: news") && failed.contains("/runs/r1/rollback"));
    assert!(runs(true).render().unwrap().contains("http-equiv=\"refresh\""));
    assert!(!runs(false).render().unwrap().contains("http-equiv=\"refresh\""));
}

#[test]
fn what_was_typed_and_what_is_wrong_stay_on_the_form() {
    let page = new_site().render().unwrap();
    assert!(
        page.contains("value=\"www\"")
            && page.contains("aria-invalid=\"true\"")
            && page.contains("is reserved")
    );
    assert!(page.contains("<li>Data server: too full</li>"));
    assert!(page.contains("<option selected>site@0.9.0</option>"));
}

#[test]
fn links_keep_their_parameters() {
    let pager = Pager::new("/p", &[("search", "a&b"), ("state", "")], Some("x"), Some("n/1"));
    assert_eq!(pager.first.as_deref(), Some("/p?search=a%26b"));
    assert_eq!(pager.next.as_deref(), Some("/p?search=a%26b&cursor=n%2F1"));
}

#[test]
fn the_style_sheet_has_a_name_of_its_own() {
    assert!(frame(Section::Audit, "x").stylesheet().starts_with("/-/console/assets/console.css?v="));
}

#[test]
fn pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("ROWHOUSE_PAGES") else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let folder = std::path::Path::new(&folder);
    std::fs::write(folder.join("console.css"), STYLESHEET).unwrap();
    for (name, page) in pages() {
        let page = page.replace(frame(Section::Audit, "x").stylesheet(), "console.css");
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
}
