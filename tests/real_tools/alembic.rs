//! Alembic, in a Python environment of its own, and a history of revisions as people write them.

use crate::cli_support::ran;
use crate::tools::{Tool, Unaided, is_fine, skip, version_of};
use consolidate::history::layout::write::Outgoing;
use std::path::Path;
use std::process::Command;

/// What the revisions do.
const REVISIONS: &[&str] = &[
    "op.create_table(\"shop\", sa.Column(\"id\", sa.Integer, primary_key=True, autoincrement=False))
    op.create_table(\"draft\", sa.Column(\"id\", sa.Integer))
    op.execute(\"COMMENT ON TABLE shop IS '100% of it'\")",
    "op.execute(\"CREATE FUNCTION say() RETURNS text LANGUAGE sql AS $$\\n    SELECT 'a;';\\n$$\")",
    "op.drop_table(\"draft\")
    op.add_column(\"shop\", sa.Column(\"name\", sa.Text))
    with op.get_context().autocommit_block():
        op.execute(\"CREATE INDEX CONCURRENTLY shop_name ON shop (name)\")",
];

/// A revision that people wrote.
pub fn revision(number: usize, words: &str) -> (Outgoing, Vec<(String, String)>) {
    let name = |number: usize| format!("a1b2c3d4e5f{number}");
    let before = if number == 1 { "None".to_string() } else { format!("\"{}\"", name(number - 1)) };
    // Alembic only asks for the names in the end.
    let names = match number {
        1 => format!("revision: str = \"{}\"\ndown_revision: str | None = {before}", name(number)),
        2 => format!("revision = \"{}\"; down_revision = {before}", name(number)),
        _ => format!("revision, down_revision = \"{}\", {before}", name(number)),
    };
    let text = format!(
        "\"\"\"{words}\"\"\"\nimport sqlalchemy as sa\nfrom alembic import op\n\n{names}\n\n\n\
         def upgrade() -> None:\n    {}\n",
        REVISIONS[number - 1],
    );
    let m = Outgoing { version: name(number), words: words.into(), ..Outgoing::default() };
    (m, vec![(format!("{}_{words}.py", name(number)), text)])
}

/// The project is what `alembic init` makes.
pub fn install(folder: &Path) -> Option<Tool> {
    let bin = folder.join("venv/bin");
    if !bin.join("alembic").exists() {
        let has_python = is_fine(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")));
        let packages = ["-q", "--disable-pip-version-check", "install", "alembic", "psycopg[binary]"];
        if !has_python || !is_fine(Command::new(bin.join("pip")).args(packages)) {
            skip("alembic", "pip can't install alembic and psycopg");
            return None;
        }
        let mut init = Command::new(bin.join("alembic"));
        init.args(["init", "-t", "generic", "alembic"]).current_dir(folder);
        assert_eq!(ran(&mut init).code, 0, "alembic init");
    }
    let file = |path: &str| (path.to_string(), std::fs::read_to_string(folder.join(path)).expect("a file"));
    // Older templates don't ask for named parameters; Alembic then prints each percent sign twice.
    let (name, env) = file("alembic/env.py");
    let env: String = env.lines().filter(|l| !l.contains("dialect_opts")).map(|l| format!("{l}\n")).collect();
    let make = |word: &'static [&'static str]| {
        let (program, ini, (_, text)) = (bin.join("alembic"), folder.join("run.ini"), file("alembic.ini"));
        move |migrations: &Path, url: &str| {
            std::fs::write(&ini, with_places(&text, migrations, url)).expect("a configuration");
            let mut command = Command::new(&program);
            command.arg("-c").arg(&ini).args(word).env("PYTHONDONTWRITEBYTECODE", "1");
            command
        }
    };
    Some(Tool {
        name: "alembic",
        layout: "alembic",
        table: "alembic_version",
        version: version_of(Command::new(bin.join("alembic")).arg("--version")),
        run: Box::new(make(&["upgrade", "head"])),
        ask: Some((Box::new(make(&["current"])), "(head)")),
        stays: true,
        within: "alembic/",
        files: vec![file("alembic.ini"), (name, env)],
        python: Some(bin.join("python")),
        unaided: [Unaided::Rests, Unaided::Stops],
    })
}

/// An alembic.ini with the address and the folder of revisions.
fn with_places(ini: &str, migrations: &Path, url: &str) -> String {
    let (database, socket) = crate::database_and_socket(url);
    let line = |line: &str| match line.split(" = ").next() {
        Some("sqlalchemy.url") => {
            format!("sqlalchemy.url = postgresql+psycopg://postgres@/{database}?host={socket}&port=5432\n")
        }
        Some("script_location") => {
            let scripts = migrations.parent().expect("a folder").display();
            format!("script_location = {scripts}\nversion_locations = {}\n", migrations.display())
        }
        _ => format!("{line}\n"),
    };
    ini.lines().map(line).collect()
}
