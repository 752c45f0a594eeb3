//! A branch of a tool-lending cooperative: a library of things in a neighbourhood.
//!
//! Called by `starter`.

use super::{Event, News, Page, Starter};

pub(super) const STARTER: Starter = Starter {
    mark: "⚒",
    tagline: "The library of things in your neighbourhood",
    accent: "#f2b632",
    letters: "friendly",
    hero_title: "Borrow the drill. Keep the shelf.",
    hero_text: "Six hundred tools and useful things to borrow, a workshop to use them in, and neighbours who show you how. \
                This branch belongs to its members.",
    contact: "Come by while we are open, that is the quickest way. To reserve something, tell us **what, from when, and for how long**; \
              we confirm within a day.",
    footer: "Canal Road 18, in the yard\nWednesday and Friday 16:00 to 19:00, Saturday 10:00 to 14:00",
    home: (
        "How borrowing works",
        "1. **Join once.** Bring something with your name and address on it.\n2. **Pick what you need**, for up to a week. Most things cost nothing; \
         machines cost a little for blades and repairs.\n3. **Bring it back clean.** If it broke, say so. Things break.\n\n\
         You don’t know which tool is the right one? Tell us what you want to make. Someone here has done it before, and probably wrong the first time.",
    ),
    pages: &[
        Page {
            slug: "catalogue",
            title: "What you can borrow",
            summary: "From spirit level to projector.",
            body: "## For the house\n\nDrills, jigsaws, sanders, wallpaper steamers, tile cutters, ladders up to seven metres, moisture meters\n\n\
                   ## For the garden\n\nHedge trimmers, scythes, a shredder, wheelbarrows, a cider press\n\n## For the street party\n\nBenches and tables for eighty, \
                   a projector with a screen, bunting, an urn, three extension reels\n\n## For the journey\n\nRoof boxes, bicycle trailers, a tent for six, snow chains\n\n\
                   Anything with a motor comes with a short introduction. It takes five minutes and you keep all your fingers.",
        },
        Page {
            slug: "workshop",
            title: "The workshop",
            summary: "Four benches, a bandsaw, and someone to ask.",
            body: "The workshop in the yard is open to members whenever the branch is. There are four benches, a bandsaw, a pillar drill, a sewing corner and a \
                   soldering station.\n\n| Machine | Introduction needed |\n|---|---|\n| Hand tools, sewing machines | no |\n| Pillar drill, sanders | five minutes |\n\
                   | Bandsaw, table saw | one evening |\n\nThere is always a steward on duty. Children are welcome with an adult, and have a bench of their own height.",
        },
        Page {
            slug: "join",
            title: "Become a member",
            summary: "Forty a year, or four hours of your time.",
            body: "Membership costs **40 a year** for everyone who lives under one roof. Instead you can give four hours: at the counter, in the workshop, or with \
                   the van.\n\nThe branch belongs to a cooperative. A share costs 100, is paid back when you leave, and gives you one vote at the yearly meeting, \
                   however many shares you hold.\n\n- Bring something with your name and address\n- Deposits are only asked for things worth more than 500\n- \
                   Under 18? A parent signs, you borrow",
        },
        Page {
            slug: "repair-cafe",
            title: "Repair café",
            summary: "Every second Saturday, with coffee.",
            body: "Bring what is broken: toasters, trousers, bicycles, lamps. Together we find out whether it can be saved, and about two in three can.\n\n\
                   > We repair with you, not for you. You hold the torch, at the very least.\n\nThere is no charge. A jar for parts and coffee stands by the door. \
                   Please bring one thing at a time, so that everyone gets a turn.",
        },
        Page {
            slug: "about",
            title: "About this branch",
            summary: "One of nine, and the only one with a cider press.",
            body: "The branch opened in a disused tyre shop. The members cleared it out, laid the floor and built the shelves from the pallets that the first tools came on.\n\n\
                   Three people are employed part-time; everything else is done by about sixty volunteers. What the branch earns goes into repairs and new tools. \
                   The accounts hang by the counter, and questions about them are welcome.",
        },
    ],
    news: &[
        News {
            days_ago: 1,
            slug: "saturday-hours",
            title: "Open longer on Saturdays from next month",
            summary: "10:00 to 14:00 instead of 10:00 to 12:00. The queue for the van has spoken.",
            body: "You asked for it at the meeting, and enough of you signed up for the counter: from next month we are open on Saturdays **from 10:00 to 14:00**.\n\n\
                   The workshop stays open as long as the counter does.",
        },
        News {
            days_ago: 8,
            slug: "cider-press",
            title: "The cider press is back, and booked for weeks",
            summary: "New screw, new cloths, and a waiting list. Put your name down before your apples do it for you.",
            body: "The press has a new screw and new cloths. It goes out for two days at a time, with the mill.\n\nThere are five places left this season. \
                   If you only have a bucket of apples, share a date with a neighbour.",
        },
        News {
            days_ago: 17,
            slug: "two-hundred-repairs",
            title: "Two hundred things saved from the skip",
            summary: "The repair café kept count for a year. Lamps are the easiest, printers the least grateful.",
            body: "For one year the repair café wrote everything down: 311 things came in, **203 went home working**. Lamps and zips are the easiest, printers the least grateful. \
                   The oldest patient was a radio from 1954, and it plays.",
        },
        News {
            days_ago: 29,
            slug: "table-saw-evening",
            title: "Three new evenings for the table saw",
            summary: "Six places each. Afterwards you may use it by yourself.",
            body: "The table saw needs an evening of introduction before you may use it alone. There are three new dates with six places each; you will find them under \
                   [Events](/events). Bring long hair tied up and no gloves.",
        },
        News {
            days_ago: 46,
            slug: "yearly-meeting-results",
            title: "What the members decided",
            summary: "A second cargo bike, longer hours, and no, not a mascot.",
            body: "Seventy-four members came to the yearly meeting.\n\n- A second cargo bike: **yes**, by a wide margin\n- Longer hours on Saturdays: **yes**, if enough people help\n\
                   - A mascot: **no**\n\nThe minutes hang by the counter.",
        },
        News {
            days_ago: 70,
            slug: "winter-lights",
            title: "String lights: please bring them home",
            summary: "Eleven sets are still out. The shelf is ready for them.",
            body: "Eleven sets of string lights are still with members. We are not cross. We would only like to count them.",
        },
    ],
    events: &[
        Event {
            days_ahead: 1,
            weekday: 5,
            from: (10, 0),
            to: (13, 0),
            slug: "repair-cafe",
            title: "Repair café",
            summary: "Bring one broken thing. Two in three go home working.",
            place: "Workshop, Canal Road 18",
            body: "Electrics, textiles, bicycles and wood. The last repair starts half an hour before the end.\n\nMore about it on [its page](/repair-cafe).",
        },
        Event {
            days_ahead: 5,
            weekday: 2,
            from: (18, 0),
            to: (20, 30),
            slug: "table-saw-introduction",
            title: "Introduction to the table saw",
            summary: "One evening, six places. Afterwards you may use it alone.",
            place: "Workshop",
            body: "We set up, cut, and talk about everything that can go wrong. Please [reserve a place](/contact).",
        },
        Event {
            days_ahead: 11,
            weekday: 6,
            from: (14, 0),
            to: (18, 0),
            slug: "shelf-building",
            title: "Shelf-building afternoon",
            summary: "Three shelves for the new store room, and one for you.",
            place: "Yard, Canal Road 18",
            body: "We cut and you screw, or the other way round. Wood and screws are there; bring the measurements of the wall at home that needs a shelf.",
        },
        Event {
            days_ahead: 15,
            weekday: 5,
            from: (10, 0),
            to: (13, 0),
            slug: "repair-cafe-sewing",
            title: "Repair café: trousers and zips",
            summary: "The sewing corner has four machines and a lot of patience.",
            place: "Workshop",
            body: "Bring the garment washed, please. Thread and zips are there.",
        },
        Event {
            days_ahead: 22,
            weekday: 4,
            from: (17, 0),
            to: (19, 0),
            slug: "new-members-evening",
            title: "Evening for new members",
            summary: "A tour of the shelves and the rules, such as they are.",
            place: "Counter",
            body: "For everyone who joined lately or wonders whether to. There is soup.",
        },
        Event {
            days_ahead: 30,
            weekday: 5,
            from: (11, 0),
            to: (17, 0),
            slug: "street-party",
            title: "Street party on Canal Road",
            summary: "All our benches at once. Bring a cake and a neighbour.",
            place: "Canal Road, between the bridges",
            body: "The road is closed to cars all day. Setting up starts at nine; every pair of hands is welcome.",
        },
        Event {
            days_ahead: 44,
            weekday: 2,
            from: (18, 0),
            to: (20, 30),
            slug: "table-saw-introduction-2",
            title: "Introduction to the table saw, second evening",
            summary: "The same evening again, with six new places.",
            place: "Workshop",
            body: "Please [reserve a place](/contact).",
        },
        Event {
            days_ahead: -13,
            weekday: 5,
            from: (10, 0),
            to: (13, 0),
            slug: "repair-cafe-bicycles",
            title: "Repair café: bicycles",
            summary: "Brakes, tubes and the mysterious clicking.",
            place: "Yard",
            body: "Fourteen bicycles came, thirteen rode home.",
        },
    ],
    menu: &[
        ("Home", "/"),
        ("Borrow", "/catalogue"),
        ("Workshop", "/workshop"),
        ("Repair café", "/repair-cafe"),
        ("Events", "/events"),
        ("Join", "/join"),
        ("Contact", "/contact"),
    ],
};
