//! A rowing club on a lake: training, courses and a regatta.
//!
//! Called by `starter`.

use super::{Event, News, Page, Starter};

pub(super) const STARTER: Starter = Starter {
    mark: "",
    tagline: "Rowing for all ages, from first strokes to the club regatta",
    accent: "#0b4f6c",
    letters: "modern",
    hero_title: "Early water, steady hands, good company",
    hero_text: "We are on the lake whenever the flag is blue, and in the gym when it isn’t. \
                No experience needed: bring clothes that may get wet and we lend you the rest.",
    contact: "The boathouse is staffed on **Tuesday and Thursday evenings from 17:30** and on Saturday mornings. \
              For anything else, write to us below: the message reaches the committee.",
    footer: "The Boathouse, East Shore\nOpen Tuesday and Thursday from 17:30, Saturday from 8:00",
    home: (
        "New to rowing?",
        "You can be in a boat this week. Come to any **Thursday evening** session: a coach shows you the strokes on \
         dry land, and then you go out in a wide, stable four with three people who know what they are doing.\n\n\
         - The first two evenings are free\n- From age 12, with no upper limit\n- You should be able to swim 200 metres\n\n\
         If you liked it, the [beginners’ course](/learn-to-row) takes you from there to your own seat in a crew.",
    ),
    pages: &[
        Page {
            slug: "about",
            title: "About the club",
            summary: "A boathouse, thirty boats and about a hundred and forty members.",
            body: "The club began with two borrowed boats and a shed. Today the boathouse holds thirty boats, a \
                   workshop, a small gym with twelve rowing machines, and a terrace that is full on warm evenings.\n\n\
                   ## How we are run\n\nEveryone here is a volunteer except the head coach. The committee is elected \
                   every spring and meets on the first Monday of the month; members are welcome to sit in.\n\n\
                   ## Our boats\n\n| Class | Boats | For |\n|---|---|---|\n| Singles and doubles | 14 | members with the sculling badge |\n\
                   | Quads and fours | 11 | crews with a cox or steersperson |\n| Eights | 2 | the regatta crews |\n| Touring boats | 3 | anyone on a club outing |\n\n\
                   > Leave the boat cleaner than you found it. It is the only rule nobody has ever argued about.",
        },
        Page {
            slug: "learn-to-row",
            title: "Learn to row",
            summary: "Six evenings, small groups, all equipment included.",
            body: "The course runs four times a season, always with a coach for every four people.\n\n\
                   1. **Dry land and the tank.** The parts of the stroke, one by one.\n2. **First outing.** In a stable four, close to the shore.\n\
                   3. **Rhythm.** Rowing together without looking.\n4. **Turning and stopping.** What the cox says and what it means.\n\
                   5. **Longer water.** Out to the island and back.\n6. **Your own crew.** You are matched with people who row when you can.\n\n\
                   The course costs 90 for adults and 40 for anyone in education, and the money counts towards the first \
                   year’s membership. [Ask for a place](/contact) and tell us which evenings suit you.",
        },
        Page {
            slug: "training",
            title: "Training times",
            summary: "When we are on the water, and who may come.",
            body: "| When | Who | Where |\n|---|---|---|\n| Tuesday 18:00 | Club crews | Jetty |\n| Thursday 18:00 | Everyone, beginners welcome | Jetty |\n\
                   | Saturday 8:00 | Regatta crews | Jetty |\n| Saturday 10:00 | Juniors from 12 | Jetty |\n| Sunday 9:00 | Touring, 12 to 20 km | Main gate |\n\n\
                   From November to March we meet in the gym at the same times.\n\n\
                   ## When we stay ashore\n\nWe do not launch in fog, in a thunderstorm warning, or when the water is colder than 8 °C \
                   unless a safety boat is out. The flag on the roof says it: **blue** is fine, **yellow** needs an experienced crew, **red** means the gym.",
        },
        Page {
            slug: "membership",
            title: "Membership",
            summary: "What it costs and what you get for it.",
            body: "Membership runs from April to March and includes all club boats, the gym and the terrace.\n\n\
                   | | A year |\n|---|---|\n| Adults | 260 |\n| In education | 110 |\n| Juniors to 17 | 80 |\n| Households | 420 |\n| Friends of the club | 50 |\n\n\
                   If the fee stands between you and rowing, tell the treasurer. There is a fund for it, and nobody else needs to know.",
        },
    ],
    news: &[
        News {
            days_ago: 3,
            slug: "new-eight-named",
            title: "The new eight has a name, and it floats",
            summary: "After two years of raffles and cake the boat is here. It was launched on Sunday in front of half the town.",
            body: "It took two years of raffles, cake and one very long sponsored row, and on Sunday the new eight slid into the \
                   water. By vote of the members it is called **Second Breakfast**.\n\nThe regatta crews have it on Tuesdays and \
                   Saturdays. On Thursdays it is free for anyone with the crew badge; the book lies at the desk.",
        },
        News {
            days_ago: 12,
            slug: "jetty-repaired",
            title: "Jetty repaired: thank you, all twenty-three of you",
            summary: "Forty-one new planks, one lost hammer, and a soup that people still talk about.",
            body: "On two Saturdays twenty-three members replaced forty-one planks and both bumpers. The jetty is open again over its \
                   full length.\n\nIf you find a hammer with a red handle on the bottom of the lake, the boat warden would like it back.",
        },
        News {
            days_ago: 24,
            slug: "juniors-bring-home-bronze",
            title: "Juniors bring home two bronze medals",
            summary: "The under-16 quad and the mixed double were third at the lake regatta, in a headwind that made grown crews turn back.",
            body: "Two crews, two medals: the under-16 quad was third by less than a length, and an hour later the mixed double did the same. \
                   The coach calls it the best-steered race she has seen from juniors.\n\nThere is room for two more in the Saturday group. \
                   No experience needed, [just come along](/training).",
        },
        News {
            days_ago: 41,
            slug: "winter-kilometres",
            title: "9,412 kilometres without leaving the gym",
            summary: "That is how far the club rowed on the machines in one winter.",
            body: "From November to March every metre on the rowing machines went on the big chart. Together we came to 9,412 kilometres, \
                   nearly a thousand more than last year. The oldest contributor is 81; the youngest needed a box under the footplate.",
        },
        News {
            days_ago: 60,
            slug: "safety-briefing",
            title: "The safety briefing is for everyone",
            summary: "Twenty minutes before your first outing of the year, whether you have rowed for three weeks or thirty years.",
            body: "Before the first outing of the season everyone takes part in a briefing: flags, right of way, cold water, and what to do when \
                   someone falls in. Dates hang at the desk. Without it there is no key to the boathouse, and that includes the committee.",
        },
    ],
    events: &[
        Event {
            days_ahead: 2,
            weekday: 3,
            from: (18, 0),
            to: (20, 0),
            slug: "open-evening",
            title: "Open evening on the water",
            summary: "Try rowing with a coach beside you. The first two evenings are free.",
            place: "Jetty, East Shore",
            body: "Bring clothes that may get wet, a second pair of socks and something to drink. We have boats, oars and life jackets in every size.\n\nIf the flag is red, we meet in the gym instead.",
        },
        Event {
            days_ahead: 6,
            weekday: 6,
            from: (9, 0),
            to: (13, 0),
            slug: "island-tour",
            title: "Tour around the island",
            summary: "An easy 14 km with a break for coffee and cake halfway.",
            place: "Main gate",
            body: "Open to anyone who has done the beginners’ course. We go in touring boats and mix the crews, so come alone or with friends.",
        },
        Event {
            days_ahead: 13,
            weekday: 5,
            from: (10, 0),
            to: (15, 0),
            slug: "boat-workshop",
            title: "Workshop: looking after a boat",
            summary: "Sanding, varnishing and the art of the small repair, with the boat warden.",
            place: "Boathouse workshop",
            body: "You will work on a real boat that needs it. Lunch is on the club.",
        },
        Event {
            days_ahead: 20,
            weekday: 1,
            from: (18, 0),
            to: (20, 0),
            slug: "beginners-course",
            title: "Beginners’ course, first evening",
            summary: "Six Tuesdays from your first stroke to a seat in a crew.",
            place: "Boathouse",
            body: "Twelve places in three groups. Please [write to us](/contact) so that we can keep one for you. Everything about the course is on [its page](/learn-to-row).",
        },
        Event {
            days_ahead: 34,
            weekday: 5,
            from: (8, 30),
            to: (18, 0),
            slug: "club-regatta",
            title: "Club regatta and party",
            summary: "Short races, mixed crews, one cup, and the grill from noon.",
            place: "East Shore",
            body: "Everyone races, nobody trains for it. Crews are drawn on the morning itself. Families and neighbours are welcome on the terrace all day.",
        },
        Event {
            days_ahead: 55,
            weekday: 0,
            from: (19, 0),
            to: (20, 30),
            slug: "committee",
            title: "Committee meeting, open to members",
            summary: "Budget for new oars, and the winter programme.",
            place: "Clubroom",
            body: "The agenda hangs at the desk a week before.",
        },
        Event {
            days_ahead: -16,
            weekday: 5,
            from: (9, 0),
            to: (14, 0),
            slug: "jetty-saturday",
            title: "Working Saturday at the jetty",
            summary: "Planks, screws and soup.",
            place: "Jetty",
            body: "Thank you to everyone who came.",
        },
    ],
    menu: &[
        ("Home", "/"),
        ("Learn to row", "/learn-to-row"),
        ("Training", "/training"),
        ("Events", "/events"),
        ("News", "/news"),
        ("About", "/about"),
        ("Contact", "/contact"),
    ],
};
