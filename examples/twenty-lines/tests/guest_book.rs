//! The guest book, run natively: what is written is read again, escaped, under any base path.

use example_twenty_lines::GuestBook;
use rowhouse_sdk::testing::TestSite;

#[test]
fn a_note_is_kept_and_escaped() {
    let site = TestSite::builder().base_path("/book").start::<GuestBook>();
    let answer = site.post("/", &[("text", "<b>hello</b> & all")]).send();
    assert_eq!((answer.status_code(), answer.header_value("location")), (303, Some("/book/")));
    let page = site.get("/").send().body_text().into_owned();
    assert!(page.contains("<li>&#60;b&#62;hello&#60;/b&#62; &#38; all</li>"), "{page}");
    assert!(page.contains(r#"action="/book/""#), "{page}");
}

#[test]
fn an_empty_note_is_left_out() {
    let site = TestSite::new::<GuestBook>();
    site.post("/", &[("text", "  ")]).send();
    assert!(!site.get("/").send().body_text().contains("<li>"));
}
