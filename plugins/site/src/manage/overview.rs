//! The first page of the dashboard: what there is and what to do next.
//!
//! Called by the routes of `manage`.

use rowhouse_sdk::prelude::*;

use super::Panel;

#[derive(Template)]
#[template(path = "manage/overview.html")]
struct Overview {
    panel: Panel,
}

pub(super) fn show(request: &Request) -> Result {
    super::render(&Overview { panel: Panel::load(request, "")? })
}
