//! Writes the packed data folder of a schema with an earlier binary, before the schema changes:
//!
//!     HYTHE_BINARY=path/to/hythe cargo run -p hythe-testbed --example heirloom -- V2

use hythe_testbed::{Hythe, Options, heirloom};

fn main() {
    let schema = std::env::args().nth(1).expect("name the schema, as V2");
    let mut server = Hythe::start(Options::default());
    heirloom::fill(&mut server);
    heirloom::pack(&server, &schema);
}
