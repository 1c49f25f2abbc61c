//! Stacks that stand deep trees.
//!
//! A chain of a thousand `||` is a tree of a thousand levels. It is read, walked and dropped by calls within calls, so the
//! depth that we can read is a question of the stack. All work of the program runs on threads with a large one: address
//! space, of which only what is used takes memory. A caller of the library has the stack that it has; what is too deep for
//! that is refused, where a tree would end the process.

mod depth;

use std::cell::Cell;
use std::sync::LazyLock;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// What a level of a statement takes at most, of the stack, while its tree is read: several messages of pg_query, each of which
/// takes 25 KB of the stack. Whatever walks a tree takes far less.
const PER_LEVEL: usize = 96 << 10;
/// The levels that can be walked on the smallest stack a thread usually has, 2 MB.
const FEW: usize = 150;
/// The levels that can be read on it.
const SHALLOW: usize = 20;
/// The sizes of a large stack, the best first: a machine may allow no more than a later one.
const SIZES: [usize; 4] = [1 << 30, 512 << 20, 128 << 20, 32 << 20];

/// The size of a large stack on this machine; none if it has no room for any.
static SIZE: LazyLock<Option<usize>> = LazyLock::new(|| {
    let fits = |size: &usize| Builder::new().stack_size(*size).spawn(|| ()).is_ok_and(|probe| probe.join().is_ok());
    SIZES.into_iter().find(fits)
});

thread_local! {
    /// How many levels the stack of this thread stands.
    static LEVELS: Cell<usize> = const { Cell::new(FEW) };
}

/// How many levels a statement may have on this thread.
pub fn levels() -> usize {
    LEVELS.get()
}

/// Whether the stack of this thread stands the tree of a text. Each level takes a character at least.
pub fn stands(sql: &str) -> bool {
    let most = levels();
    sql.len() <= most || depth::of(sql).is_none_or(|levels| levels <= most)
}

/// Reads a text whose tree this thread can hold: on a thread with a large stack, where that takes more than this one has.
pub fn reading<T: Send>(sql: &str, work: impl FnOnce() -> T + Send) -> T {
    let is_shallow = levels() > FEW || sql.len() <= SHALLOW || depth::of(sql).is_none_or(|levels| levels <= SHALLOW);
    if is_shallow { work() } else { on_large(work) }
}

/// Does work on a thread with a large stack: on this one, if it has one.
pub fn on_large<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if levels() > FEW {
        return work();
    }
    std::thread::scope(|scope| spawn(scope, work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts a thread of a scope, with a large stack.
pub fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    let Some(size) = *SIZE else { return scope.spawn(work) };
    let work = move || {
        LEVELS.set(size / PER_LEVEL);
        work()
    };
    // As the standard library has it where a thread can't be started.
    let no_thread = |error| std::panic::resume_unwind(Box::new(format!("can't start a thread: {error}")));
    Builder::new().stack_size(size).spawn_scoped(scope, work).unwrap_or_else(no_thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_where_there_is_room() {
        assert_eq!(levels(), FEW);
        let inside = on_large(|| (levels(), on_large(levels)));
        assert!(inside.0 > FEW && inside.0 == inside.1, "{inside:?}");
        assert_eq!(std::thread::scope(|scope| spawn(scope, levels).join().unwrap()), inside.0);
    }
}
