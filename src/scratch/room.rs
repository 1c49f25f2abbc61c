//! Where scratch databases keep their files: in memory, where the machine has plenty of it, since none of them is to last, and
//! some file systems take longer to make and remove thousands of small files than PostgreSQL takes to run a history.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What must be free of the file system in memory, in bytes. A replay takes some 60 MB and its rows, a run four of them at once.
const FREE: u64 = 2 << 30;
/// What must be free of the memory itself, in bytes: the files are only a part of what is needed.
const MEMORY: u64 = 4 << 30;

/// The file system in memory that Linux has for everybody.
const IN_MEMORY: &str = "/dev/shm";

/// A socket in a folder: PostgreSQL's own name for that of port 5432.
pub const SOCKET: &str = ".s.PGSQL.5432";
/// The path of a socket has at most 103 bytes (macOS; 107 on Linux). This much is left for its folder.
pub const LONGEST_FOLDER: usize = 103 - SOCKET.len() - 1;

/// The folders in which ours may lie, the best first. `TMPDIR` has the last word.
pub fn places() -> Vec<PathBuf> {
    let usual = std::env::temp_dir();
    let is_free = std::env::var_os("TMPDIR").is_none_or(|folder| folder.is_empty());
    let in_memory = if is_free { in_memory() } else { None };
    in_memory.into_iter().chain([usual]).collect()
}

/// All folders in which ours may have been left, room or not.
pub fn ever() -> Vec<PathBuf> {
    let in_memory = cfg!(target_os = "linux").then(|| PathBuf::from(IN_MEMORY));
    in_memory.into_iter().chain([std::env::temp_dir()]).collect()
}

/// A folder that only we may look into.
///
/// # Errors
/// When it can't be made.
pub fn private(prefix: &str, place: &Path) -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(place)
}

/// The address of a database whose server has its socket, that of port 5432, in a folder.
pub fn url(folder: &Path, user: &str, database: &str) -> String {
    let folder: String = folder.as_os_str().as_encoded_bytes().iter().map(|byte| escaped(*byte)).collect();
    format!("postgres://{user}@localhost:5432/{database}?host={folder}&sslmode=disable")
}

/// A byte of a path as a URL has it.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// What to do when there isn't enough room.
pub fn hint() -> String {
    let place = places().into_iter().next().unwrap_or_default();
    format!("is there room for it in {}? TMPDIR names another folder for scratch databases", place.display())
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> Option<PathBuf> {
    None
}

/// It, if there is room in it.
#[cfg(target_os = "linux")]
fn in_memory() -> Option<PathBuf> {
    const TMPFS: i64 = 0x0102_1994;
    let folder = PathBuf::from(IN_MEMORY);
    let found = rustix::fs::statfs(&folder).ok()?;
    let free = found.f_bavail.saturating_mul(u64::try_from(found.f_bsize).unwrap_or(0));
    let is_open = rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    #[allow(clippy::useless_conversion, reason = "its size isn't the same everywhere")]
    let is_tmpfs = i64::from(found.f_type) == TMPFS;
    (is_tmpfs && is_open && free >= FREE && memory() >= MEMORY).then_some(folder)
}

/// What is free of the memory: of the machine's, or of what a container leaves us.
#[cfg(target_os = "linux")]
fn memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let groups = read("/proc/self/cgroup");
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let left = std::path::Path::new(own).ancestors().filter_map(|group| {
        let at = format!("/sys/fs/cgroup{}", group.display());
        left_of(&read(&format!("{at}/memory.max")), &read(&format!("{at}/memory.current")))
    });
    left.chain([available(&read("/proc/meminfo"))]).min().unwrap_or(0)
}

/// What a limit leaves, unless there is none.
#[cfg(target_os = "linux")]
fn left_of(limit: &str, used: &str) -> Option<u64> {
    Some(limit.trim().parse::<u64>().ok()?.saturating_sub(used.trim().parse().unwrap_or(0)))
}

/// What of the machine's memory can be had without swapping, in bytes (proc_meminfo(5)).
#[cfg(target_os = "linux")]
fn available(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_machine_and_container_leave() {
        assert_eq!(available("MemTotal:       24684092 kB\nMemAvailable:   23155196 kB\n"), 23_155_196 * 1024);
        assert_eq!(available(""), 0);
        assert_eq!(left_of("max\n", "5\n"), None);
        assert_eq!(left_of("100\n", "30\n"), Some(70));
        assert_eq!(left_of("", ""), None);
    }

    #[test]
    fn there_is_always_a_place() {
        assert_eq!(places().last(), Some(&std::env::temp_dir()));
    }
}
