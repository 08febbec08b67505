//! What processes have used: the supervisor's share from `/proc`, this one's from the kernel. Nothing where there is
//! no `/proc`.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, a hundred on every Linux (proc(5)).
const TICKS_A_SECOND: u64 = 100;

/// Of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    pub cpu: Duration,
    /// Resident.
    pub memory_bytes: u64,
}

/// What the process has used since its start.
pub fn of(pid: u32) -> Option<Used> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Used { cpu: cpu(&stat)?, memory_bytes: resident(&status)? })
}

/// What this process has used since its start.
pub fn own_cpu() -> Duration {
    let time = |time: TimeVal| {
        Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default())
    };
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |used| time(used.user_time()) + time(used.system_time()))
}

/// `utime` and `stime`, the fourteenth and fifteenth; the second, a name in parentheses, may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    let ticks = next()? + next()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "42 (a b) 1 2) S 1 42 42 0 -1 4194560 500 0 0 0 123 77 0 0 20 0 12 0 100 1000 200";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu("42 (x) S 1"), None);
    }

    #[test]
    fn memory_is_what_is_resident() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
    }
}
