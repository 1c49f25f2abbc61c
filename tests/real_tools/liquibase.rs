//! Liquibase, as npm has it: its jars, and a port for its driver.

use crate::tools::Unaided::Stops;
use crate::tools::{Tool, is_fine, npm, skip, version_of_package};
use std::path::Path;
use std::process::Command;

/// What npm has of Liquibase holds its jars; Java must be there. Its driver knows no sockets of files, so a port is opened that
/// leads to the server's. The folder is named with its name before it, as a project's would be.
pub fn liquibase(folder: &Path) -> Option<Tool> {
    if !is_fine(Command::new("java").arg("-version").stderr(std::process::Stdio::null())) {
        skip("liquibase", "no java on this machine");
        return None;
    }
    let modules = npm(folder, "liquibase", &["liquibase@4.28"])?;
    let make = |word: &'static str| {
        let (jars, work) = (modules.join("liquibase/dist/liquibase/internal/lib/*"), folder.to_path_buf());
        move |migrations: &Path, url: &str| {
            let (database, socket) = crate::database_and_socket(url);
            let name = migrations.file_name().and_then(|n| n.to_str()).expect("a name");
            let changelog = format!("databaseChangeLog:\n  - includeAll:\n      path: {name}\n");
            std::fs::write(work.join("all.yaml"), changelog).expect("a changelog");
            let above = migrations.parent().expect("a folder above").display();
            let mut command = Command::new("java");
            command.arg("-cp").arg(&jars).arg("liquibase.integration.commandline.LiquibaseCommandLine");
            command.arg(format!("--search-path={above},{}", work.display())).arg("--show-banner=false");
            command.arg(format!("--url=jdbc:postgresql://127.0.0.1:{}/{database}", port_to(&socket)));
            command.args(["--username=postgres", word, "--changelog-file=all.yaml"]);
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make("status")), "is up to date")),
        ..Tool::new(
            "liquibase",
            "databasechangelog",
            version_of_package(&modules, "liquibase"),
            make("update"),
            [Stops, Stops],
        )
    })
}

/// A port of this machine that leads to PostgreSQL's socket in a folder, as long as the tests run.
fn port_to(folder: &str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let socket = Path::new(folder).join(".s.PGSQL.5432");
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = std::os::unix::net::UnixStream::connect(&socket) else { continue };
            let (mut to, mut from) = (far.try_clone().expect("a socket"), near.try_clone().expect("a socket"));
            let (mut near, mut far) = (near, far);
            std::thread::spawn(move || {
                drop(std::io::copy(&mut from, &mut to));
                drop(to.shutdown(std::net::Shutdown::Write));
            });
            std::thread::spawn(move || {
                drop(std::io::copy(&mut far, &mut near));
                drop(near.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    port
}
