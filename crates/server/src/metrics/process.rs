//! What the kernel knows of this process, under the names that every Prometheus client uses.

use std::fs;
use std::io;
use std::sync::OnceLock;

/// The clock ticks in which Linux tells processor time to programs: 100 a second on every architecture we build for.
const TICKS_PER_SECOND: u32 = 100;

/// The numbers of the process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) threads: u64,
    pub(super) cpu_seconds: f64,
    /// Unix time, in seconds.
    pub(super) started: u64,
    pub(super) open_fds: u64,
    pub(super) max_fds: u64,
}

impl Process {
    /// Reads them; blocks for as long as the kernel needs, which is not long.
    pub(super) fn read() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let limits = fs::read_to_string("/proc/self/limits")?;
        let stat = fs::read_to_string("/proc/self/stat")?;
        Ok(Self {
            resident_bytes: number_after(&status, "VmRSS:") * 1024,
            virtual_bytes: number_after(&status, "VmSize:") * 1024,
            threads: number_after(&status, "Threads:"),
            cpu_seconds: cpu_seconds(&stat),
            started: started(&stat)?,
            // The directory itself is one of them while it is read.
            open_fds: (fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1),
            max_fds: number_after(&limits, "Max open files"),
        })
    }
}

/// The first number behind `name` in the text; 0 when the kernel does not tell it.
fn number_after(text: &str, name: &str) -> u64 {
    let rest = text.split_once(name).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// When the process began, in Unix time: looked up once, for `/proc/stat` is long on a large machine.
fn started(stat: &str) -> io::Result<u64> {
    static STARTED: OnceLock<u64> = OnceLock::new();
    if let Some(started) = STARTED.get() {
        return Ok(*started);
    }
    let booted = number_after(&fs::read_to_string("/proc/stat")?, "btime");
    Ok(*STARTED.get_or_init(|| booted + since_boot(stat) / u64::from(TICKS_PER_SECOND)))
}

/// When the process began, in ticks since the machine did; 0 when the kernel does not tell it.
fn since_boot(stat: &str) -> u64 {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// User and system time; the command's name before them may hold anything, and ends at the last parenthesis.
fn cpu_seconds(stat: &str) -> f64 {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "2^53 ticks are more than a million years")]
    let ticks = ticks as f64;
    ticks / f64::from(TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_files() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 1 << 20 && process.virtual_bytes >= process.resident_bytes);
        assert!(process.threads >= 1 && process.open_fds >= 3 && process.max_fds >= process.open_fds);
        let now = hythe_store::Clock::now(&hythe_store::SystemClock).as_secs().cast_unsigned();
        assert!(process.started <= now + 1 && process.started + 86_400 > now, "{}", process.started);
    }

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 100 1 2";
        assert!((cpu_seconds(stat) - 3.0).abs() < 1e-9);
        let years = "7 (a) S 1 2 3 4 5 6 7 8 9 10 4294967295 4294967295 0 0 20 0 4 0 100 1 2";
        assert!(cpu_seconds(years) > 85_000_000.0);
    }
}
