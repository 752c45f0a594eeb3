//! A short welcome for a site that is still empty: it says what to do first.
//!
//! Called by `starter`.

use super::{Page, Starter};

pub(super) const STARTER: Starter = Starter {
    mark: "",
    tagline: "",
    accent: "#2f5d50",
    letters: "modern",
    hero_title: "",
    hero_text: "Welcome! This site is new. News and dates will appear here soon.",
    contact: "Write to us with the form below. We read every message.",
    footer: "",
    home: (
        "Welcome",
        "We are just moving in. Until everything has its place, the best way to reach us is the \
         [contact page](/contact).",
    ),
    pages: &[Page {
        slug: "about",
        title: "About us",
        summary: "Who we are and what we do.",
        body: "This page is waiting for your words: who you are, what you do, and how people can join in.\n\n\
               Owners and editors sign in with “Manage this site” at the foot of every page.",
    }],
    news: &[],
    events: &[],
    menu: &[
        ("Home", "/"),
        ("News", "/news"),
        ("Events", "/events"),
        ("About", "/about"),
        ("Contact", "/contact"),
    ],
};
