//! Replays a history in memory: parsed statements become the schema and its ledger. No database is needed.
//!
//! CREATE is per kind (`objects/`); DROP, RENAME, COMMENT, GRANT, OWNER and SET SCHEMA are generic, as in PostgreSQL's own
//! grammar. A statement that can't be understood becomes an opaque object and is kept.

mod changes;
mod dispatch;
pub(crate) mod generic;
mod given;
mod lookup;
mod rename;
pub(crate) mod session;

use crate::history::{History, StatementId};
use crate::ledger::{Event, Ledger, Mark, What};
use crate::objects::{DefaultGrant, Property};
use crate::schema::{Body, Context, Kind, Need, Object, ObjectId, Schema, Strength};
use crate::sql::parse::NodeEnum;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

pub(crate) use generic::is_cascade;

/// What a replay in memory leaves.
#[derive(Debug)]
pub struct Model {
    /// Every object that ever was.
    pub schema: Schema,
    /// What happened to it.
    pub ledger: Ledger,
    /// The session in which each statement ran.
    pub contexts: Vec<Arc<Context>>,
    /// The session as the last file leaves it.
    pub end: Arc<Context>,
    /// Schemas, and who has privileges from the start on what is made in them, since the prelude says so.
    pub given_grantees: Vec<(Vec<String>, Vec<String>)>,
    /// Statements of a part that spare tables in use a long lock, though nothing of them is left in the end.
    pub relied_on: HashSet<StatementId>,
    /// What happened by object, and what stands inside of what: made when it is first asked for.
    by_object: OnceLock<HashMap<ObjectId, Vec<usize>>>,
    inside: OnceLock<HashMap<ObjectId, Vec<ObjectId>>>,
}

impl Model {
    /// What happened to an object, in the order of the history.
    pub fn events_of(&self, id: ObjectId) -> impl Iterator<Item = &Event> {
        let by_object = self.by_object.get_or_init(|| {
            let mut by_object: HashMap<ObjectId, Vec<usize>> = HashMap::new();
            for (number, event) in self.ledger.events.iter().enumerate() {
                by_object.entry(event.object).or_default().push(number);
            }
            by_object
        });
        by_object.get(&id).into_iter().flatten().map(|number| &self.ledger.events[*number])
    }

    /// The objects that have no statement of their own and stand, or stood as long as they lived, in that of this one.
    pub fn inside(&self, unit: ObjectId) -> &[ObjectId] {
        let inside = self.inside.get_or_init(|| {
            let mut inside: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
            for id in (0..self.schema.objects.len()).filter(|id| !self.schema.is_unit(*id)) {
                inside.entry(self.schema.unit_of(id)).or_default().push(id);
            }
            inside
        });
        inside.get(&unit).map_or(&[], Vec::as_slice)
    }
}

/// A replay under way. The rooms `objects/` and `replay/` add their statements to it.
pub struct Replay<'h> {
    pub(crate) history: &'h History,
    pub(crate) schema: Schema,
    pub(crate) ledger: Ledger,
    pub(crate) context: Arc<Context>,
    /// What the session's context was before SET LOCAL.
    pub(crate) context_before_local: Option<Arc<Context>>,
    /// Whom SET SESSION AUTHORIZATION made the session's owner.
    pub(crate) authorized: Option<String>,
    /// Whether the statement under way is in a transaction: else nothing can be set for one.
    pub(crate) in_transaction: bool,
    /// The statement under way.
    pub(crate) current: StatementId,
    /// Its text; inside a DO block, the text of the inner statement.
    pub(crate) text: Cow<'h, str>,
    /// The part of the statement under way: a column, a command, the statement inside a DO block; in bytes.
    pub(crate) offset: usize,
    /// Whether the text is a part of a larger statement.
    pub(crate) is_inner: bool,
    /// Whether something ran whose effects can't be told: any table may have rows, any name may be taken.
    pub(crate) opaque_writes: bool,
    /// Tables that a query filled when it made them.
    pub(crate) filled: HashSet<ObjectId>,
    /// The state at each BEGIN and SAVEPOINT that a ROLLBACK may come back to.
    pub(crate) savepoints: Vec<Savepoint>,
    /// What ALTER DEFAULT PRIVILEGES set so far.
    pub(crate) defaults: Vec<DefaultGrant>,
    /// How many objects were there before the history.
    given: usize,
    /// Statements that drop what the model doesn't know, kept, by the names that they name.
    pub(crate) unknown_drops: HashMap<String, Vec<ObjectId>>,
    /// See [`Model::relied_on`].
    pub(crate) relied_on: HashSet<StatementId>,
}

/// Replays a history in memory.
pub fn replay(history: &History) -> Model {
    replay_from(history, None)
}

/// Replays a history of which only the part from a statement on is consolidated: what was made before is given, and what
/// changes it is kept as a change.
pub fn replay_from(history: &History, cut: Option<StatementId>) -> Model {
    replay_around(history, cut, &HashSet::new())
}

/// The same, with statements that stay as they are, whatever they say: their effects are taken for unknown.
pub fn replay_around(history: &History, cut: Option<StatementId>, fixed: &HashSet<StatementId>) -> Model {
    let mut replay = Replay {
        history,
        schema: Schema::default(),
        ledger: Ledger::default(),
        context: Arc::default(),
        context_before_local: None,
        authorized: None,
        in_transaction: false,
        current: 0,
        text: Cow::Borrowed(""),
        offset: 0,
        is_inner: false,
        opaque_writes: false,
        filled: HashSet::new(),
        savepoints: Vec::new(),
        defaults: Vec::new(),
        given: 0,
        unknown_drops: HashMap::new(),
        relied_on: HashSet::new(),
    };
    replay.add_what_is_there();
    let mut contexts = Vec::with_capacity(history.statements.len());
    for (index, file) in history.files.iter().enumerate() {
        debug_assert!(file.statements.clone().all(|id| history.statements[id].file == index));
        replay.between_files(history.between);
        replay.begin_file(file);
        for id in file.statements.clone() {
            if file.parts.iter().any(|(first, _)| *first > 0 && file.statements.start + first == id) {
                replay.end_of_transaction();
            }
            replay.current = id;
            replay.text = Cow::Borrowed(history.text(id));
            replay.offset = 0;
            contexts.push(replay.context.clone());
            if Some(id) == cut {
                replay.schema.cut = cut;
            }
            if fixed.contains(&id) {
                replay.keep_effects("it stays as it is");
                continue;
            }
            let before = replay.ledger.events.len();
            replay.apply(&history.statements[id].node);
            if replay.schema.cut.is_some() {
                replay.keep_changes(&history.statements[id].node, before);
            }
        }
        replay.end_of_transaction();
    }
    replay.drop_temporary();
    let given_grantees = replay.given_grantees();
    let Replay { schema, ledger, relied_on, context: end, .. } = replay;
    let (by_object, inside) = Default::default();
    Model { schema, ledger, contexts, end, given_grantees, relied_on, by_object, inside }
}

impl Replay<'_> {
    /// Notes what the statement under way did to an object.
    pub(crate) fn event(&mut self, object: ObjectId, what: What) {
        self.ledger.events.push(Event { statement: self.current, offset: self.offset, object, what });
    }

    /// Notes what the statement under way is.
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.ledger.marks.push((self.current, mark));
    }

    /// Adds an object that the statement under way makes.
    pub(crate) fn create(&mut self, new: New) -> ObjectId {
        let mut needs = new.needs;
        if let Some(parent) = new.parent {
            needs.retain(|n| n.on != parent);
            needs.push(Need { on: parent, strength: Strength::Auto });
        }
        // What would be dropped if it were there isn't there yet.
        let drops = self.unknown_drops.get(&new.name).into_iter().flatten();
        needs.extend(drops.map(|on| Need { on: *on, strength: Strength::Normal }));
        if let Some(schema) = self.schema.global(Kind::Schema, &new.schema) {
            needs.push(Need { on: schema, strength: Strength::Normal });
        }
        let id = self.schema.add(Object {
            kind: new.kind,
            schema: new.schema,
            name: new.name,
            property: new.property,
            arguments: new.arguments,
            parent: new.parent,
            born: self.current,
            born_offset: self.offset,
            source: self.current,
            died: None,
            body: new.body,
            edited: self.is_inner,
            context: self.context.clone(),
            needs,
            inherits: Vec::new(),
        });
        self.event(id, What::Born);
        id
    }

    /// Keeps the statement under way as written, since it can't be understood.
    pub(crate) fn keep_opaque(&mut self, why: &str) {
        let text = self.text.to_string();
        let needs = self.needs_of_words(&text);
        let name = first_words(&text, 6);
        self.mark(Mark::Opaque(why.to_string()));
        self.create(New { needs, ..New::global(Kind::Opaque, name, Body::Text(text)) });
    }

    /// Keeps the statement under way as written, since it speaks of something that the model doesn't know: nobody made it
    /// here, or a statement did that isn't understood. `what` ends in "that" or "what".
    pub(crate) fn keep_unmade(&mut self, what: &str, name: &str) {
        let why = self.unmade(what, name);
        self.keep_opaque(&why);
    }

    /// See [`Replay::keep_unmade`].
    pub(crate) fn unmade(&self, what: &str, name: &str) -> String {
        let name = name.to_lowercase();
        let makes = |text: &str| {
            let words = crate::sql::lex::words(text);
            words.contains(&name) && ["create", "select", "call", "do"].iter().any(|w| words.contains(*w))
        };
        let is_it = |id: &ObjectId| matches!(&self.schema.objects[*id].body, Body::Text(text) if makes(text));
        match self.schema.makers(&name).find(is_it) {
            Some(id) => format!("{what} {} may have made", self.history.at(self.schema.objects[id].source)),
            None => format!("{what} this history didn't make"),
        }
    }

    /// Whether an opaque statement speaks of this name, and so may have made what bears it.
    pub(crate) fn opaque_mentions(&self, name: &str) -> bool {
        self.opaque_writes && self.schema.is_said(&name.to_lowercase())
    }

    /// Opaque statements that may have made a column which the model doesn't know.
    pub(crate) fn needs_of_unknown_columns(&self, table: ObjectId, columns: &[String]) -> Vec<Need> {
        let known = |c: &String| c.is_empty() || self.schema.column(table, c).is_some();
        if !self.opaque_writes || columns.iter().all(known) {
            return Vec::new();
        }
        let opaque = self.schema.of_kind(Kind::Opaque);
        opaque.map(|on| Need { on, strength: Strength::Order }).collect()
    }

    /// Runs the statements of `text` as if they stood in the place of the statement under way.
    pub(crate) fn apply_inner(&mut self, text: &str) {
        for piece in crate::sql::split::split(text) {
            let body = crate::sql::edit::dedent(&text[piece.body.clone()]);
            if let Ok(Some(node)) = crate::sql::parse::parse(&body) {
                let was = (self.text.clone(), self.is_inner, self.offset);
                self.offset = self.history.text(self.current).find(text[piece.body].trim()).unwrap_or(0);
                (self.text, self.is_inner) = (Cow::Owned(body), true);
                self.apply(&node);
                (self.text, self.is_inner, self.offset) = was;
            }
        }
    }

    /// A statement whose effects can't be told: kept, and from here on nothing is certain to be empty or absent.
    pub(crate) fn keep_effects(&mut self, why: &str) {
        let drops = crate::objects::drops(&self.text);
        match drops.is_empty() {
            true => self.keep_opaque(why),
            false => self.keep_opaque(&format!("{why}; it may drop {}", drops.join(", "))),
        }
        self.opaque_writes = true;
    }

    /// Writes an object anew from the statement under way; its older text is superseded.
    pub(crate) fn supersede(&mut self, id: ObjectId, text: String, needs: Vec<Need>) {
        let old = self.schema.objects[id].source;
        self.event(id, What::Superseded(old));
        let keep =
            |n: &Need| Some(n.on) == self.schema.objects[id].parent || self.schema.objects[n.on].kind == Kind::Schema;
        let kept: Vec<Need> = self.schema.objects[id].needs.iter().copied().filter(keep).collect();
        self.schema.clear_needs(id);
        self.schema.add_needs(id, kept.into_iter().chain(needs));
        let edited = self.is_inner || text != self.text;
        let object = &mut self.schema.objects[id];
        (object.body, object.source, object.edited) = (Body::Text(text), self.current, edited);
        let unchecked = object.context.unchecked_bodies && !self.context.unchecked_bodies;
        object.context = self.context.clone();
        if unchecked {
            // It keeps its place, where what its body speaks of may not be there yet.
            Arc::make_mut(&mut object.context).unchecked_bodies = true;
        }
    }

    /// The tree of a statement, once more, after its text was edited.
    pub(crate) fn reparse(text: &str) -> Option<NodeEnum> {
        crate::sql::parse::parse(text).ok().flatten()
    }
}

/// The state of a replay at BEGIN or SAVEPOINT.
pub(crate) struct Savepoint {
    pub name: String,
    pub statement: StatementId,
    pub schema: Schema,
    /// Its context, what that was before SET LOCAL, and whose it is.
    pub session: (Arc<Context>, Option<Arc<Context>>, Option<String>),
    pub events: usize,
    pub marks: usize,
}

/// An object about to be made.
pub(crate) struct New {
    pub kind: Kind,
    pub schema: String,
    pub name: String,
    pub property: Option<Property>,
    pub arguments: Option<String>,
    pub parent: Option<ObjectId>,
    pub body: Body,
    pub needs: Vec<Need>,
}

impl New {
    /// An object in a schema.
    pub fn in_schema(kind: Kind, place: (String, String), body: Body) -> New {
        let (schema, name) = place;
        New { kind, schema, name, property: None, arguments: None, parent: None, body, needs: Vec::new() }
    }

    /// An object of the database.
    pub fn global(kind: Kind, name: String, body: Body) -> New {
        New::in_schema(kind, (String::new(), name), body)
    }

    /// An object that belongs to another.
    pub fn of(parent: ObjectId, kind: Kind, place: (String, String), body: Body) -> New {
        New { parent: Some(parent), ..New::in_schema(kind, place, body) }
    }
}

/// The first words of a statement, for a name that people recognise.
pub(crate) fn first_words(text: &str, count: usize) -> String {
    let all: Vec<&str> = text.split_whitespace().take(count + 1).collect();
    let name = all[..all.len().min(count)].join(" ");
    let cut: String = name.chars().take(60).collect();
    if all.len() > count || cut.len() < name.len() { format!("{cut}…") } else { cut }
}
