//! Why a statement may miss what it names: a later file makes it, or an earlier one dropped it.

use crate::history::{History, StatementId};
use crate::objects::kind::Namespace;
use crate::proof::ReplayFailure;
use crate::replay::replay;
use crate::schema::{Kind, Object};
use crate::sql::lex::words;

/// What to do about a statement that PostgreSQL refused since something isn't there, if the history makes that later or
/// dropped it before.
pub fn hint(history: &History, failure: &ReplayFailure) -> Option<String> {
    let file = history.files.get(failure.file_index).filter(|_| !failure.in_prelude)?;
    let refused = file.statements.start + failure.statement_index;
    let model = replay(history);
    let schema = &model.schema;
    let said = words(&failure.message);
    let is_it = |object: &Object| {
        is_missing(&failure.sqlstate, object.kind) && words(&object.name).is_subset(&said) && !object.name.is_empty()
    };
    let told = |id: usize, statement: StatementId| {
        let at = history.at(statement);
        let place = format!("{}:{}", history.folder.join(&at.file).display(), at.line);
        (format!("{} {}", schema.objects[id].kind.word(), schema.display(id)), place)
    };
    let all = || (0..schema.objects.len()).filter(|id| is_it(&schema.objects[*id]));
    let later = all().filter(|id| schema.objects[*id].born > refused).min_by_key(|id| schema.objects[*id].born);
    if let Some(id) = later {
        let (what, place) = told(id, schema.objects[id].born);
        return Some(format!(
            "{what} is made later, by {place}: do the files run in the order in which their tool runs them? see --layout"
        ));
    }
    let dropped = all().filter_map(|id| Some((id, schema.objects[id].died?))).filter(|(_, died)| *died <= refused);
    let (id, died) = dropped.max_by_key(|(_, died)| *died)?;
    let (what, place) = told(id, died);
    Some(format!("{what} was dropped before, by {place}: do files that only undo others run too? see --layout"))
}

/// Whether PostgreSQL says by this SQLSTATE that an object of this kind isn't there.
fn is_missing(sqlstate: &str, kind: Kind) -> bool {
    match sqlstate {
        "42P01" => kind.namespace() == Namespace::Relation,
        "42883" => kind.namespace() == Namespace::Routine,
        "3F000" => kind == Kind::Schema,
        "42703" => kind == Kind::Column,
        "42704" => !matches!(kind.namespace(), Namespace::Relation | Namespace::Routine | Namespace::None),
        _ => false,
    }
}
