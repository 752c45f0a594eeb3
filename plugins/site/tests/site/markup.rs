//! What every page must keep, checked without a browser: tags that close, one `main`, labels for fields,
//! ids that exist once. Called by the other files here.

/// Elements without an end tag.
const VOID: [&str; 7] = ["br", "hr", "img", "input", "link", "meta", "!doctype"];

/// The values of these attributes, in order.
pub(crate) fn attributes(page: &str, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for tag in tags(page) {
        found.extend(names.iter().filter_map(|name| attribute(tag, name)).map(str::to_owned));
    }
    found
}

/// Fails where the markup is broken or a field has no label.
pub(crate) fn check_markup(page: &str, path: &str) {
    let is_html = page.contains("<html");
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    for tag in tags(page) {
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{path}: </{name}> closes something else");
        } else if !(tag.ends_with('/') || is_html && VOID.contains(&name)) {
            open.push(name);
        }
        if let Some(id) = attribute(tag, "id") {
            assert!(!ids.contains(&id), "{path}: id {id} twice");
            ids.push(id);
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} stay open");
    if is_html {
        check_page(page, path, &ids);
    }
}

fn check_page(page: &str, path: &str, ids: &[&str]) {
    let all: Vec<&str> = tags(page).collect();
    let with = |name: &str| all.iter().filter(|tag| tag.split(' ').next() == Some(name)).count();
    assert_eq!(with("main"), 1, "{path}: one main");
    assert!(with("h1") >= 1, "{path}: a heading");
    assert!(page.contains("<html lang=\""), "{path}: a language");
    let labels: Vec<&str> = all.iter().filter_map(|tag| attribute(tag, "for")).collect();
    for tag in &all {
        let field = ["input ", "textarea ", "select "].iter().any(|name| tag.starts_with(name));
        let hidden = ["hidden", "radio"].iter().any(|kind| attribute(tag, "type") == Some(kind));
        if field && !hidden {
            let id = attribute(tag, "id").unwrap_or_default();
            assert!(labels.contains(&id), "{path}: <{tag}> has no label");
        }
        for name in ["aria-describedby", "aria-labelledby", "for"] {
            for id in attribute(tag, name).unwrap_or_default().split(' ').filter(|id| !id.is_empty()) {
                assert!(ids.contains(&id), "{path}: {name}={id} points nowhere");
            }
        }
        if let Some(id) = attribute(tag, "href").and_then(|href| href.strip_prefix('#')) {
            assert!(ids.contains(&id), "{path}: #{id} points nowhere");
        }
    }
}

/// The insides of all tags, in order. Style sheets are skipped: they hold no tags.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag)
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let rest = tag.get(start..)?;
    rest.split('"').next()
}
