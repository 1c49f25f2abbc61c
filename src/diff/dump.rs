//! A dump that `pg_dump` wrote as plain SQL, as a set of one file.

use crate::error::{At, Error, Result};
use crate::proof::{ReplayFile, ReplayStatement, Source};
use crate::sql::names::quote;
use crate::sql::parse::parse;
use crate::sql::split::split;
use crate::sql::walk::references;
use std::collections::BTreeSet;
use std::path::Path;

/// Reads it. Roles that it names and doesn't make are made first, since a dump holds none.
///
/// # Errors
/// When it can't be read, isn't plain SQL, or isn't a dump of one database.
pub fn read(path: &Path) -> Result<Source> {
    let name = path.display().to_string();
    let bytes = crate::files::read(path).map_err(|e| Error::new(format!("can't read {name}: {e}")))?;
    let plain = "pg_dump writes plain SQL by default; pg_restore -f FILE makes it of the other formats";
    if bytes.starts_with(b"PGDMP") || bytes.contains(&0) {
        return Err(Error::new(format!("{name} isn't plain SQL")).hint(plain));
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::new(format!("{name} isn't UTF-8")).hint(plain))?;
    let text = without_psql(&text);
    if let Some(error) = crate::history::refuse_text(&name, &text) {
        return Err(error);
    }
    let mut statements = Vec::new();
    let (mut named, mut made) = (BTreeSet::new(), BTreeSet::new());
    let mut brings_rows = false;
    for piece in split(&text) {
        let line = text[..piece.body.start].matches('\n').count() + 1;
        let body = &text[piece.body.clone()];
        if piece.is_meta_command {
            let hint = "a dump of one database is wanted, as pg_dump writes it without --create";
            return Err(Error::new(format!("{body} is for psql")).at(At::new(&name, line)).hint(hint));
        }
        // Older versions don't know this setting of the preamble, and here it changes nothing.
        if body == "SET transaction_timeout = 0" {
            continue;
        }
        let node = parse(body).map_err(|e| Error::new(e.message).at(At::new(&name, line)).hint(plain))?;
        if let Some(node) = node {
            if let crate::sql::parse::NodeEnum::CreateRoleStmt(role) = &node {
                made.insert(role.role.clone());
            }
            named.extend(references(&node).roles);
        }
        brings_rows |=
            piece.copy_data.is_some() || body.starts_with("INSERT INTO") || body.contains("pg_catalog.setval(");
        let copy_data = piece.copy_data.map(|range| text[range].to_string());
        statements.push(ReplayStatement { line, text: body.to_string(), copy_data });
    }
    let missing: Vec<ReplayStatement> = named
        .difference(&made)
        .filter(|role| *role != "postgres" && !role.starts_with("pg_"))
        .map(|role| ReplayStatement { line: 1, text: format!("CREATE ROLE {}", quote(role)), copy_data: None })
        .collect();
    let roles = ReplayFile { name: "the roles of the dump".into(), statements: missing, ..ReplayFile::default() };
    let file = ReplayFile { name, statements, ..ReplayFile::default() };
    let files = if roles.statements.is_empty() { vec![file] } else { vec![roles, file] };
    Ok(Source::Dump(files, brings_rows))
}

/// A dump without the two lines by which psql takes no other commands: `\restrict TOKEN` and `\unrestrict TOKEN`.
fn without_psql(text: &str) -> String {
    let token = text.lines().take(20).find_map(|line| line.strip_prefix("\\restrict ")).map(str::trim);
    let Some(token) = token else { return text.to_string() };
    let ours = |line: &str| line.strip_prefix("\\restrict ").or(line.strip_prefix("\\unrestrict ")) == Some(token);
    text.split_inclusive('\n').map(|line| if ours(line.trim_end()) { "\n" } else { line }).collect()
}
