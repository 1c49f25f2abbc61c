//! Units become files: comments above, the statements, what the session must be set to, blank lines as people leave them.

use super::Choices;
use super::arrange::arrange;
use super::group::Grouping;
use super::lead;
use super::provenance::{annotation, without};
use super::session;
use super::text::Texts;
use super::unit::Owner;
use crate::history::layout::Between;
use crate::history::{History, Statement, StatementId};
use crate::proof::EntryKind;
use crate::replay::Model;
use crate::replay::session::begins_after;
use crate::schema::{Context, ObjectId};
use crate::sql::names::quote;
use std::collections::BTreeSet;

/// A new set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSet {
    /// Its files, in order.
    pub files: Vec<NewFile>,
    /// What the migration tool says to its session before each file.
    pub before: Vec<String>,
}

/// A file of a new set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its statements, in order.
    pub statements: Vec<NewStatement>,
    /// What undoes it, where that is wanted and proven.
    pub down: Option<String>,
    /// Whether the proof showed that it can't run inside a transaction.
    pub bare: bool,
}

impl NewFile {
    /// Its name without the ending.
    pub fn stem(&self) -> &str {
        self.name.strip_suffix(".sql").unwrap_or(&self.name)
    }
}

/// A statement of a new set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatement {
    /// The line of its first word, from 1.
    pub line: usize,
    /// Its text without the semicolon.
    pub text: String,
    /// The data of a COPY.
    pub copy_data: Option<String>,
    /// Whose statement it is; none for one that speaks to the session.
    pub owner: Option<Owner>,
}

impl NewSet {
    /// The number of statements.
    pub fn statements(&self) -> usize {
        self.files.iter().map(|f| f.statements.len()).sum()
    }

    /// Whether another set has the same files, byte for byte.
    pub fn is_as(&self, other: &NewSet) -> bool {
        self.files.len() == other.files.len()
            && self.files.iter().zip(&other.files).all(|(a, b)| a.name == b.name && a.text == b.text)
    }

    /// The number of lines.
    pub fn lines(&self) -> usize {
        self.files.iter().map(|f| f.text.lines().count()).sum()
    }
}

/// Statements of the history as they were, in their order: all that `keep` says of the files from `first_file` on, each file
/// for itself or all in one.
pub fn as_happened(
    history: &History,
    model: &Model,
    first_file: usize,
    one: Option<&super::group::FileName>,
    choices: &Choices,
    keep: &dyn Fn(StatementId) -> bool,
) -> NewSet {
    let split = Default::default();
    let texts = Texts { history, schema: &model.schema, split: &split };
    let own = Grouping::by_birth(history);
    let may_be_bare = one.is_none() && super::lay_out::may_be_bare(history.layout);
    let mut parts: Vec<(super::group::FileName, Vec<StatementId>, bool)> = Vec::new();
    for number in first_file..history.files.len() {
        let kept: Vec<StatementId> = history.files[number].statements.clone().filter(|s| keep(*s)).collect();
        match (parts.first_mut(), one) {
            _ if kept.is_empty() => {}
            (Some((_, all, _)), Some(_)) => all.extend(kept),
            (_, name) => {
                let bare = !history.files[number].in_transaction && may_be_bare;
                parts.push((name.cloned().unwrap_or_else(|| own.name(number, number)), kept, bare));
            }
        }
    }
    let count = parts.len();
    let files = parts.into_iter().enumerate().map(|(i, (name, statements, bare))| {
        let mut writer = Writer::new(history, model, choices, &texts, &name.title);
        if i == 0 {
            writer.begins_at(history.files[first_file].statements.start);
        }
        for statement in statements {
            writer.step(Owner::Step(0, statement), statement);
        }
        let name = format!("{}.sql", name.stem);
        let (text, statements) = writer.finish(&name, i + 1 == count);
        NewFile { name, text, statements, down: None, bare }
    });
    NewSet { files: files.collect(), before: before_each(history) }
}

/// Renders the new set as the choices stand.
pub fn render(history: &History, model: &Model, grouping: &Grouping, choices: &Choices) -> NewSet {
    let arrangement = arrange(history, model, choices, grouping);
    let texts = Texts { history, schema: &model.schema, split: &arrangement.split };
    let mut files = Vec::new();
    let last = arrangement.files.iter().rposition(|owners| !owners.is_empty());
    for (number, owners) in arrangement.files.iter().enumerate() {
        if owners.is_empty() {
            continue;
        }
        let name = grouping.name(number, files.len());
        let mut writer = Writer::new(history, model, choices, &texts, &name.title);
        writer.annotate = grouping.annotate;
        if let Some(cut) = model.schema.cut.filter(|_| files.is_empty()) {
            writer.begins_at(cut);
        }
        let mut rest = owners.as_slice();
        while !rest.is_empty() {
            rest = &rest[writer.units(rest)..];
        }
        let name = format!("{}.sql", name.stem);
        let (text, statements) = writer.finish(&name, Some(number) == last);
        files.push(NewFile { name, text, statements, down: None, bare: false });
    }
    if has_crlf(history) {
        files.iter_mut().for_each(with_crlf);
    }
    NewSet { files, before: before_each(history) }
}

/// What the tool says before each file of a history, and of a set in its place.
pub(super) fn before_each(history: &History) -> Vec<String> {
    history.between.sql().iter().map(ToString::to_string).collect()
}

/// Whether all lines of the history end as on Windows.
fn has_crlf(history: &History) -> bool {
    let count = |what: &str| history.files.iter().map(|f| f.text.matches(what).count()).sum::<usize>();
    let all = count("\n");
    all > 0 && count("\r\n") == all
}

/// Ends of lines as in the rest of the project.
fn with_crlf(file: &mut NewFile) {
    let crlf = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
    file.text = crlf(&file.text);
    file.statements.iter_mut().for_each(|s| s.text = crlf(&s.text));
}

struct Writer<'a> {
    history: &'a History,
    model: &'a Model,
    choices: &'a Choices,
    texts: &'a Texts<'a>,
    out: String,
    statements: Vec<NewStatement>,
    context: Context,
    /// Whether the session begins as files before left it, or as a new one, should the tool run this one alone.
    is_unsure: bool,
    /// The ends of lines up to the byte `counted`.
    lines: usize,
    counted: usize,
    /// The statement of the history that was written last, and its kind.
    last: Option<(usize, crate::schema::Kind)>,
    /// Whether each object gets a comment that says where it comes from.
    annotate: bool,
}

impl<'a> Writer<'a> {
    fn new(history: &'a History, model: &'a Model, choices: &'a Choices, texts: &'a Texts<'a>, title: &str) -> Self {
        Writer {
            history,
            model,
            choices,
            texts,
            out: format!("-- {title}\n"),
            statements: Vec::new(),
            context: Context::default(),
            is_unsure: false,
            lines: 0,
            counted: 0,
            last: None,
            annotate: false,
        }
    }

    /// The file comes after others that stay, where this statement came.
    fn begins_at(&mut self, statement: StatementId) {
        self.context = (**self.model.contexts.get(statement).unwrap_or(&self.model.end)).clone();
        self.is_unsure = self.context != Context::default();
    }

    /// Writes the first of these units, or more of them, where they are commands of one statement; says how many.
    fn units(&mut self, owners: &[Owner]) -> usize {
        let count = self.commands(owners);
        if count < 2 {
            self.unit(owners[0]);
            return 1;
        }
        count
    }

    /// Units of a part that come from one ALTER TABLE.
    fn commands(&mut self, owners: &[Owner]) -> usize {
        let schema = &self.model.schema;
        let source_of = |owner: &Owner| match owner {
            Owner::Object(id) if schema.cut.is_some() && !self.choices.stated.contains_key(id) => {
                Some((schema.objects[*id].source, *id))
            }
            _ => None,
        };
        let Some((source, first)) = source_of(&owners[0]) else { return 0 };
        let statement = &self.history.statements[source];
        if !matches!(statement.node, pg_query::NodeEnum::AlterTableStmt(_)) {
            return 0;
        }
        let run: Vec<ObjectId> =
            owners.iter().map_while(source_of).take_while(|(s, _)| *s == source).map(|(_, id)| id).collect();
        let texts: Vec<String> = run.iter().flat_map(|id| self.texts.statements(*id)).collect();
        let Some(text) = super::commands::together(self.history.text(source), &texts) else { return 0 };
        self.switch(&schema.objects[first].context.clone());
        self.out.push('\n');
        for block in lead::above(self.history, statement) {
            self.out.push_str(&block);
        }
        let trail = self.trail(statement);
        let last = run.last().map_or(0, |id| schema.objects[*id].born_offset);
        let trail = super::commands::trail(self.history.text(source), trail, last).unwrap_or_else(|| trail.to_string());
        self.statement(&text, None, Some(owners[0]), &trail);
        self.last = Some((source, schema.objects[first].kind));
        run.len()
    }

    fn unit(&mut self, owner: Owner) {
        match owner {
            Owner::Object(id) => match self.choices.happened.get(&id) {
                Some(story) => self.step(owner, story[0]),
                None => self.object(id),
            },
            Owner::Step(_, statement) => self.step(owner, statement),
            Owner::Extra(number) => {
                use EntryKind as K;
                let kind = &self.choices.extras[number].kind;
                self.switch(&stated_context(matches!(kind, K::Function | K::Procedure | K::Aggregate)));
                self.last = None;
                self.out.push('\n');
                let text = self.choices.extras[number].text.clone();
                for statement in split_statements(&text) {
                    self.statement(&statement, None, Some(owner), "");
                }
            }
        }
    }

    /// A statement as it stands in the history, though it isn't all that is known of its object.
    fn step(&mut self, owner: Owner, statement: StatementId) {
        let source = &self.history.statements[statement];
        self.switch(&self.model.contexts[statement].clone());
        self.out.push('\n');
        for block in lead::above(self.history, source) {
            self.out.push_str(&block);
        }
        let trail = self.trail(source);
        let data = source.piece.copy_data.clone().map(|r| self.history.files[source.file].text[r].to_string());
        self.statement(self.history.text(statement), data, Some(owner), trail);
        self.last = None;
    }

    fn object(&mut self, id: ObjectId) {
        let object = &self.model.schema.objects[id];
        let source = &self.history.statements[object.source];
        let owner = Some(Owner::Object(id));
        if let Some(stated) = self.choices.stated.get(&id) {
            use crate::schema::Kind as K;
            let stated_context = stated_context(matches!(object.kind, K::Function | K::Procedure | K::Aggregate));
            self.switch(&Context { limits: object.context.limits.clone(), ..stated_context });
            self.out.push('\n');
            self.last = None;
            self.annotation(id);
            for statement in stated {
                self.statement(statement, None, owner, "");
            }
            return;
        }
        self.switch(&object.context.clone());
        let first_of_source = self.last.is_none_or(|(last, _)| last != object.source);
        let implied = self.is_implied(id);
        let blocks = if first_of_source && !implied { lead::above(self.history, source) } else { Vec::new() };
        if !blocks.is_empty() || !self.is_tight(id, source) {
            self.out.push('\n');
        }
        for block in &blocks {
            self.out.push_str(block);
        }
        self.annotation(id);
        let trail = if implied { "" } else { self.trail(source) };
        let trail = match self.model.schema.cut {
            Some(_) if object.born == object.source => {
                super::commands::trail(self.history.text(object.source), trail, object.born_offset)
            }
            _ => None,
        }
        .unwrap_or_else(|| trail.to_string());
        for text in self.choices.before.get(&id).cloned().unwrap_or_default() {
            self.statement(&text, None, owner, "");
        }
        let copy_data = self.copy_data(id, source);
        for text in self.texts.statements(id) {
            self.statement(&text, copy_data.clone(), owner, &trail);
        }
        self.last = Some((object.source, object.kind));
    }

    fn annotation(&mut self, id: ObjectId) {
        if let Some(comment) = annotation(self.history, self.model, id, self.annotate) {
            self.out.push_str(&comment);
        }
    }

    /// Whether the unit has no statement of its own in the history: a key taken out of its table, grants by default.
    fn is_implied(&self, id: ObjectId) -> bool {
        let object = &self.model.schema.objects[id];
        match &object.body {
            crate::schema::Body::Grant(grant) => grant.text.is_empty(),
            crate::schema::Body::Constraint(c) => c.place != crate::objects::Place::Late,
            _ => false,
        }
    }

    fn copy_data(&self, id: ObjectId, source: &Statement) -> Option<String> {
        let is_rows = self.model.schema.objects[id].kind == crate::schema::Kind::Rows;
        let range = source.piece.copy_data.clone().filter(|_| is_rows)?;
        Some(self.history.files[source.file].text[range].to_string())
    }

    fn trail(&self, source: &Statement) -> &'a str {
        &self.history.files[source.file].text[source.piece.trail.clone()]
    }

    /// Statements that stood line under line stay so, as long as the one above is still there or of the same kind.
    fn is_tight(&self, id: ObjectId, source: &Statement) -> bool {
        let lead = without(&self.history.files[source.file].text[source.piece.lead.clone()]);
        let object = &self.model.schema.objects[id];
        let follows = self
            .last
            .is_some_and(|(last, kind)| last + 1 == object.source || last == object.source || kind == object.kind);
        follows && lead.matches('\n').count() < 2
    }

    /// Sets the session as the next statement's text wants it.
    fn switch(&mut self, wanted: &Context) {
        if *wanted == self.context && !self.is_unsure {
            return;
        }
        // What isn't sure is said, whatever it is.
        let begun = if std::mem::take(&mut self.is_unsure) { self.context.clone() } else { Context::default() };
        let mut settings = Vec::new();
        if wanted.search_path != self.context.search_path || begun.search_path.is_some() {
            settings.push(match &wanted.search_path {
                Some(path) if path.is_empty() => "SET search_path = ''".to_string(),
                Some(path) => {
                    format!("SET search_path = {}", path.iter().map(|s| quote(s)).collect::<Vec<_>>().join(", "))
                }
                None => "RESET search_path".to_string(),
            });
        }
        if wanted.role != self.context.role || begun.role.is_some() {
            settings.push(match &wanted.role {
                Some(role) => format!("SET ROLE {}", quote(role)),
                None => "RESET ROLE".to_string(),
            });
        }
        if wanted.unchecked_bodies != self.context.unchecked_bodies || begun.unchecked_bodies {
            let value = if wanted.unchecked_bodies { "off" } else { "on" };
            settings.push(format!("SET check_function_bodies = {value}"));
        }
        let names = wanted.limits.keys().chain(self.context.limits.keys()).collect::<BTreeSet<_>>();
        for name in names {
            let (before, value) = (self.context.limits.get(name), wanted.limits.get(name));
            if before != value || begun.limits.contains_key(name) {
                settings.push(value.map_or_else(|| session::given_back(name), |value| session::limit(name, value)));
            }
        }
        self.say(&settings);
        self.context = wanted.clone();
        self.last = None;
    }

    /// Statements that speak to the session.
    fn say(&mut self, settings: &[String]) {
        if !settings.is_empty() {
            self.out.push('\n');
        }
        for text in settings {
            self.statement(text, None, None, "");
        }
    }

    fn statement(&mut self, text: &str, copy_data: Option<String>, owner: Option<Owner>, trail: &str) {
        self.lines += self.out[self.counted..].matches('\n').count();
        self.counted = self.out.len();
        let line = self.lines + 1;
        self.out.push_str(text);
        // A comment at the very end would swallow the semicolon.
        if ends_in_comment(text) {
            self.out.push('\n');
        }
        self.out.push(';');
        self.out.push_str(trail);
        self.out.push('\n');
        if let Some(data) = &copy_data {
            self.out.push_str(data);
            self.out.push_str("\\.\n");
        }
        self.statements.push(NewStatement { line, text: text.to_string(), copy_data, owner });
    }

    /// The session is left as it was found, since the next file may run in it, and the tool itself speaks there; or as the
    /// history leaves it in the end.
    fn finish(mut self, name: &str, is_last: bool) -> (String, Vec<NewStatement>) {
        let wanted = if is_last { self.at_end() } else { Context::default() };
        self.switch(&wanted);
        let back = self.choices.given_back.get(name).into_iter().flatten();
        let back: Vec<String> = back.map(|setting| session::given_back(setting)).collect();
        self.say(&back);
        if is_last {
            let set: Vec<String> = self.choices.at_end.values().cloned().collect();
            self.say(&set);
        }
        (self.out, self.statements)
    }

    /// What the set must leave of what gives statements their meaning. What the proof showed is said apart.
    fn at_end(&self) -> Context {
        let (history, end) = (self.history, &*self.model.end);
        // A tool that gives it back does so whatever the last file leaves.
        if *end == self.context && history.between != Between::NewSession {
            return end.clone();
        }
        let mut wanted = begins_after(history.between, end);
        let is_said = |setting: &str| self.choices.at_end.contains_key(setting);
        if is_said("search_path") {
            wanted.search_path = self.context.search_path.clone();
        }
        if is_said("role") || is_said("session_authorization") {
            wanted.role = self.context.role.clone();
        }
        if is_said("check_function_bodies") {
            wanted.unchecked_bodies = self.context.unchecked_bodies;
        }
        let said = self.context.limits.iter().filter(|(name, _)| is_said(name));
        wanted.limits.retain(|name, _| !is_said(name));
        wanted.limits.extend(said.map(|(name, value)| (name.clone(), value.clone())));
        wanted
    }
}

/// What PostgreSQL states is fully qualified; a function's body may speak of what comes later, as in a dump.
fn stated_context(is_routine: bool) -> Context {
    Context { unchecked_bodies: is_routine, ..Context::default() }
}

fn ends_in_comment(text: &str) -> bool {
    text.lines().last().is_some_and(|l| l.contains("--"))
        && crate::sql::lex::lex(text).last().is_some_and(|t| t.kind == crate::sql::lex::TokenKind::Comment)
}

fn split_statements(text: &str) -> Vec<String> {
    crate::sql::split::split(text).into_iter().map(|p| text[p.body].to_string()).collect()
}
