//! Where a visitor believes to be, for the rules that compare origins.

/// `scheme://host[:port]` as the visitor used it. The front room puts it into the extensions of the
/// requests that it hands to the console and the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub String);
