//! Which functions a set calls that stand in for others, and don't compute what those do.

use super::{ReplayFile, Settings, StandInCall};
use crate::scratch::Needs;
use crate::scratch::extensions::{self, Statement};

/// What a set calls that stands in for something else and computes something else.
pub(super) fn called(files: &[ReplayFile], settings: &Settings, needs: &Needs) -> Vec<StandInCall> {
    let files = settings.prelude.iter().chain(files);
    let statements = files.flat_map(|file| file.statements.iter().map(move |statement| (file, statement)));
    let statements: Vec<Statement> = statements
        .map(|(file, statement)| Statement { file: &file.name, line: statement.line, sql: &statement.text })
        .collect();
    let mut calls = Vec::new();
    if settings.database.has_stand_ins() {
        calls = extensions::substitutes_called(&statements, &settings.stand_ins, &needs.extensions);
    }
    for platform in &settings.platforms {
        let functions: Vec<_> = platform.substitutes.iter().map(|function| (platform.name, *function)).collect();
        calls.extend(extensions::called(&statements, &functions));
    }
    calls
}
