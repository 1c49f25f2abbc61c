//! Indices over the objects, so that no statement has to look at all of them: what needs what, what belongs to what, what lives
//! by kind, by whom it inherits from, by whose rows it writes, and which names of constraints are taken.
//!
//! Each list holds numbers in the order in which they came. What doesn't count any more stays in it until that is half of the
//! list, so that an end costs no search.

use super::numbers::{Numbers, Stem};
use super::{Body, Kind, Namespace, Need, ObjectId, Schema, Strength};
use crate::sql::lex::words;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A list of which some entries don't count any more.
#[derive(Debug, Clone)]
struct Roll<T> {
    entries: Vec<T>,
    gone: usize,
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Roll { entries: Vec::new(), gone: 0 }
    }
}

impl<T> Roll<T> {
    /// One entry doesn't count any more; `counts` says of each whether it still does.
    fn went(&mut self, counts: impl Fn(&T) -> bool) {
        self.gone += 1;
        if self.gone > 16 && 2 * self.gone > self.entries.len() {
            self.entries.retain(counts);
            self.gone = 0;
        }
    }
}

/// A need, as the one that is needed sees it: by whom, and as of which of the times that its needs were written.
type Link = (ObjectId, u32);

/// The indices of a schema.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// How often the needs of each object were written anew.
    times: Vec<u32>,
    needed_by: HashMap<ObjectId, Roll<Link>>,
    children: HashMap<ObjectId, Roll<Link>>,
    kinds: HashMap<Kind, Roll<ObjectId>>,
    heirs: HashMap<ObjectId, Roll<ObjectId>>,
    writers: HashMap<ObjectId, Roll<ObjectId>>,
    temporary: BTreeSet<ObjectId>,
    constraints: HashMap<String, HashMap<String, usize>>,
    /// The live objects of each name.
    named: HashMap<String, BTreeSet<ObjectId>>,
    numbers: Numbers,
    /// Columns and constraints that stand in the list of a table.
    listed: HashSet<ObjectId>,
    /// The needs of objects that have many.
    many: HashMap<ObjectId, HashSet<Need>>,
    /// Opaque statements that may make something, by the words in them.
    makers: HashMap<String, Vec<ObjectId>>,
    /// All that opaque statements say or once said, in small letters.
    said: String,
    /// Whether each of them still says it.
    is_exact: bool,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            times: Vec::new(),
            needed_by: HashMap::new(),
            children: HashMap::new(),
            kinds: HashMap::new(),
            heirs: HashMap::new(),
            writers: HashMap::new(),
            temporary: BTreeSet::new(),
            constraints: HashMap::new(),
            named: HashMap::new(),
            numbers: Numbers::default(),
            listed: HashSet::new(),
            many: HashMap::new(),
            makers: HashMap::new(),
            said: String::new(),
            is_exact: true,
        }
    }
}

impl Schema {
    /// Notes a new object.
    pub(super) fn index(&mut self, id: ObjectId) {
        let object = &self.objects[id];
        self.index.times.push(0);
        for need in &object.needs {
            self.index.needed_by.entry(need.on).or_default().entries.push((id, 0));
            if object.parent == Some(need.on) {
                self.index.children.entry(need.on).or_default().entries.push((id, 0));
            }
        }
        self.index.kinds.entry(object.kind).or_default().entries.push(id);
        if let Body::Rows { targets, .. } = &object.body {
            for target in targets {
                self.index.writers.entry(*target).or_default().entries.push(id);
            }
        }
        self.index_words(id);
    }

    /// Notes a need.
    pub(super) fn index_need(&mut self, id: ObjectId, on: ObjectId) {
        let link = (id, self.index.times[id]);
        self.index.needed_by.entry(on).or_default().entries.push(link);
        if self.objects[id].parent == Some(on) {
            self.index.children.entry(on).or_default().entries.push(link);
        }
    }

    /// Whether an object doesn't have just this need yet; then it is expected to get it.
    pub(super) fn is_new_need(&mut self, id: ObjectId, need: Need) -> bool {
        const MANY: usize = 32;
        let needs = &self.objects[id].needs;
        if needs.len() < MANY {
            return !needs.contains(&need);
        }
        self.index.many.entry(id).or_insert_with(|| needs.iter().copied().collect()).insert(need)
    }

    /// The needs of an object that dies, or gets others, don't count any more.
    pub(super) fn forget_needs(&mut self, id: ObjectId) {
        self.index.many.remove(&id);
        self.index.times[id] += 1;
        let Index { times, needed_by, children, .. } = &mut self.index;
        let counts = |(id, time): &Link| times[*id] == *time;
        for need in &self.objects[id].needs {
            for lists in [&mut *needed_by, &mut *children] {
                if let Some(list) = lists.get_mut(&need.on) {
                    list.went(counts);
                }
            }
        }
    }

    /// The object died.
    pub(super) fn forget(&mut self, id: ObjectId) {
        self.forget_needs(id);
        let objects = &self.objects;
        let lives = |id: &ObjectId| objects[*id].died.is_none();
        if let Some(list) = self.index.kinds.get_mut(&objects[id].kind) {
            list.went(lives);
        }
        for parent in &objects[id].inherits {
            if let Some(list) = self.index.heirs.get_mut(parent) {
                list.went(lives);
            }
        }
        if let Body::Rows { targets, .. } = &objects[id].body {
            for target in targets {
                if let Some(list) = self.index.writers.get_mut(target) {
                    list.went(lives);
                }
            }
        }
    }

    /// Notes the name of an object.
    pub(super) fn index_name(&mut self, id: ObjectId) {
        let object = &self.objects[id];
        if object.died.is_some() {
            return;
        }
        self.index.named.entry(object.name.clone()).or_default().insert(id);
        if object.schema == "pg_temp" {
            self.index.temporary.insert(id);
        }
        if object.kind == Kind::Constraint {
            let names = self.index.constraints.entry(object.schema.clone()).or_default();
            *names.entry(object.name.clone()).or_default() += 1;
        }
    }

    /// The object dies, or gets another name.
    pub(super) fn forget_name(&mut self, id: ObjectId) {
        let object = &self.objects[id];
        if object.died.is_some() {
            return;
        }
        self.index.temporary.remove(&id);
        if let Some(named) = self.index.named.get_mut(&object.name) {
            named.remove(&id);
        }
        if object.kind == Kind::Constraint || object.kind.namespace() == Namespace::Relation {
            self.index.numbers.freed(&object.schema, &object.name);
        }
        if object.kind == Kind::Constraint
            && let Some(names) = self.index.constraints.get_mut(&object.schema)
            && let Some(count) = names.get_mut(&object.name)
        {
            *count = count.saturating_sub(1);
        }
    }

    /// The text of an object was changed.
    pub(crate) fn text_changed(&mut self, id: ObjectId) {
        if self.objects[id].kind == Kind::Opaque {
            self.index.is_exact = false;
            self.index_words(id);
        }
    }

    /// Notes the words of a statement that can't be understood.
    fn index_words(&mut self, id: ObjectId) {
        let object = &self.objects[id];
        let Body::Text(text) = &object.body else { return };
        if object.kind != Kind::Opaque {
            return;
        }
        self.index.said.push_str(&text.to_lowercase());
        self.index.said.push('\0');
        let said = words(text);
        if ["create", "select", "call", "do"].iter().any(|word| said.contains(*word)) {
            for word in said {
                let makers = self.index.makers.entry(word).or_default();
                if let Err(at) = makers.binary_search(&id) {
                    makers.insert(at, id);
                }
            }
        }
    }

    /// Opaque statements that may make something and in which this word, in small letters, stands or stood: the first come first.
    pub fn makers(&self, word: &str) -> impl Iterator<Item = ObjectId> + '_ {
        self.index.makers.get(word).into_iter().flatten().copied().filter(|id| self.lives(*id))
    }

    /// Whether an opaque statement has this in it, be it within a word; in small letters.
    pub fn is_said(&self, part: &str) -> bool {
        let says = |id: ObjectId| match &self.objects[id].body {
            Body::Text(text) => self.objects[id].kind == Kind::Opaque && text.to_lowercase().contains(part),
            _ => false,
        };
        self.index.said.contains(part) && (self.index.is_exact || (0..self.objects.len()).any(says))
    }

    /// The live objects of a kind, in the order in which they were made.
    pub fn of_kind(&self, kind: Kind) -> impl DoubleEndedIterator<Item = ObjectId> + '_ {
        self.index.kinds.get(&kind).into_iter().flat_map(|list| &list.entries).copied().filter(|id| self.lives(*id))
    }

    /// The live objects that go with their session.
    pub fn temporary(&self) -> Vec<ObjectId> {
        self.index.temporary.iter().copied().filter(|id| self.lives(*id)).collect()
    }

    /// Whether a live constraint of a schema has this name.
    pub fn has_constraint(&self, schema: &str, name: &str) -> bool {
        self.index.constraints.get(schema).and_then(|names| names.get(name)).is_some_and(|count| *count > 0)
    }

    /// The live objects of a name, whatever their kinds.
    pub fn named(&self, name: &str) -> impl Iterator<Item = ObjectId> + '_ {
        self.index.named.get(name).into_iter().flatten().copied()
    }

    /// The first name of a row that neither a relation nor, if it is for one, a constraint of the schema has.
    pub fn first_free(&mut self, stem: &Stem, of_constraint: bool, name: impl Fn(usize) -> String) -> String {
        let mut numbers = std::mem::take(&mut self.index.numbers);
        let is_taken = |name: &str| {
            self.in_namespace(Namespace::Relation, &stem.0, name).is_some()
                || (of_constraint && self.has_constraint(&stem.0, name))
        };
        let found = numbers.first_free(stem, name, is_taken);
        self.index.numbers = numbers;
        found
    }

    /// Notes that a column or a constraint stands in the list of its table.
    pub fn list(&mut self, id: ObjectId) {
        self.index.listed.insert(id);
    }

    /// Whether it does.
    pub fn is_listed(&self, id: ObjectId) -> bool {
        self.index.listed.contains(&id)
    }

    /// Gives a table parents by inheritance or partition.
    pub fn inherit(&mut self, id: ObjectId, parents: impl IntoIterator<Item = ObjectId>) {
        for parent in parents {
            self.objects[id].inherits.push(parent);
            self.index.heirs.entry(parent).or_default().entries.push(id);
        }
    }

    /// The live tables that inherit from a table, or are its partitions, in the order in which they were made.
    pub fn heirs(&self, table: ObjectId) -> Vec<ObjectId> {
        let Some(list) = self.index.heirs.get(&table) else { return Vec::new() };
        let inherits = |id: &ObjectId| self.lives(*id) && self.objects[*id].inherits.contains(&table);
        let mut heirs: Vec<ObjectId> = list.entries.iter().copied().filter(inherits).collect();
        heirs.sort_unstable();
        heirs.dedup();
        heirs
    }

    /// The live statements that bring rows to a table or change them there, in the order in which they came.
    pub fn writers(&self, table: ObjectId) -> impl Iterator<Item = ObjectId> + '_ {
        let list = self.index.writers.get(&table).into_iter().flat_map(|list| &list.entries).copied();
        list.filter(move |id| {
            let writes = matches!(&self.objects[*id].body, Body::Rows { targets, .. } if targets.contains(&table));
            writes && self.lives(*id)
        })
    }

    /// A statement that brings rows brings them to this table, too.
    pub fn add_target(&mut self, rows: ObjectId, table: ObjectId) {
        if let Body::Rows { targets, .. } = &mut self.objects[rows].body {
            targets.push(table);
            self.index.writers.entry(table).or_default().entries.push(rows);
        }
    }

    /// The live objects that need this one, and how strongly.
    pub fn dependents(&self, id: ObjectId) -> Vec<(ObjectId, Strength)> {
        let strength = |o: ObjectId| self.objects[o].needs.iter().find(|n| n.on == id).map(|n| (o, n.strength));
        self.linked(&self.index.needed_by, id).filter_map(strength).collect()
    }

    /// The live objects that belong to this one.
    pub fn children(&self, id: ObjectId) -> Vec<ObjectId> {
        self.linked(&self.index.children, id).collect()
    }

    fn linked<'a>(
        &'a self,
        lists: &'a HashMap<ObjectId, Roll<Link>>,
        id: ObjectId,
    ) -> impl Iterator<Item = ObjectId> + 'a {
        let entries = lists.get(&id).into_iter().flat_map(|list| &list.entries);
        entries.filter(|(o, time)| self.index.times[*o] == *time && self.lives(*o)).map(|(o, _)| *o)
    }
}
