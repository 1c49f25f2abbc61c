//! What goes wrong while a set is written: a kill at any moment, a full disk, a folder that can't be written. Afterwards the old
//! set or the new one is there, whole, and the next run works.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::{Project, Tree};
use consolidate::scratch::room;
use consolidate::store::WholeFile;
use consolidate::store::manifest::Origin;
use consolidate::store::swap::{Healed, Moment, Way, heal};
use consolidate::store::write::write_watched;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A set of some files that all say which set they are of.
fn set(word: &str, files: usize) -> Vec<WholeFile> {
    let file = |i: usize| WholeFile {
        path: format!("{i}_{word}.sql"),
        bytes: format!("CREATE TABLE {word}_{i} (id int);\n").into_bytes(),
        is_new: true,
    };
    (1..=files).map(file).collect()
}

/// Which set a folder holds; a panic if that isn't just one of them, whole, with what else lay in the folder.
fn which(folder: &Path, files: usize) -> &'static str {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for word in ["old", "new"] {
        let mut wanted: Vec<String> = set(word, files).into_iter().map(|f| f.path).collect();
        wanted.extend([".consolidate".into(), "README.md".into()]);
        wanted.sort();
        if names == wanted {
            for file in set(word, files) {
                assert_eq!(std::fs::read(folder.join(&file.path)).unwrap(), file.bytes);
            }
            assert_eq!(std::fs::read_to_string(folder.join("README.md")).unwrap(), "by hand\n");
            return word;
        }
    }
    panic!("neither set: {names:?}");
}

/// What of ours lies beside the folder.
fn leftovers(parent: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(parent).unwrap().map(|e| e.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".consolidate-")).collect()
}

fn with_old_set(files: usize) -> Project {
    let project = Project::small();
    project.write("migrations/README.md", "by hand\n");
    write_watched(&project.path("migrations"), &set("old", files), Origin::default(), true, Way::Best, &|_| ())
        .unwrap();
    project
}

/// The folder in which this process is to do what its parent, the same test, looks at from outside.
fn is_child() -> Option<PathBuf> {
    std::env::var_os("FAULT_FOLDER").map(PathBuf::from)
}

/// The test that runs now, once more, as a child that may be killed. It is told what to do by `FAULT_FOLDER`.
fn child() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&this_test(), "--exact", "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The name of the test that runs now, which its thread bears.
fn this_test() -> String {
    std::thread::current().name().expect("a test has a thread of its own").to_string()
}

/// Writes the new set, and is gone at a moment.
fn stop_at_a_moment(folder: &Path) {
    let stop: usize = std::env::var("FAULT_STOP").unwrap().parse().unwrap();
    let way = if std::env::var_os("FAULT_TWO_STEPS").is_some() { Way::TwoSteps } else { Way::Best };
    let count = Cell::new(0);
    let at = |_: Moment| {
        if count.get() == stop {
            // As by SIGKILL: nothing is tidied up.
            std::process::abort();
        }
        count.set(count.get() + 1);
    };
    write_watched(folder, &set("new", 3), Origin::default(), true, way, &at).unwrap();
}

#[test]
fn a_kill_at_each_moment_of_a_write_leaves_one_set_whole() {
    if let Some(folder) = is_child() {
        return stop_at_a_moment(&folder);
    }
    for two_steps in [false, true] {
        let (mut moments, mut seen, mut gone) = (0, Vec::new(), 0);
        loop {
            let project = with_old_set(3);
            let folder = project.path("migrations");
            let mut run = child();
            run.env("FAULT_FOLDER", &folder).env("FAULT_STOP", moments.to_string());
            run.envs(two_steps.then_some(("FAULT_TWO_STEPS", "1")));
            let ended = run.status().unwrap().success();
            let is_gone = !folder.exists();
            assert!(!is_gone || two_steps, "moment {moments}: where folders can be exchanged, one always stands there");
            gone += usize::from(is_gone);
            if !is_gone {
                which(&folder, 3);
            }
            // The next run, whichever it is, heals.
            let ran = project.fine("plan");
            assert_eq!(ran.err.contains("what stood there before is back"), is_gone, "{}", ran.err);
            seen.push(which(&folder, 3));
            assert_eq!(leftovers(&project.path("")), Vec::<PathBuf>::new(), "moment {moments}");
            if ended {
                break;
            }
            moments += 1;
        }
        assert!(moments >= 8, "{moments} moments");
        assert_eq!(gone, usize::from(two_steps), "the one moment at which nothing stands there");
        let new = seen.iter().position(|word| *word == "new").expect("the write ends");
        assert!(new > 3 && seen[new..].iter().all(|word| *word == "new"), "{seen:?}");
    }
}

/// Writes one set after the other.
fn write_for_ever(folder: &Path) {
    for way in [Way::Best, Way::TwoSteps].into_iter().cycle() {
        for word in ["new", "old"] {
            write_watched(folder, &set(word, 12), Origin::default(), true, way, &|_| ()).unwrap();
        }
    }
}

#[test]
fn kills_at_random_moments_leave_one_set_whole() {
    if let Some(folder) = is_child() {
        return write_for_ever(&folder);
    }
    let project = with_old_set(12);
    let folder = project.path("migrations");
    let mut random = fastrand::Rng::with_seed(5);
    let mut seen = Vec::new();
    for _ in 0..40 {
        let mut run = child().env("FAULT_FOLDER", &folder).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(3_000..60_000)));
        run.kill().unwrap();
        run.wait().unwrap();
        heal(&folder).unwrap();
        seen.push(which(&folder, 12));
        assert_eq!(leftovers(&project.path("")), Vec::<PathBuf>::new());
    }
    assert!(seen.contains(&"new") && seen.contains(&"old"), "{seen:?}");
}

#[test]
fn folders_of_a_run_that_lives_are_left_alone() {
    let project = with_old_set(3);
    let folder = project.path("migrations");
    let during = Cell::new(0);
    let at = |moment: Moment| {
        if moment == Moment::Between {
            // Another run comes by.
            assert_eq!(heal(&folder).unwrap(), Healed::Nothing);
            assert_eq!(leftovers(&project.path("")).len(), 2);
            during.set(1);
        }
    };
    write_watched(&folder, &set("new", 3), Origin::default(), true, Way::TwoSteps, &at).unwrap();
    assert_eq!((during.get(), which(&folder, 3)), (1, "new"));
    assert_eq!(leftovers(&project.path("")), Vec::<PathBuf>::new());
}

#[test]
fn a_link_whose_folder_was_moved_aside_is_healed() {
    let project = Project::small();
    project.write("db/.consolidate-old-sets-a1b2c3/1_a.sql", "CREATE TABLE a (id int);\n");
    std::os::unix::fs::symlink("db/sets", project.path("migrations")).unwrap();
    let ran = project.fine("plan");
    assert!(ran.err.contains("what stood there before is back"), "{}", ran.err);
    assert_eq!(project.read("migrations/1_a.sql"), "CREATE TABLE a (id int);\n");
}

/// Folders of embedded databases of a process.
fn embedded_folders(process: u32) -> usize {
    let prefix = format!("consolidate-embedded-{process}-");
    let all = room::ever().into_iter().flat_map(std::fs::read_dir).flatten().flatten();
    all.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)).count()
}

#[test]
fn a_run_that_is_ended_leaves_the_set_and_no_files() {
    let project = Project::small();
    project.fine("emit");
    let old = project.tree("migrations");
    project.write("migrations.old/3_more.sql", "CREATE TABLE more (id int);\n");
    let mut new: Option<Tree> = None;
    for (signal, millis) in [("KILL", 150), ("TERM", 400), ("INT", 900), ("HUP", 700), ("KILL", 1300), ("KILL", 1700)] {
        let mut run = project.command("emit");
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {}", run.id())]).status();
        let ended = run.wait().unwrap();
        let now = project.tree("migrations");
        assert!(
            now == old || now.keys().any(|name| name.ends_with("3_more.sql")),
            "{signal} {millis}: {:?}",
            now.keys()
        );
        if signal != "KILL" {
            let code = match signal {
                "TERM" => 143,
                "INT" => 130,
                _ => 129,
            };
            assert!([Some(code), Some(0)].contains(&ended.code()), "{signal}: {ended:?}");
            assert_eq!(embedded_folders(run.id()), 0, "{signal}");
        }
    }
    project.fine("emit");
    new.get_or_insert_with(|| project.tree("migrations"));
    assert!(new.is_some_and(|new| new != old && new.keys().any(|name| name.ends_with("3_more.sql"))));
    assert_eq!(leftovers(&project.path("")), Vec::<PathBuf>::new());
}

fn sh(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Does something where it may mount what it likes, and nobody else sees that: in a child; or says that it can't.
fn with_mounts(work: impl FnOnce()) {
    if std::env::var_os("FAULT_MOUNTS").is_some() {
        return work();
    }
    if !sh("unshare -rm sh -c 'd=$(mktemp -d) && mount -t tmpfs tmpfs $d && umount $d && rmdir $d'") {
        eprintln!("skipped: this user can't mount a small disk (unshare -rm)");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("-rm").arg(std::env::current_exe().unwrap()).args([&this_test(), "--exact", "--nocapture"]);
    let output = command.env("FAULT_MOUNTS", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn mount(options: &str, folder: &Path) {
    assert!(sh(&format!("mount -t tmpfs -o {options} tmpfs {}", folder.display())), "mount -o {options}");
}

/// Fills what is left of a disk.
fn fill(folder: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("filler")).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn a_full_disk_changes_nothing() {
    with_mounts(with_a_full_disk);
}

fn with_a_full_disk() {
    let project = Project::small();
    let disk = project.path("disk");
    std::fs::create_dir(&disk).unwrap();
    mount("size=128k", &disk);
    project.fine("emit --new disk/migrations");
    project.write("migrations.old/3_more.sql", "CREATE TABLE more (id int);\n");
    fill(&disk);
    project.refused("emit --new disk/migrations", &["No space left on device", "nothing was changed"]);
    std::fs::remove_file(disk.join("filler")).unwrap();
    // A new set that is too long for the disk fails in the middle of it.
    let long = format!("-- {}\nCREATE TABLE long (id int);\n", "x".repeat(200_000));
    project.write("migrations.old/4_long.sql", long);
    project.refused("emit --new disk/migrations", &["No space left on device", "nothing was changed"]);
    std::fs::remove_file(project.path("migrations.old/4_long.sql")).unwrap();
    project.fine("emit --new disk/migrations");
    assert!(project.path("disk/migrations/3_more.sql").exists());
    assert_eq!(leftovers(&disk), Vec::<PathBuf>::new());
    // The disk of the scratch databases.
    project.write("migrations.old/5_last.sql", "CREATE TABLE last (id int);\n");
    let before = project.tree("");
    let ran = cli_support::ran(project.command("emit --new disk/migrations").env("TMPDIR", &disk));
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
    assert!(project.tree("") == before, "something was written");
    project.fine("emit --new disk/migrations");
}

#[test]
fn a_folder_that_can_not_be_written_changes_nothing() {
    with_mounts(with_an_unwritable_folder);
}

fn with_an_unwritable_folder() {
    let project = Project::small();
    let disk = project.path("disk");
    std::fs::create_dir(&disk).unwrap();
    mount("size=1m", &disk);
    project.fine("emit --new disk/migrations");
    project.write("migrations.old/3_more.sql", "CREATE TABLE more (id int);\n");
    mount("remount,ro", &disk);
    project.refused("emit --new disk/migrations", &["nothing was changed"]);
    // Reading is enough for all else.
    assert_eq!(project.run("verify --new disk/migrations").code, 1);
    project.fine("plan --new disk/migrations");
    mount("remount,rw", &disk);
    // The folder itself is a mount point: it can't be exchanged for another.
    std::fs::create_dir(project.path("mounted")).unwrap();
    mount("size=1m", &project.path("mounted"));
    project.refused("emit --new mounted", &["nothing was changed", "mount point"]);
    project.fine("emit --new disk/migrations");
    project.fine("verify --new disk/migrations");
}
