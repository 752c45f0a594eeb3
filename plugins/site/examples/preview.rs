//! Writes the site's pages as files, style sheets inlined, to look at them without a server:
//! `cargo run -p rowhouse-site --example preview -- FOLDER`.

use std::{env, fs, io, path::Path};

use rowhouse_sdk::{
    tenant::Tenant,
    testing::{TestRequest, TestSite},
};
use rowhouse_site::GroupSite;

const STARTERS: [(&str, &str); 4] = [
    ("club", "East Shore Rowing"),
    ("school", "Mill Street Music School"),
    ("branch", "Toolshare Canal Road"),
    ("", "Allotments at the Old Mill"),
];

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "preview".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for (starter, title) in STARTERS {
        let tenant = Tenant { title: title.to_owned(), ..Tenant::default() };
        let site = TestSite::builder().tenant(tenant).setting("starter", starter).start::<GroupSite>();
        let name = |page: &str| {
            folder.join(format!("{}-{page}.html", if starter.is_empty() { "new" } else { starter }))
        };
        for (page, path) in [
            ("home", "/"),
            ("about", "/about"),
            ("news", "/news"),
            ("events", "/events"),
            ("contact", "/contact"),
            ("404", "/nothing-here"),
        ] {
            write(&site, &name(page), site.get(path))?;
        }
        write(
            &site,
            &name("contact-wrong"),
            site.post("/contact", &[("name", ""), ("email", "a@b"), ("message", "Hello")]),
        )?;
        site.post(
            "/contact",
            &[
                ("name", "A visitor"),
                ("email", "visitor@example.org"),
                ("message", "Hello,\nis there room on Thursday?"),
                ("shown", "0"),
            ],
        )
        .send();
        for (page, path) in [
            ("overview", ""),
            ("pages", "/pages"),
            ("page", "/pages/2"),
            ("events-list", "/events"),
            ("event", "/events/1"),
            ("inbox", "/inbox"),
            ("menu", "/menu"),
            ("look", "/look"),
        ] {
            write(
                &site,
                &name(&format!("manage-{page}")),
                site.get(&format!("/manage{path}")).signed_in(&["owner"]),
            )?;
        }
        let typed = [("title", ""), ("body", "## Preview\n\nSome **bold** text."), ("action", "preview")];
        write(&site, &name("manage-preview"), site.post("/manage/pages/new", &typed).signed_in(&["owner"]))?;
        for (page, path) in [
            ("training", "/training"),
            ("regatta", "/events/club-regatta"),
            ("article", "/news/new-eight-named"),
        ] {
            write(&site, &name(page), site.get(path))?;
        }
    }
    Ok(())
}

fn write(site: &TestSite, file: &Path, request: TestRequest<'_>) -> io::Result<()> {
    let mut page = request.send().body_text().into_owned();
    for sheet in ["site.css", "manage.css"] {
        let css = site.get(&format!("/assets/{sheet}")).send().body_text().into_owned();
        let start = page.find(&format!("<link rel=\"stylesheet\" href=\"/assets/{sheet}"));
        if let Some((start, end)) =
            start.and_then(|start| Some((start, start + page.get(start..)?.find('>')? + 1)))
        {
            page.replace_range(start..end, &format!("<style>{css}</style>"));
        }
    }
    fs::write(file, page)
}
