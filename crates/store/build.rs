//! Rebuilds the crate when a migration file comes or goes: the embedding macro cannot see new files itself.

fn main() {
    println!("cargo::rerun-if-changed=src/records/migrations");
}
