//! Brings the machine into the state of one that has served for long: no memory is untouched.
//!
//! On a fresh virtual machine the first use of each page of memory is paid by the host and counted as system time
//! of whoever writes (here 2.2 CPU-s for each GiB of a new file, against 0.3 later). That would be most of what a
//! push costs on every server, and would hide the servers' own work.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Left free: enough for the servers themselves.
const FREE: u64 = 1 << 30;

/// Fills the page cache from a file of holes, without writing to the disk. The kernel takes these pages back
/// whenever somebody wants memory.
pub(crate) fn age(folder: &Path) {
    let path = folder.join("holes");
    let wanted = free_memory().saturating_sub(FREE);
    let file = File::create_new(&path).and_then(|file| file.set_len(wanted));
    file.expect("the folder of the bench is writable");
    let mut file = File::open(&path).expect("it was made a line above");
    let mut window = vec![0; 1 << 20];
    while file.read(&mut window).expect("a file of holes can be read") > 0 && free_memory() > FREE {}
}

/// Bytes of memory nobody uses, not even as cache.
fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("there is a /proc");
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.expect("/proc/meminfo has a MemFree in kB") << 10
}
