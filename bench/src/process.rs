//! What a server has used: read from the kernel, children included.

use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// A started server; ended when this is dropped.
pub(crate) struct Process(std::process::Child);

impl Process {
    /// Starts a command with its output in `log`.
    pub(crate) fn start(mut command: std::process::Command, log: &std::path::Path) -> Self {
        let log = fs::File::create(log).expect("the folder of the bench is writable");
        let errors = log.try_clone().expect("a file handle can be had twice");
        let child = command.stdin(std::process::Stdio::null()).stdout(log).stderr(errors).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The process and its children.
    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.id()];
        let entries = fs::read_dir("/proc").expect("there is a /proc");
        for id in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            // A process may end while this looks at it.
            if stat(id).is_some_and(|fields| fields[1].parse() == Ok(self.id())) {
                family.push(id);
            }
        }
        family
    }

    /// CPU time used so far, in seconds: by the clock of the scheduler, for `/proc` tells hundredths of a second.
    pub(crate) fn cpu(&self) -> f64 {
        // One that has ended meanwhile has no clock.
        let used = |id: u32| {
            let id = Pid::from_raw(i32::try_from(id).ok()?);
            let clock = clock_getcpuclockid(id).ok()?;
            clock.now().ok().map(|used| Duration::from(used).as_secs_f64())
        };
        self.family().into_iter().filter_map(used).sum()
    }

    /// Memory resident now, in MiB.
    pub(crate) fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most memory resident since the last [`forget_peak`](Self::forget_peak), in MiB.
    pub(crate) fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    /// Begins a new measurement of the peak.
    pub(crate) fn forget_peak(&self) {
        for id in self.family() {
            fs::write(format!("/proc/{id}/clear_refs"), "5")
                .expect("the bench may look after its own servers");
        }
    }

    fn memory(&self, name: &str) -> f64 {
        let kilobytes: u32 = self
            .family()
            .into_iter()
            .filter_map(|id| fs::read_to_string(format!("/proc/{id}/status")).ok())
            .filter_map(|status| {
                let line = status.lines().find(|line| line.starts_with(name))?;
                line.split_whitespace().nth(1)?.parse::<u32>().ok()
            })
            .sum();
        f64::from(kilobytes) / 1024.0
    }

    /// How often the process syncs while `work` runs; `None` without `strace`.
    pub(crate) fn syncs(&self, work: impl FnOnce()) -> Option<u64> {
        let trace = tempfile::NamedTempFile::new().ok()?;
        let mut strace = std::process::Command::new("strace")
            .args(["-f", "-q", "-e", "trace=fsync,fdatasync,syncfs,sync_file_range", "-o"])
            .arg(trace.path())
            .args(["-p", &self.id().to_string()])
            .stderr(std::process::Stdio::null())
            .spawn()
            .ok()?;
        let attached = || {
            let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
            status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        };
        while !attached() {
            if strace.try_wait().ok()?.is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        work();
        let id = rustix::process::Pid::from_child(&strace);
        rustix::process::kill_process(id, rustix::process::Signal::INT).ok()?;
        strace.wait().ok()?;
        let text = fs::read_to_string(trace.path()).ok()?;
        let calls = text.lines().filter(|line| line.contains('(') && !line.contains("resumed>"));
        Some(calls.count() as u64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.0);
        // It may have ended by itself; then there is nothing to do.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        for _ in 0..200 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The fields of `/proc/ID/stat` behind the name: state, parent, …
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(ToOwned::to_owned).collect())
}
