//! What refused forms keep and say, and how messages are shown.

use super::super::sites::Typed;
use super::super::{FieldError, Said};
use super::{HOSTILE, new_site, site};
use askama::Template as _;

#[test]
fn what_is_code_in_a_message_is_code_on_the_page() {
    let said = |text| Said(text).to_string();
    assert_eq!(said("there is no `a<b`, `c`"), "there is no <code>a&#60;b</code>, <code>c</code>");
    assert_eq!(said("`one` and ` no more"), "<code>one</code> and ` no more");
    assert_eq!(
        said(HOSTILE),
        HOSTILE.replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;").replace('\'', "&#39;")
    );
    assert!(new_site().render().unwrap().contains("<div class=\"wrong\"><code>www</code> is reserved"));
}

/// What a form of a site's page is, from its field on, once it was refused.
fn refused(typed: Typed, errors: &[(&str, &str)], text: &str, field: &str) -> String {
    let errors = errors
        .iter()
        .map(|(field, detail)| FieldError { field: (*field).to_owned(), detail: (*detail).to_owned() });
    let mut page = site();
    page.forms.refuse(typed, &errors.collect::<Vec<_>>(), text);
    let page = page.render().unwrap();
    let (_, form) = page.split_once(&format!("<label for=\"f-{field}\">")).unwrap();
    form.split_once("</form>").unwrap().0.to_owned()
}

#[test]
fn a_short_form_keeps_what_was_typed_and_says_why_it_was_refused() {
    let form = refused(
        Typed::Address("no host".into()),
        &[("addresses[2]", "`no host` is none")],
        "",
        "add-address",
    );
    assert!(form.contains("id=\"d-add-address\"><code>no host</code> is none</div>"), "{form}");
    assert!(
        form.contains("value=\"no host\"") && form.contains("aria-describedby=\"d-add-address\""),
        "{form}"
    );

    let member = || Typed::Member { user: "zoe".into(), role: "editor".into() };
    let form = refused(member(), &[], "There is no user `zoe`.", "add-member");
    assert!(form.contains("There is no user <code>zoe</code>.") && form.contains("value=\"zoe\""), "{form}");
    assert!(form.contains("<option selected>editor</option>"), "{form}");
    assert!(!refused(member(), &[], "", "add-member").contains("aria-invalid"), "no fault of what was typed");

    let setting = || Typed::Setting { key: "tagline".into(), value: HOSTILE.into() };
    let long = refused(setting(), &[("settings.tagline", "too long")], "", "set-value");
    assert!(long.contains("too long") && long.contains("&#60;script&#62;"), "{long}");
    let odd = refused(setting(), &[("settings", "no key")], "", "set-key");
    assert_eq!(odd.matches("no key").count(), 1, "{odd}");

    let properties = Typed::Properties {
        title: String::new(),
        locale: "x y".into(),
        time_zone: "UTC".into(),
        url_prefix: false,
    };
    let form = refused(properties, &[("locale", "no language")], "", "locale");
    assert!(
        form.contains("no language") && form.contains("value=\"x y\"") && !form.contains(" checked"),
        "{form}"
    );
}
