//! What a server says about itself: a metric's value, and the memory of its process.

use hythe_testbed::Hythe;

/// The sum of all lines of `/metrics` that begin with `series` (a name, with labels if they matter).
pub(super) fn metric(server: &Hythe, series: &str) -> f64 {
    let text = String::from_utf8(server.anonymous().get("/metrics").is(200).body).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(series));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Resident memory of the server's process in KiB.
pub(super) fn resident_kib(server: &Hythe) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
