//! Keeps an embedded server and its client on one processor.
//!
//! The two never work at the same time: each waits while the other has its turn. On two processors each turn wakes one
//! that has gone idle, which takes longer than a statement of a migration does, most of all on a virtual machine.

#[cfg(target_os = "linux")]
pub use linux::Seat;

/// Elsewhere the system has no say in it.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub struct Seat;

#[cfg(not(target_os = "linux"))]
impl Seat {
    /// Takes none.
    pub fn take() -> Option<Seat> {
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
    pub struct Seat {
        processor: usize,
        before: CpuSet,
    }

    impl Seat {
        /// Takes the processor on which the thread runs; or another one, if fewer replays sit there. None where there is
        /// no choice, or where the system doesn't let us.
        pub fn take() -> Option<Seat> {
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
            Some(Seat { processor, before })
        }
    }

    impl Drop for Seat {
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
        fn a_seat_holds_its_thread_until_it_is_given_back() {
            let count = || sched_getaffinity(None).unwrap().count();
            let all = count();
            let seat = Seat::take();
            assert_eq!(seat.is_some(), all > 1);
            assert_eq!(count(), 1);
            // A thread that has a seat needs no other.
            assert!(Seat::take().is_none());
            assert_eq!(std::thread::spawn(move || sched_getaffinity(None).unwrap().count()).join().unwrap(), 1);
            drop(seat);
            assert_eq!(count(), all);
        }
    }
}
