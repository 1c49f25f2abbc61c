//! Keeps an embedded server and its client on one processor.
//!
//! The two never work at the same time: each waits while the other has its turn. On two processors each turn wakes one
//! that has gone idle, which takes longer than a statement of a migration does, most of all on a virtual machine.

#[cfg(target_os = "linux")]
pub use linux::PinnedCpu;

/// Elsewhere the system has no say in it.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub struct PinnedCpu;

#[cfg(not(target_os = "linux"))]
impl PinnedCpu {
    /// Takes none.
    pub fn take() -> Option<PinnedCpu> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    use std::sync::{Mutex, PoisonError};

    /// The processors that replays of this program sit on, once for each.
    static TAKEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

    /// A processor for the thread that took it, and for all threads that it starts. Dropped in that thread, it lets it go.
    #[derive(Debug)]
    pub struct PinnedCpu {
        processor: usize,
        before: CpuSet,
    }

    impl PinnedCpu {
        /// Takes the processor on which the thread runs; or another one, if fewer replays sit there. None where there is
        /// no choice, or where the system doesn't let us.
        pub fn take() -> Option<PinnedCpu> {
            let before = sched_getaffinity(None).ok()?;
            if before.count() < 2 {
                return None;
            }
            let here = sched_getcpu();
            let allowed = (0..CpuSet::MAX_CPU).filter(|processor| before.is_set(*processor));
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let sitting = |processor: usize| taken.iter().filter(|one| **one == processor).count();
            let processor = allowed.min_by_key(|processor| (sitting(*processor), *processor != here))?;
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(None, &only).ok()?;
            taken.push(processor);
            Some(PinnedCpu { processor, before })
        }
    }

    impl Drop for PinnedCpu {
        fn drop(&mut self) {
            // A thread that stays where it is works as well.
            let _ = sched_setaffinity(None, &self.before);
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = taken.iter().position(|one| *one == self.processor) {
                taken.swap_remove(place);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_pinned_thread_stays_until_it_is_let_go() {
            let count = || sched_getaffinity(None).unwrap().count();
            let all = count();
            let pinned = PinnedCpu::take();
            assert_eq!(pinned.is_some(), all > 1);
            assert_eq!(count(), 1);
            // A pinned thread is pinned to nothing else.
            assert!(PinnedCpu::take().is_none());
            assert_eq!(std::thread::spawn(move || sched_getaffinity(None).unwrap().count()).join().unwrap(), 1);
            drop(pinned);
            assert_eq!(count(), all);
        }
    }
}
