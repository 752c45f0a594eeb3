//! Forms in pages, read as a browser would send them.

/// Names and values of a form's fields. Text areas are left out: their tests write them.
#[must_use]
pub fn filled(html: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let from = tag.split_once(&format!(" {name}=\""))?.1;
        Some(from.split_once('"')?.0.to_owned())
    };
    let mut fields = Vec::new();
    for tag in html.split("<input").skip(1) {
        let tag = tag.split_once('>').map_or(tag, |(inside, _)| inside);
        let is_off = matches!(attribute(tag, "type").as_deref(), Some("checkbox" | "radio"))
            && !tag.contains(" checked");
        if let (Some(name), false) = (attribute(tag, "name"), is_off) {
            fields.push((name, attribute(tag, "value").unwrap_or_else(|| "on".to_owned())));
        }
    }
    for tag in html.split("<select").skip(1) {
        let Some(name) = attribute(tag, "name") else { continue };
        let chosen = tag.split("<option").skip(1).find(|option| option.contains(" selected"));
        fields.push((name, chosen.and_then(|option| attribute(option, "value")).unwrap_or_default()));
    }
    fields
}
