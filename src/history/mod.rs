//! A folder of migrations, read in the order in which the migration tool runs them, every statement with its place.

pub(crate) mod contents;
pub mod cut;
pub(crate) mod engine;
pub(crate) mod git;
pub mod layout;
pub(crate) mod marks;
mod reading;
pub(crate) mod search;

use crate::engine::Engine;
use crate::error::{At, Error};
use crate::sql::parse::{NodeEnum, parse};
use crate::sql::split::{Piece, endless_comment, split};
use contents::Contents;
use layout::{Between, Entry, Layout, Mask, Wrap};
pub use reading::{Code, Reading};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The file in the folder of a written set that says what was written.
pub const MANIFEST: &str = ".consolidate";
/// How its line about the layout begins.
pub const LAYOUT_LINE: &str = "# layout ";

/// A statement's number in its history, from 0.
pub type StatementId = usize;

/// A history of migrations.
#[derive(Debug, Clone)]
pub struct History {
    /// The folder that it was read from.
    pub folder: PathBuf,
    /// The layout by which it was read.
    pub layout: &'static dyn Layout,
    /// What the tool does to its connection before each file.
    pub between: Between,
    /// What runs before it and is none of it, as SQL: the preludes.
    pub prelude: Vec<String>,
    /// The files in the order in which they run.
    pub files: Vec<File>,
    /// All statements in the order in which they run.
    pub statements: Vec<Statement>,
    /// Files of one version: each group is a warning.
    pub shared_versions: Vec<Vec<usize>>,
    /// Files that belong to the layout but don't run forward (`.down.sql`).
    pub set_aside: Vec<String>,
    /// Files with a part that doesn't run forward.
    pub down_sections: Vec<String>,
    /// Files that were left out since they only undo others, as was asked for.
    pub left_out: Vec<String>,
    /// Files of other engines than the one that was asked for.
    pub of_others: Vec<String>,
    /// Whether nobody said the layout: then what looks like a part that undoes is asked about.
    pub is_found: bool,
    /// Where each statement comes from, if these files are a set that was made of others.
    pub origins: Vec<Vec<String>>,
    /// What the layout has to say: steps that aren't SQL, files that don't run.
    pub warnings: Vec<(At, String)>,
}

/// One file of a history.
#[derive(Debug, Clone)]
pub struct File {
    /// Its name, relative to the folder.
    pub name: String,
    /// The version that its name starts with, if the layout has versions.
    pub version: Option<String>,
    /// The words after the version, without the ending.
    pub description: String,
    /// The name, without the ending, that it would have in a flat folder: version and description.
    pub stem: String,
    /// The whole text, with blanks for what isn't run: marks for the tool, down parts. Every byte stands where it stood.
    pub text: String,
    /// Whether the tool wraps the file in a transaction.
    pub in_transaction: bool,
    /// The parts that the tool runs each for itself, as numbers of its own statements and whether in a transaction; none for
    /// a file that it runs whole.
    pub parts: Vec<(usize, bool)>,
    /// Its statements, as numbers of the history.
    pub statements: Range<StatementId>,
    line_starts: Vec<usize>,
}

/// One statement of a history.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The file, as an index into the history's files.
    pub file: usize,
    /// The line of its first word, from 1.
    pub line: usize,
    /// Where it, its comments and its COPY data stand in the file.
    pub piece: Piece,
    /// PostgreSQL's tree of it.
    pub node: NodeEnum,
}

impl File {
    /// The number of its lines.
    pub fn lines(&self) -> usize {
        // The text may have blanks for ends of lines.
        self.line_starts.iter().filter(|start| **start < self.text.len()).count()
    }

    /// The line of a byte, from 1.
    pub fn line_of(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= byte)
    }

    /// Line and column of a byte, both from 1.
    fn place_of(&self, byte: usize) -> At {
        let line = self.line_of(byte);
        // A byte order mark is no character of the line: no editor counts it.
        let column = self.text[self.line_starts[line - 1]..byte].chars().filter(|c| *c != '\u{feff}').count() + 1;
        At { file: self.name.clone(), line, column: Some(column) }
    }
}

impl History {
    /// The text of a statement, without its semicolon.
    pub fn text(&self, id: StatementId) -> &str {
        let statement = &self.statements[id];
        &self.files[statement.file].text[statement.piece.body.clone()]
    }

    /// File and line of a statement.
    pub fn at(&self, id: StatementId) -> At {
        let statement = &self.statements[id];
        At::new(&self.files[statement.file].name, statement.line)
    }

    /// File and line of a part of a statement that begins at a byte of its text.
    pub fn at_offset(&self, id: StatementId, offset: usize) -> At {
        let statement = &self.statements[id];
        let file = &self.files[statement.file];
        At::new(&file.name, file.line_of((statement.piece.body.start + offset).min(statement.piece.body.end)))
    }

    /// The number of lines of all files.
    pub fn lines(&self) -> usize {
        self.files.iter().map(File::lines).sum()
    }
}

/// Reads a folder of migrations; its layout is found.
///
/// # Errors
/// As [`read_by`].
pub fn read(folder: &Path) -> Result<History, Vec<Error>> {
    read_by(folder, &Reading::default())
}

/// Reads a folder of migrations.
///
/// # Errors
/// All that is wrong with it, so that one bad file doesn't hide the next: a missing or empty folder, a file that isn't
/// UTF-8 or not as the layout wants it, syntax errors, psql's meta-commands, another engine's SQL.
pub fn read_by(folder: &Path, reading: &Reading) -> Result<History, Vec<Error>> {
    let contents = Contents::read(folder).map_err(|e| vec![e])?;
    let written = written_layout(folder);
    // A set that was written here was proven on PostgreSQL, and holds no marks that a tool reads otherwise.
    let engine = reading.engine.or(written.map(|_| Engine::Postgres));
    let reading = Reading { layout: reading.layout.or(written), engine, ..*reading };
    let mut found = layout::find(contents, reading.layout, engine, reading.code).map_err(|e| vec![e])?;
    found.leave_out(reading.without);
    read_found(found, &reading)
}

/// The layout in which a set was written here, as its manifest says: names alone can't always tell.
pub fn written_layout(folder: &Path) -> Option<&'static dyn Layout> {
    let text = crate::files::read_to_string(&folder.join(MANIFEST)).ok()?;
    layout::by_name(text.lines().find_map(|l| l.strip_prefix(LAYOUT_LINE))?.trim()).ok()
}

/// Reads what lies in a folder by a layout, or by the one that is found. It is PostgreSQL's: a set of ours.
///
/// # Errors
/// As [`read_by`].
pub fn read_contents(contents: Contents, layout: Option<&'static dyn Layout>) -> Result<History, Vec<Error>> {
    let reading = Reading { layout, engine: Some(Engine::Postgres), ..Reading::default() };
    read_found(layout::find(contents, layout, reading.engine, reading.code).map_err(|e| vec![e])?, &reading)
}

fn read_found(found: layout::Found, reading: &Reading) -> Result<History, Vec<Error>> {
    let mut history = empty(found.contents.root(), found.layout);
    history.shared_versions = found.shared_versions;
    history.set_aside = found.set_aside;
    history.warnings = found.warnings;
    history.of_others = found.of_others;
    history.left_out = reading.without.to_vec();
    history.is_found = reading.layout.is_none();
    let tasks: Vec<Task> = found
        .entries
        .iter()
        .zip(&found.stems)
        .map(|(entry, stem)| Task { entry, stem, bytes: found.contents.bytes(&entry.path) })
        .collect();
    let folder = history.folder.clone();
    let files = read_files(found.layout, &tasks);
    let asked = foreign(&files, reading).or_else(|| {
        let texts = files.iter().map(|f| (f.file.name.as_str(), f.file.text.as_str(), f.errors.is_empty()));
        if history.is_found { marks::refuse_raw(texts) } else { None }
    });
    let read = match asked {
        Some(error) => Err(vec![error]),
        None => assemble(history, files),
    };
    let read = read.and_then(|history| match marks::refuse(&history).filter(|_| history.is_found) {
        Some(error) => Err(vec![error]),
        None => Ok(history),
    });
    read.map_err(|errors| shortened(errors.into_iter().map(|e| in_folder(&folder, e)).collect()))
}

/// The refusal of files whose words are another engine's, unless it is said whose they are.
fn foreign(files: &[ReadFile], reading: &Reading) -> Option<Error> {
    if reading.engine.is_some() || files.iter().any(|f| engine::is_postgres(&f.file.text)) {
        return None;
    }
    let mut shown: Vec<engine::Shown> = files.iter().flat_map(|f| f.foreign.iter().cloned()).collect();
    let nodes = || files.iter().flat_map(|f| f.statements.iter().map(|s| &s.node));
    let made = if files.iter().any(|f| f.is_suspect) { engine::made(nodes(), reading.prelude) } else { Vec::new() };
    for file in files {
        let comment = engine::in_comments(&file.file.text);
        shown.extend(
            comment.map(|word| engine::Shown { at: At::new(&file.file.name, file.file.line_of(word.at)), word }),
        );
        for statement in &file.statements {
            let body = statement.piece.body.clone();
            let mut words = engine::in_columns(&statement.node);
            if file.is_suspect {
                let makes = |name: &str| made.iter().any(|m| m == name);
                words.extend(engine::in_tree(&statement.node, &file.file.text[body.clone()], &makes));
            }
            let at = |word: &engine::Word| At::new(&file.file.name, file.file.line_of(body.start + word.at));
            shown.extend(words.into_iter().map(|word| engine::Shown { at: at(&word), word }));
        }
    }
    engine::by_words(&shown)
}

/// The first errors: where there are many, the folder isn't what it was taken for, and more of them say no more.
fn shortened(mut errors: Vec<Error>) -> Vec<Error> {
    const SHOWN: usize = 20;
    if errors.len() > SHOWN + 1 {
        let more = errors.len() - SHOWN;
        errors.truncate(SHOWN);
        let hint = "if all files are so, this may be another folder or tool: see --old and --layout";
        errors.push(Error::new(format!("and {more} more errors like these")).hint(hint));
    }
    errors
}

/// Reads a set that is still in memory, as names and texts, as [`read`] would read it from a folder.
///
/// # Errors
/// As [`read`].
pub fn from_texts(folder: &Path, files: &[(String, String)]) -> Result<History, Vec<Error>> {
    let layout = layout::WRITTEN;
    let read = files.iter().map(|(name, text)| {
        let stem = name.strip_suffix(".sql").unwrap_or(name);
        let entry = match stem.split_once('_').filter(|(v, _)| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit())) {
            Some((version, description)) => Entry::numbered(name, version, description),
            None => Entry::unversioned(name, stem),
        };
        parse_file(layout, &Task { entry: &entry, stem, bytes: Ok(&[]) }, text.clone(), Vec::new())
    });
    assemble(empty(folder, layout), read.collect())
}

fn empty(folder: &Path, layout: &'static dyn Layout) -> History {
    History {
        folder: folder.to_path_buf(),
        layout,
        between: layout.between(),
        prelude: Vec::new(),
        files: Vec::new(),
        statements: Vec::new(),
        shared_versions: Vec::new(),
        set_aside: Vec::new(),
        down_sections: Vec::new(),
        left_out: Vec::new(),
        of_others: Vec::new(),
        is_found: false,
        origins: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Puts files together and numbers their statements.
fn assemble(mut history: History, files: Vec<ReadFile>) -> Result<History, Vec<Error>> {
    let mut errors = Vec::new();
    for ReadFile { file, statements, errors: wrong, has_down, warnings, .. } in files {
        let (first, number) = (history.statements.len(), history.files.len());
        history.statements.extend(statements.into_iter().map(|s| Statement { file: number, ..s }));
        history.warnings.extend(warnings.into_iter().map(|(line, why)| (At::new(&file.name, line), why)));
        if has_down {
            history.down_sections.push(file.name.clone());
        }
        history.files.push(File { statements: first..history.statements.len(), ..file });
        errors.extend(wrong);
    }
    if errors.is_empty() { Ok(history) } else { Err(errors) }
}

/// The same error with its file as the user would open it: old and new set often hold files of one name.
pub(crate) fn in_folder(folder: &Path, mut error: Error) -> Error {
    if let Some(at) = &mut error.at {
        let (mut folder, mut file) = (folder, at.file.as_str());
        // A file above the folder, said without a detour; a link's parent is another one.
        while let (Some(above), Some(parent)) = (file.strip_prefix("../"), folder.parent())
            && folder.file_name().is_some()
            && !folder.is_symlink()
        {
            (folder, file) = (parent, above);
        }
        at.file = folder.join(file).display().to_string();
    }
    error
}

/// What PostgreSQL's own reader would refuse and no statement shows: a NUL byte, a comment that never ends. `name` is what
/// the file is called.
pub(crate) fn refuse_text(name: &str, text: &str) -> Option<Error> {
    let at = |offset: usize| {
        let begin = text[..offset].rfind('\n').map_or(0, |end| end + 1);
        let column = text[begin..offset].chars().count() + 1;
        At { column: Some(column), ..At::new(name, text[..offset].matches('\n').count() + 1) }
    };
    if let Some(offset) = text.find('\0') {
        let hint = "PostgreSQL takes no such byte: take it out, or save the file as UTF-8";
        return Some(Error::new("a NUL byte").at(at(offset)).hint(hint));
    }
    let hint = "end it with */ (a comment in another needs one of its own): PostgreSQL reads all behind it as comment";
    endless_comment(text).map(|offset| Error::new("unterminated /* comment").at(at(offset)).hint(hint))
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Error {
    let valid = error.utf8_error().valid_up_to();
    let line = error.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count() + 1;
    Error::new("the file isn't UTF-8").at(At::new(name, line)).hint("save it as UTF-8, for example with iconv")
}

/// A file that is to be read.
struct Task<'a> {
    entry: &'a Entry,
    stem: &'a str,
    bytes: Result<&'a [u8], String>,
}

/// A file as read: its statements aren't numbered yet.
struct ReadFile {
    file: File,
    statements: Vec<Statement>,
    errors: Vec<Error>,
    has_down: bool,
    warnings: Vec<(usize, String)>,
    /// Words of another engine in statements that PostgreSQL's parser refused.
    foreign: Vec<engine::Shown>,
    /// Whether it has words that are another engine's where the history doesn't make what they name.
    is_suspect: bool,
}

/// Parses the files, on as many threads as the machine has cores: parsing is most of what a plan takes.
fn read_files(layout: &'static dyn Layout, tasks: &[Task]) -> Vec<ReadFile> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len()).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done: Vec<(usize, ReadFile)> = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(number) else { return done };
            done.push((number, read_file(layout, task)));
        }
    };
    let mut files = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| crate::stack::spawn(scope, work)).collect();
        let mut files = work();
        // A thread can only end early by a panic of the parser, which then is the caller's too.
        others.into_iter().for_each(|t| files.extend(t.join().unwrap_or_else(|p| std::panic::resume_unwind(p))));
        files
    });
    files.sort_by_key(|(number, _)| *number);
    files.into_iter().map(|(_, file)| file).collect()
}

fn read_file(layout: &dyn Layout, task: &Task) -> ReadFile {
    let name = &task.entry.path;
    let text = match &task.bytes {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).map_err(|error| not_utf8(name, &error)),
        Err(error) => Err(Error::new(format!("can't read it: {error}")).at(At::new(name, 1)).hint("allow reading it")),
    };
    match text {
        Ok(text) => parse_file(layout, task, text, Vec::new()),
        Err(wrong) => parse_file(layout::WRITTEN, task, String::new(), vec![wrong]),
    }
}

fn parse_file(layout: &dyn Layout, task: &Task, text: String, mut errors: Vec<Error>) -> ReadFile {
    let entry = task.entry;
    let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
    let mut mask = layout.mask(entry, &text).unwrap_or_else(|wrong| {
        errors.push(wrong);
        Mask { blanks: std::iter::once(0..text.len()).collect(), ..Mask::default() }
    });
    mask.blank_lines(&text, layout.boilerplate());
    let mut file = File {
        name: entry.path.clone(),
        version: entry.version.clone(),
        description: entry.description.clone(),
        stem: task.stem.to_string(),
        text: mask.apply(text),
        in_transaction: true,
        parts: Vec::new(),
        statements: 0..0,
        line_starts,
    };
    errors.extend(refuse_text(&file.name, &file.text));
    let (mut statements, mut foreign) = (Vec::new(), Vec::new());
    for piece in split(&file.text) {
        let line = file.line_of(piece.body.start);
        match parse_piece(&file, &piece) {
            Ok(Some(node)) => statements.push(Statement { file: 0, line, piece, node }),
            Ok(None) => {}
            Err(error) => {
                errors.push(error);
                let words = engine::in_refused(&file.text[piece.body.clone()]).into_iter();
                foreign.extend(words.map(|word| engine::Shown {
                    at: At::new(&file.name, file.line_of(piece.body.start + word.at)),
                    word,
                }));
            }
        }
    }
    let is_wrapped = |wrap: Wrap, count: usize| match wrap {
        Wrap::Transaction => true,
        Wrap::OneQuery => count > 1,
        Wrap::Bare => false,
    };
    file.in_transaction = is_wrapped(mask.wrap.unwrap_or(entry.wrap), statements.len());
    let first_of = |at: usize| statements.partition_point(|s| s.piece.body.start < at);
    let ends = mask.parts.iter().skip(1).map(|part| first_of(part.at)).chain([statements.len()]);
    for (part, end) in mask.parts.iter().zip(ends) {
        let first = first_of(part.at);
        if first < end {
            file.parts.push((first, is_wrapped(part.wrap, end - first)));
        }
    }
    if !file.parts.is_empty() {
        file.in_transaction = file.parts.iter().any(|(_, is_wrapped)| *is_wrapped);
    }
    let is_suspect = engine::may_hold_any(&file.text);
    ReadFile { file, statements, errors, has_down: mask.has_down, warnings: mask.warnings, foreign, is_suspect }
}

fn parse_piece(file: &File, piece: &Piece) -> Result<Option<NodeEnum>, Error> {
    let body = &file.text[piece.body.clone()];
    if piece.is_meta_command {
        let word = body.split_whitespace().next().unwrap_or(body);
        return Err(Error::new(format!("psql meta-command {word}: not SQL, and no migration tool runs it"))
            .at(file.place_of(piece.body.start))
            .hint("take the line out, or put what it includes in its place"));
    }
    parse(body).map_err(|error| {
        let at = file.place_of((piece.body.start + error.offset).min(file.text.len()));
        let wrong = Error::new(error.message).at(at);
        if body.contains("{{") || body.contains("${") || body.contains("<%") {
            wrong.hint("this looks like a template mark: render the file first, consolidate reads plain SQL")
        } else {
            wrong.hint("PostgreSQL would refuse this too: correct it, or move the file out of the folder")
        }
    })
}
