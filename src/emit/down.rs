//! What undoes a new set, file by file: its statements turned round, proven by running the set, then all of it backwards, and
//! looking for anything that is left.

use super::{NewSet, set_files};
use crate::as_replayed::replay_files;
use crate::history::{self, History, StatementId};
use crate::proof::{Class, Progress, ReplayFile, Settings, VerdictKind, verify};
use crate::replay::{Model, replay};
use crate::schema::Drop;
use crate::schema::{Body, Kind, ObjectId, Property};
use crate::sql::names::quote;
use pg_query::NodeEnum as N;
use std::path::Path;

/// Gives each file of a set the part that undoes it.
///
/// # Errors
/// Why there is none: the statement that can't be undone, or what would be left. The set is as it was then.
pub fn add_downs(
    set: &mut NewSet,
    history: &History,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), String> {
    let texts: Vec<(String, String)> = set.files.iter().map(|f| (f.name.clone(), f.text.clone())).collect();
    let unread = |errors: Vec<crate::Error>| errors.first().map(ToString::to_string).unwrap_or_default();
    let mut own = history::from_texts(Path::new(""), &texts).map_err(unread)?;
    own.prelude = history.prelude.clone();
    let model = replay(&own);
    let undo = Undo { own: &own, model: &model };
    let downs: Vec<String> = (0..own.files.len()).map(|file| undo.file(file)).collect::<Result<_, _>>()?;
    let mut steps = set_files(set);
    for (file, down) in own.files.iter().zip(&downs).rev() {
        steps.extend(as_replayed(&format!("{} (down)", file.name), down)?);
    }
    // The way back is run by itself, one day.
    let ignore = settings.ignore.iter().copied().chain([Class::Session]).collect();
    let settings = &Settings { ignore, ..settings.clone() };
    let verdict = verify(&[], &steps, settings, progress).map_err(|(_, error)| error.to_string())?;
    if verdict.kind != VerdictKind::Identical {
        let first = verdict.comparison.differences.first();
        return Err(first.map_or("not proven".into(), |d| format!("{} wouldn't be as before", d.object)));
    }
    for (file, down) in set.files.iter_mut().zip(downs) {
        file.down = Some(down);
    }
    Ok(())
}

/// A part that undoes, as the judge wants it.
fn as_replayed(name: &str, text: &str) -> Result<Vec<ReplayFile>, String> {
    let texts = [(name.to_string(), text.to_string())];
    match history::from_texts(Path::new(""), &texts) {
        Ok(history) => Ok(replay_files(&history)),
        Err(errors) => Err(errors.first().map(ToString::to_string).unwrap_or_default()),
    }
}

/// What becomes of an object when its file is undone.
enum Way {
    /// It goes by this statement.
    Says(String),
    /// It goes with what it belongs to.
    Goes,
    /// It stays until another file is undone.
    Stays(String),
}

struct Undo<'a> {
    own: &'a History,
    model: &'a Model,
}

impl Undo<'_> {
    /// The part that undoes a file: the last statement first.
    fn file(&self, number: usize) -> Result<String, String> {
        let schema = &self.model.schema;
        let file = &self.own.files[number];
        let mut out = String::new();
        for statement in file.statements.clone().rev() {
            let mut made: Vec<ObjectId> =
                schema.live().filter(|id| schema.objects[*id].born == statement && self.is_said(*id)).collect();
            made.sort_unstable();
            for id in made.into_iter().rev() {
                match self.way(id) {
                    Some(Way::Says(text)) => out.push_str(&format!("{text};\n")),
                    // A name may hold a line break, and what follows it must stay in the comment.
                    Some(Way::Stays(why)) => out.push_str(&format!("-- {}\n", why.replace(['\n', '\r'], " "))),
                    Some(Way::Goes) => {}
                    None => {
                        let object = &schema.objects[id];
                        let what = format!("{} {}", object.kind.word(), schema.display(id));
                        return Err(format!("{}: nothing undoes {what}", self.own.at(object.source)));
                    }
                }
            }
        }
        Ok(out)
    }

    /// Whether a statement of the set says it: those that the model folds into a table may be said later.
    fn is_said(&self, id: ObjectId) -> bool {
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        let later = matches!(object.kind, Kind::Constraint | Kind::Column)
            && object.parent.is_some_and(|parent| schema.objects[schema.root(parent)].born != object.born);
        schema.is_unit(id) || later
    }

    fn file_of(&self, id: ObjectId) -> usize {
        self.own.statements[self.model.schema.objects[id].born].file
    }

    fn way(&self, id: ObjectId) -> Option<Way> {
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        let name = schema.display(id);
        let on = object.parent.map(|parent| schema.display(parent));
        let way = match object.kind {
            Kind::Column
            | Kind::Comment
            | Kind::Constraint
            | Kind::Index
            | Kind::Policy
            | Kind::Rule
            | Kind::Setting
            | Kind::Trigger
                if self.goes_with_parent(id) =>
            {
                Way::Goes
            }
            // It goes with the column that owns it.
            Kind::Sequence if schema.setting(id, &Property::OwnedBy).is_some() => Way::Goes,
            Kind::Comment | Kind::Grant | Kind::DefaultPrivileges if self.is_of_one_file(id) => Way::Goes,
            Kind::Setting => match (turned_round(self.node(object.source)), object.parent) {
                (Some(text), _) => Way::Says(text),
                (None, Some(parent)) if !schema.is_given(schema.root(parent)) => {
                    Way::Stays(format!("{name} stays as it is"))
                }
                _ => return None,
            },
            Kind::Rows => {
                let Body::Rows { targets, .. } = &object.body else { return None };
                if targets.iter().any(|t| schema.is_given(*t)) {
                    return None;
                }
                match targets.iter().find(|t| self.file_of(**t) != self.file_of(id)) {
                    Some(table) => Way::Stays(format!("the rows of {} stay until it goes", schema.display(*table))),
                    None => Way::Goes,
                }
            }
            kind => match kind.drop() {
                Drop::Named => Way::Says(format!("DROP {} {name}", kind.toc())),
                Drop::OnParent => Way::Says(format!("DROP {} {} ON {}", kind.toc(), quote(&object.name), on?)),
                Drop::Alter => Way::Says(format!("ALTER TABLE {} DROP {} {}", on?, kind.toc(), quote(&object.name))),
                Drop::TurnedRound => Way::Says(turned_round(self.node(object.source))?),
                Drop::Never => return None,
            },
        };
        Some(way)
    }

    fn node(&self, statement: StatementId) -> &N {
        &self.own.statements[statement].node
    }

    /// Whether it goes with what it belongs to: both are of one file, and nothing that it needs must go before that.
    fn goes_with_parent(&self, id: ObjectId) -> bool {
        let schema = &self.model.schema;
        let Some(parent) = schema.objects[id].parent.map(|p| schema.root(p)) else { return false };
        let made = schema.objects[parent].born;
        let waits = |on: ObjectId| self.file_of(on) == self.file_of(id) && schema.objects[on].born > made;
        !schema.is_given(parent)
            && self.file_of(parent) == self.file_of(id)
            && !schema.objects[id].needs.iter().any(|n| n.on != id && waits(schema.unit_of(n.on)))
    }

    /// Whether all that a comment or a grant is about is made by its own file.
    fn is_of_one_file(&self, id: ObjectId) -> bool {
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        let on: Vec<ObjectId> = match (&object.body, object.parent) {
            (Body::Grant(grant), _) => grant.atoms.iter().map(|atom| atom.target).collect(),
            (_, Some(parent)) => vec![parent],
            _ => Vec::new(),
        };
        !on.is_empty() && on.iter().all(|o| !schema.is_given(*o) && self.file_of(schema.root(*o)) == self.file_of(id))
    }
}

/// The statement that takes back what this one gave, for those that are said the other way round.
fn turned_round(node: &N) -> Option<String> {
    let turned = match node.clone() {
        N::GrantStmt(mut grant) => {
            (grant.is_grant, grant.grant_option) = (!grant.is_grant, false);
            N::GrantStmt(grant)
        }
        N::GrantRoleStmt(mut grant) => {
            grant.is_grant = !grant.is_grant;
            grant.opt.clear();
            N::GrantRoleStmt(grant)
        }
        N::AlterDefaultPrivilegesStmt(mut alter) => {
            let grant = alter.action.as_mut()?;
            (grant.is_grant, grant.grant_option) = (!grant.is_grant, false);
            N::AlterDefaultPrivilegesStmt(alter)
        }
        N::CommentStmt(mut comment) => {
            comment.comment.clear();
            N::CommentStmt(comment)
        }
        N::CreateUserMappingStmt(mapping) => N::DropUserMappingStmt(pg_query::protobuf::DropUserMappingStmt {
            user: mapping.user,
            servername: mapping.servername,
            missing_ok: false,
        }),
        N::AlterTableStmt(mut alter) => {
            use pg_query::protobuf::AlterTableType as T;
            for command in &mut alter.cmds {
                let Some(N::AlterTableCmd(command)) = &mut command.node else { return None };
                let other = match T::try_from(command.subtype).ok()? {
                    T::AtEnableRowSecurity => T::AtDisableRowSecurity,
                    T::AtForceRowSecurity => T::AtNoForceRowSecurity,
                    T::AtSetNotNull => T::AtDropNotNull,
                    _ => return None,
                };
                command.subtype = other as i32;
            }
            N::AlterTableStmt(alter)
        }
        _ => return None,
    };
    turned.deparse(pg_query::DeparseOptions::default()).ok()
}
