//! What came of an emit, as text and as JSON.

use super::add;
use super::style::Style;
use crate::emit::{Held, How, Lock, Lowered, Owner, Proven, Rungs, Work};
use crate::history::History;
use crate::project::{About, Written};
use crate::proof::Verdict;
use crate::store::write::Changes;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What was compared, and where.
fn heading(verdict: &Verdict, left_out: &[String], style: Style) -> String {
    let names = if left_out.is_empty() { String::new() } else { format!(" ({})", left_out.join(", ")) };
    let compared = &verdict.comparison.compared;
    let mut out = String::new();
    let text = format!(
        "{}{names}: {}, {} in {}, {} compared on {} ({:.1} s){}",
        style.green(&format!("identical{}", super::verdict::without(left_out))),
        plural(compared.objects, "object"),
        plural(compared.rows, "row"),
        plural(compared.tables, "table"),
        plural(compared.sequences, "sequence"),
        super::verdict::server(verdict),
        verdict.seconds,
        super::verdict::beside(verdict),
    );
    add(&mut out, &text);
    out
}

/// How much shorter it became, and which part.
fn sizes(about: &About, untouched: bool) -> String {
    let (before, after) = (&about.before, &about.after);
    let line = |what: &str, before: usize, after: usize| format!("  {what:<10}  {before:>5} → {after}\n");
    let mut out = line("files", before.files, after.files)
        + &line("statements", before.statements, after.statements)
        + &line("lines", before.lines, after.lines);
    if let Some(part) = &about.part {
        let how = match untouched {
            true => "best as it is: nothing of it can go",
            false => "consolidated; the rest is untouched",
        };
        add(&mut out, &format!("  part        {part}: {how}"));
    }
    out
}

/// How many objects stand on which rung.
fn objects(rungs: &Rungs, about: &About) -> String {
    let Rungs { as_written, folded, as_stated, as_happened } = *rungs;
    let is_whole = about.part.is_none();
    let happened = match as_happened > 0 && is_whole {
        true => format!(", {as_happened} as it happened"),
        false => String::new(),
    };
    let mut out = format!(
        "  objects     {as_written} as written, {folded} folded, {as_stated} as PostgreSQL states them{happened}\n"
    );
    if as_happened > 0 && !is_whole {
        out.push_str(&format!("              {} as it happened\n", plural(as_happened, "statement")));
    }
    out
}

/// The comments that are left out, by their places.
fn comments(about: &About) -> String {
    let count = about.comments.len();
    if count == 0 {
        return String::new();
    }
    let mut out = format!("  comments    {} of what lives left out:\n", plural(count, "line"));
    about.comments.iter().for_each(|line| add(&mut out, &format!("    {}: {}", line.at, line.text)));
    out
}

/// An emit for people.
pub fn text(
    proven: &Proven,
    history: &History,
    about: &About,
    written: &Written,
    folder: &str,
    style: Style,
) -> String {
    let mut out = heading(&proven.verdict, &history.left_out, style)
        + &sizes(about, proven.untouched)
        + &objects(&proven.rungs, about);
    let rows = &proven.rows;
    if rows.as_written + rows.as_stated > 0 {
        let (kept, made) = (plural(rows.as_written, "statement"), plural(rows.as_stated, "statement"));
        out.push_str(&format!("  rows        {kept} as written, {made} made from the rows\n"));
    }
    let whole = about.part.is_none();
    let word = if !whole && proven.rungs.as_stated == 0 { "gave way:" } else { "stated:" };
    let mut told = HashSet::new();
    for lowered in &proven.lowered {
        let how = match lowered.how {
            // What is counted with another stands behind it.
            How::Stated if is_along(lowered, &mut told) => "with it:",
            How::Happened if whole => "as it happened:",
            How::LeftOut => "left out:",
            How::Stated | How::Happened => word,
        };
        add(&mut out, &format!("    {} {}: {}", style.yellow(how), lowered.object, lowered.why));
    }
    out.push_str(&locked(&about.locks));
    for statement in &proven.backfills {
        add(&mut out, &format!("    {} {} touched no row", style.dim("left out:"), history.at(*statement)));
    }
    out.push_str(&comments(about));
    for call in &proven.verdict.stand_ins {
        let (function, extension, places) = (&call.function, &call.extension, super::first_places(&call.places));
        let word = style.yellow("stand-in:");
        let what = format!("  {word} {function} of {extension} computes something else than the original: {places}");
        add(&mut out, &what);
    }
    if proven.verdict.comparison.volatile_cells > 0 {
        let values = plural(proven.verdict.comparison.volatile_cells, "value");
        out.push_str(&format!("  {} compared by kind only: from run to run they differ\n", values));
    }
    for note in &proven.verdict.comparison.notes {
        out.push_str(&super::plan::wrap(&format!("  {} {note}", style.dim("note:"))));
    }
    match written {
        Written::Files(changes) if changes.written.is_empty() && changes.removed.is_empty() => {
            let said = match proven.set.files.is_empty() {
                true => format!("written to {folder}: a set without files"),
                false => format!("{folder} holds these files already: only what is noted of them was written"),
            };
            add(&mut out, &said);
        }
        Written::Files(changes) => {
            add(&mut out, &format!("written to {folder}:"));
            changes.written.iter().for_each(|name| add(&mut out, &format!("  {name}")));
            for name in &changes.removed {
                add(&mut out, &format!("  {} {name}: not part of this set", style.yellow("removed:")));
            }
        }
        Written::Unchanged => add(&mut out, &format!("{folder} holds this set already: nothing changed")),
        Written::Nothing => out.push_str("nothing was written (--dry-run)\n"),
    }
    out
}

/// What the databases that run the part must bear.
fn locked(locks: &[Held]) -> String {
    let mut out = String::new();
    if !locks.is_empty() {
        out.push_str("  locks       on tables that are there already, each until its transaction ends:\n");
    }
    for held in locks {
        let (lock, work) = (lock_words(held.lock), work_words(held.work));
        add(&mut out, &format!("    {}:{} {}: {lock}{work}", held.file, held.line, held.table));
    }
    out
}

fn lock_words(lock: Lock) -> &'static str {
    match lock {
        Lock::AccessExclusive => "ACCESS EXCLUSIVE, nobody else reads or writes",
        Lock::Exclusive => "EXCLUSIVE, others only read",
        Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE, others only read",
        Lock::Share => "SHARE, others only read",
        Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE, others read and write",
        Lock::RowExclusive => "ROW EXCLUSIVE, others read and write other rows",
    }
}

fn work_words(work: Work) -> &'static str {
    match work {
        Work::Catalogs | Work::Rows => "",
        Work::Scan => "; reads all rows",
        Work::IndexBuild => "; builds an index",
        Work::Rewrite => "; writes all rows anew",
        Work::MayRewrite => "; may write all rows anew",
    }
}

/// Whether something stands in the new set along with something else that PostgreSQL states, and isn't counted itself.
fn is_along(lowered: &Lowered, told: &mut HashSet<Owner>) -> bool {
    lowered.how == How::Stated && !lowered.unit.is_some_and(|unit| told.insert(unit))
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// An emit as data.
pub fn json(proven: &Proven, history: &History, about: &About, written: &Written) -> Value {
    let changes = match written {
        Written::Files(changes) => changes.clone(),
        Written::Unchanged | Written::Nothing => Changes::default(),
    };
    let mut told = HashSet::new();
    let one = |l: &Lowered| {
        let along = is_along(l, &mut told);
        json!({ "object": l.object, "how": l.how, "along": along, "why": l.why })
    };
    let lowered: Vec<Value> = proven.lowered.iter().map(one).collect();
    json!({
        "format": super::FORMAT,
        "verdict": proven.verdict.kind,
        "left_out": history.left_out,
        "files": { "history": about.before.files, "set": about.after.files },
        "statements": { "history": about.before.statements, "set": about.after.statements },
        "lines": { "history": about.before.lines, "set": about.after.lines },
        "part": about.part,
        "locks": about.locks,
        "untouched": proven.untouched,
        "rungs": proven.rungs,
        "rows": proven.rows,
        "lowered": lowered,
        "backfills": proven.backfills.iter().map(|s| history.at(*s)).collect::<Vec<_>>(),
        "comments_left_out": about.comments,
        "kept_opaque": proven.kept_opaque,
        "written": changes.written,
        "removed": changes.removed,
        "rounds": proven.rounds,
        "postgres": proven.verdict.postgres,
        "scratch": proven.verdict.scratch,
        "volatile_values": proven.verdict.comparison.volatile_cells,
        "stand_ins": proven.verdict.stand_ins,
        "notes": proven.verdict.comparison.notes,
        "seconds": (proven.verdict.seconds * 1000.0).round() / 1000.0,
        "peak_mb": proven.verdict.peak_mb,
    })
}
