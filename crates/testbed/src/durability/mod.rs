//! What the durability tests share: the ledger of what was acknowledged, the load that fills it, the
//! audit that holds a server to it, and the disk whose power can be cut.
//!
//! Invariant: a client notes a change in the ledger before it asks and the answer after it came, so at any
//! tick the ledger tells what must be there, what may be, and what must not.

mod audit;
mod disk;
mod ledger;
mod load;
mod register;

pub use audit::{Audit, Found};
pub use disk::{Cut, Disk, FileSystem, after_a_reboot};
pub use ledger::{Answer, Change, Ledger, Manifest, Tick, Ticket, Upload, View};
pub use load::{Load, Rules};
