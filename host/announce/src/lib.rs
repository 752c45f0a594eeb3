//! What servers of a farm tell one another over Redis. Hints only: the databases are the truth.
//!
//! [`RedisAnnouncer`] says over one channel of Redis which tenants' data was changed and which generation the
//! control state has, and hears what others say. It never puts data there, and Redis may be empty, slow, restarted
//! or absent at any moment: then this server hears nothing and knows so.
//!
//! # What is promised
//!
//! Each server publishes a tick every 200 ms and hears it again. Redis hands everything that is published on
//! the channel to a connection in one order, and the connection and the task behind it keep it. So when a
//! server has heard its own tick, it has heard everything whose publication Redis acknowledged before it took
//! that tick in. From this:
//!
//! 1. **While [`is_hearing`](rowhouse_base::Announce::is_hearing) is true, every hint that was acknowledged more than
//!    700 ms ago on the same Redis has been heard**, and its callback has returned. What was acknowledged later is
//!    on its way on a connection that worked 700 ms ago: usually it takes a fraction of a millisecond.
//! 2. The 700 ms count from when the tick was *sent*, on this process's monotonic clock. A Redis, a network or a
//!    process that stood still for longer ends hearing by itself, without anybody noticing it first.
//! 3. **Before it is true again, everything was doubted**: `on_gap` has returned, and a tick that was sent after
//!    that has been heard. `on_gap` is called after Redis has confirmed the subscription, so a hint that was
//!    missed was about a change that was committed before the doubt; what is read after it has the change.
//! 4. A hint that Redis did not acknowledge within 50 ms is remembered (1024 tenants; beyond that, "doubt
//!    everything") and told as soon as Redis takes it, also when the request that caused it is gone.
//!    While Redis is known not to answer, telling costs nothing: only ticks try, and one that is answered
//!    ends it.
//!
//! # What is not
//!
//! A writer that Redis doesn't reach, or that dies between its commit and its hint, can't tell others, and they may
//! still hear one another. Two masters at once, while a failover is under way, each have listeners who hear. Both end with
//! the age that the data room allows what it knows (2 s), and not here. A machine that was suspended as a whole
//! finds its clock where it left it: what it knows is trusted for up to 700 ms after it wakes. A server on Redis
//! that became a replica finds that it can't write its presence, and connects anew.

mod announcer;
mod hearing;
mod message;
mod owed;
mod redis;

pub use announcer::{AnnounceStats, Heard, RedisAnnouncer};
