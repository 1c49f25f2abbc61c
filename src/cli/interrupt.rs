//! Ctrl-C and the like while a proof runs: what is on a scratch server is taken back before the program ends.
//!
//! Clusters of local programs need nothing from here: a shell beside us waits for our end, whatever it is.

use consolidate::scratch::{embedded, server};

/// From now on, a signal that asks the program to end first takes back what there is on scratch servers and among temporary
/// files. The exit code is then what a shell says of a program that a signal ended: 128 and the signal's number.
#[cfg(unix)]
pub fn take_back_when_told_to_end() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // What is ignored stays so: nohup does that, and shells do it for what runs in the background.
    let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    // Without a handler a signal ends the program as ever, and the next run finds what is left.
    let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(128 + signal);
        }
    });
}

/// Whether whoever started us wanted a signal to be ignored, where the system tells.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// There are no signals here; what a killed run leaves the next one takes back.
#[cfg(not(unix))]
pub fn take_back_when_told_to_end() {}

#[cfg(unix)]
fn end(code: i32) -> ! {
    for left in server::take_back_all() {
        super::tell(&left);
    }
    embedded::remove_all();
    std::process::exit(code)
}
