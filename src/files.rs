//! Reading what others made: only plain files are opened, so that nothing waits for a writer and no device is touched.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What is neither a file nor a folder nor a link, in words.
pub fn oddity(kind: FileType) -> Option<&'static str> {
    if kind.is_file() || kind.is_dir() || kind.is_symlink() {
        return None;
    }
    Some(word(kind))
}

#[cfg(unix)]
fn word(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if kind.is_fifo() => "a pipe (FIFO)",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "no plain file",
    }
}

#[cfg(not(unix))]
fn word(_: FileType) -> &'static str {
    "no plain file"
}

/// The bytes of a plain file.
///
/// # Errors
/// When it can't be read, or is a pipe, a socket or a device, also behind a link.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let plain = |kind| oddity(kind).map_or(Ok(()), |what| Err(io::Error::other(format!("it is {what}"))));
    plain(fs::metadata(path)?.file_type())?;
    let mut file = open(path)?;
    // Something else may have come in its place.
    plain(file.metadata()?.file_type())?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a plain file.
///
/// # Errors
/// As [`read`], and when it isn't UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it isn't UTF-8"))
}

/// Opens a file so that nothing waits, whatever it is.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    File::options().read(true).custom_flags(i32::try_from(flags).unwrap_or_default()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// The first thing in a folder, or in those below, that is no file, folder or link, and what it is.
///
/// # Errors
/// When a folder can't be read.
pub fn odd_below(folder: &Path) -> io::Result<Option<(PathBuf, &'static str)>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if let Some(what) = oddity(kind) {
            return Ok(Some((entry.path(), what)));
        }
        if kind.is_dir()
            && let Some(found) = odd_below(&entry.path())?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_file_is_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("deep/socket");
        fs::create_dir(folder.path().join("deep")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(odd_below(folder.path()).unwrap(), Some((socket.clone(), "a socket")));
        assert_eq!(read(&socket).unwrap_err().to_string(), "it is a socket");
        assert_eq!(read(Path::new("/dev/null")).unwrap_err().to_string(), "it is a device");
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("link")).unwrap();
        assert_eq!(read(&folder.path().join("link")).unwrap_err().to_string(), "it is a device");
    }
}
