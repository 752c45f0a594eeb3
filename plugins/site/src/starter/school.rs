//! A small music school: lessons, ensembles and concerts.
//!
//! Called by `starter`.

use super::{Event, News, Page, Starter};

pub(super) const STARTER: Starter = Starter {
    mark: "♪",
    tagline: "Lessons, ensembles and a stage for everyone who likes to play",
    accent: "#8c2f5b",
    letters: "classic",
    hero_title: "Music is learned by playing it together",
    hero_text: "Eighteen teachers, twenty-two instruments and four hundred students between five and eighty-three. \
                From the first lesson you are never far from a group that needs exactly you.",
    contact: "The office answers the telephone **Monday to Thursday, 14:00 to 17:00**. For a trial lesson, tell us the instrument, \
              the student’s age and two afternoons that would work.",
    footer: "The old post office, Mill Street\nOffice open Monday to Thursday, 14:00 to 17:00",
    home: (
        "Start with a trial lesson",
        "Not sure which instrument? Come to an **instrument afternoon**: try five of them in an hour, with a teacher at each. \
         When one doesn’t let go of you, book a trial lesson. It costs nothing and binds you to nothing.\n\n\
         Lessons are 30 or 45 minutes, alone or in pairs. And from the second term on there is [an ensemble](/ensembles) for every \
         level, because playing with others is what it is all for.",
    ),
    pages: &[
        Page {
            slug: "lessons",
            title: "Lessons and instruments",
            summary: "What we teach, from recorder to electric bass.",
            body: "## Strings\n\nViolin, viola, cello, double bass, guitar, harp\n\n## Wind and brass\n\nRecorder, flute, oboe, clarinet, saxophone, \
                   trumpet, horn, trombone\n\n## Keys, drums, voice\n\nPiano, organ, accordion, percussion, drum kit, singing\n\n## Bands\n\nElectric guitar and bass, \
                   keyboards, songwriting\n\nInstruments can be rented from the school for the first two years, from 12 a month. Our repairer \
                   checks every one before it goes out.",
        },
        Page {
            slug: "ensembles",
            title: "Ensembles",
            summary: "Eleven groups that rehearse every week.",
            body: "| Ensemble | For | Rehearsal |\n|---|---|---|\n| First Strings | from the second term | Monday 16:30 |\n| Wind Band | from the second year | Tuesday 18:00 |\n\
                   | Guitar Circle | all levels | Wednesday 17:00 |\n| Children’s Choir | age 6 to 10 | Thursday 15:30 |\n| Big Band | by audition | Thursday 19:30 |\n\
                   | Orchestra | from the third year | Friday 18:30 |\n| Late Starters | adults, no experience | Saturday 10:00 |\n\n\
                   Ensembles are free for everyone who takes lessons, and 60 a term for everyone else. Come and listen to a rehearsal first; the door is open.",
        },
        Page {
            slug: "fees",
            title: "Fees and terms",
            summary: "A year has two terms of eighteen weeks.",
            body: "| Per term | Under 19 | Adults |\n|---|---|---|\n| 30 minutes alone | 310 | 430 |\n| 45 minutes alone | 450 | 620 |\n| 45 minutes in pairs | 250 | 340 |\n\
                   | Early music, in groups | 120 | – |\n\nBrothers and sisters pay a quarter less from the second on. A fund pays up to half of the fee for families who need it: \
                   a short conversation with the head of the school is enough.\n\nNew students can begin in September, in February, and wherever a place comes free.",
        },
        Page {
            slug: "teachers",
            title: "Teachers",
            summary: "Eighteen people who also play.",
            body: "All our teachers hold a degree in music education and most of them perform: in the town’s orchestra, in a brass quintet, in two wedding bands \
                   and one metal band that asks not to be named here.\n\nTeaching rooms are on the first floor. Parents are welcome in lessons for the first half year, \
                   and in the corridor with a book after that.",
        },
        Page {
            slug: "hire-the-hall",
            title: "Hire the hall",
            summary: "One hundred and twenty seats, a grand piano and good acoustics.",
            body: "The old sorting hall can be hired for concerts, readings and rehearsals when the school doesn’t need it, mostly on Friday and Saturday evenings.\n\n\
                   - 120 seats on the flat\n- Concert grand, tuned on request\n- Stage of 8 by 5 metres, simple light and sound\n- Step-free entrance and toilet\n\n\
                   [Write to the office](/contact) with a date and what you are planning.",
        },
    ],
    news: &[
        News {
            days_ago: 2,
            slug: "orchestra-looking-for-violas",
            title: "The orchestra is looking for violas (again)",
            summary: "Three desks, two players. If you have ever thought about changing from the violin, this is your moment.",
            body: "Three desks and two players: the arithmetic of every orchestra. Violinists from the third year on can borrow a viola for a term and have four \
                   lessons for free.\n\nThe conductor promises the better tune in the second movement.",
        },
        News {
            days_ago: 9,
            slug: "places-for-next-term",
            title: "Places for next term: apply by the end of the month",
            summary: "Piano and guitar fill up first. Cello, oboe and trombone still have room.",
            body: "Applications for next term are open until the end of the month. As every year, piano and guitar fill up first.\n\nThere is still room for **cello, \
                   oboe, trombone and accordion**. All four can be rented from the school, and all four are in demand in our ensembles.",
        },
        News {
            days_ago: 19,
            slug: "late-starters-first-concert",
            title: "The Late Starters play their first concert",
            summary: "Eleven adults, nine months of lessons, one standing ovation.",
            body: "Nine months ago none of them could read music. On Saturday eleven adults between 38 and 71 played four pieces in front of ninety people, \
                   and the fourth one twice.\n\nThe next group starts after the holidays. You need no instrument and no courage: both are provided.",
        },
        News {
            days_ago: 33,
            slug: "grand-piano-restored",
            title: "The grand piano is back from the workshop",
            summary: "New hammers, new strings in the bass, and the coffee ring has stayed by popular demand.",
            body: "After seven weeks the grand is home. It has new hammers and new bass strings and is noticeably brighter. The restorer offered to remove the old \
                   coffee ring on the lid; the teachers voted against it, thirteen to five.",
        },
    ],
    events: &[
        Event {
            days_ahead: 1,
            weekday: 2,
            from: (16, 0),
            to: (17, 30),
            slug: "class-recital",
            title: "Class recital: strings",
            summary: "Short pieces by students of every level. Admission is free.",
            place: "Small hall",
            body: "About forty minutes of music, then juice and biscuits. Small brothers and sisters are welcome and may leave halfway.",
        },
        Event {
            days_ahead: 8,
            weekday: 5,
            from: (14, 0),
            to: (17, 0),
            slug: "instrument-afternoon",
            title: "Instrument afternoon",
            summary: "Try five instruments in an hour, with a teacher at each.",
            place: "Whole house",
            body: "For children from five and adults of any age. You don’t need to register. Come early for drums: the queue is long every time.",
        },
        Event {
            days_ahead: 16,
            weekday: 4,
            from: (19, 30),
            to: (21, 30),
            slug: "big-band-night",
            title: "Big Band night",
            summary: "Swing, funk and two pieces of our own. The bar opens at seven.",
            place: "Old sorting hall",
            body: "Tickets at the door: 10, in education 5. Everything goes into the travel fund of the band.",
        },
        Event {
            days_ahead: 23,
            weekday: 6,
            from: (11, 0),
            to: (12, 0),
            slug: "family-concert",
            title: "Family concert: animals in the orchestra",
            summary: "An hour for everyone from four, with a walk between the desks.",
            place: "Old sorting hall",
            body: "The elephant is a double bass, and so it should be. After the concert children may sit in the orchestra and try.",
        },
        Event {
            days_ahead: 38,
            weekday: 5,
            from: (18, 0),
            to: (20, 30),
            slug: "term-concert",
            title: "Concert at the end of term",
            summary: "All ensembles on one evening, from First Strings to the orchestra.",
            place: "Old sorting hall",
            body: "Doors open at 17:30. It is full every year; families of students can reserve seats in the office.",
        },
        Event {
            days_ahead: -12,
            weekday: 5,
            from: (19, 0),
            to: (20, 30),
            slug: "late-starters-concert",
            title: "Late Starters in concert",
            summary: "Eleven adults, four pieces.",
            place: "Small hall",
            body: "How it went is in the [news](/news/late-starters-first-concert).",
        },
    ],
    menu: &[
        ("Home", "/"),
        ("Lessons", "/lessons"),
        ("Ensembles", "/ensembles"),
        ("Fees", "/fees"),
        ("Events", "/events"),
        ("News", "/news"),
        ("Contact", "/contact"),
    ],
};
