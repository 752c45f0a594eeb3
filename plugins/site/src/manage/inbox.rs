//! The inbox: messages of the contact form, to be read, marked and deleted.
//!
//! Called by the routes of `manage`.

use rowhouse_sdk::prelude::*;

use super::Panel;
use crate::store::inbox::{self, Message};

#[derive(Template)]
#[template(path = "manage/inbox.html")]
struct Inbox {
    panel: Panel,
    messages: Vec<Message>,
}

pub(super) fn list(request: &Request) -> Result {
    let panel = Panel::load(request, "inbox")?;
    super::render(&Inbox { panel, messages: inbox::messages()? })
}

pub(super) fn change(request: &Request, id: i64) -> Result {
    let form = request.form()?;
    let done = match form.value("action") {
        "read" => {
            inbox::mark(id, true)?;
            "saved"
        }
        "unread" => {
            inbox::mark(id, false)?;
            "saved"
        }
        "delete" => {
            inbox::delete(id)?;
            "deleted"
        }
        _ => return Err(Error::BadRequest("There is no such button.".to_owned())),
    };
    Ok(super::back(request, "/manage/inbox", done))
}
