//! The one way out: every text that leaves the program goes through one escape for its medium.
//!
//! Names, comments, messages and values come from histories that anybody may have written. In a terminal they could move the
//! cursor or turn the direction of what is read; in a log of GitHub or Azure, a line that begins with `::`, or holds `##[`, is
//! a command to the runner. Such characters are shown and not sent: `\u{1b}`, `\::error`, `##\[error`.

use anstyle::{AnsiColor, Effects, Style};

/// Where a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Lines of a terminal, a log or a file.
    Lines,
    /// A part of such a line: breaks are shown too. Marks of colour stay.
    Line,
    /// Words of Markdown.
    Markdown,
    /// Code within a line of Markdown, with its ticks.
    Code,
    /// Text and attributes of XML.
    Xml,
    /// The message of an annotation of GitHub.
    Annotation,
    /// A property of an annotation.
    Property,
}

/// A text as its medium shows it and does nothing else with it.
pub fn escaped(text: &str, medium: Medium) -> String {
    match medium {
        Medium::Lines => shown(text, true, &visible),
        Medium::Line => text.split('\0').map(|part| shown(part, false, &visible)).collect::<Vec<_>>().join("\0"),
        Medium::Markdown => markdown(&shown(&text.replace('\n', " "), false, &visible)),
        Medium::Code => code(&shown(text, false, &visible)),
        Medium::Xml => xml(&shown(text, true, &visible)),
        Medium::Annotation => annotation(&shown(text, true, &visible)),
        Medium::Property => annotation(&shown(text, false, &visible)).replace(':', "%3A").replace(',', "%2C"),
    }
}

/// A part of a line, as [`Medium::Line`] has it.
pub fn line(text: &str) -> String {
    escaped(text, Medium::Line)
}

/// A text as a constant of SQL that can be printed: what can't be shown stands in it by its number.
pub fn sql_literal(text: &str) -> String {
    if shown(text, true, &visible) == text {
        return crate::sql::names::literal(text);
    }
    let doubled = text.replace('\\', "\\\\").replace('\'', "''");
    let by_number = |c: char| match u32::from(c) {
        code @ 0..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    format!("E'{}'", shown(&doubled, true, &by_number))
}

/// Rewrites what must not leave as it is. `keeps_lines` says whether lines stay lines.
fn shown(text: &str, keeps_lines: bool, rewritten: &dyn Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    // Runners take white space away before they look how a line begins. A part of a line begins none.
    let mut begins = keeps_lines;
    for (at, c) in text.char_indices() {
        let rewrites = match c {
            '\n' => !keeps_lines,
            '\r' => !(keeps_lines && text[at..].starts_with("\r\n")),
            '\t' => false,
            ':' => begins && text[at..].starts_with("::"),
            '[' => ends_as_command(&text[..at]),
            c => is_hidden(c),
        };
        begins = keeps_lines && (c == '\n' || (begins && c.is_whitespace() && !rewrites));
        if rewrites { out.push_str(&rewritten(c)) } else { out.push(c) }
    }
    out
}

/// `##[`, `##vso[`, `##teamcity[`: commands to runners wherever they stand in a line.
fn ends_as_command(before: &str) -> bool {
    before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).ends_with("##")
}

/// Characters that steer a terminal, change the direction of a text, break lines unseen, or that XML can't hold.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

fn visible(c: char) -> String {
    match c {
        '\n' => "\\n".to_string(),
        '\r' => "\\r".to_string(),
        ':' | '[' => format!("\\{c}"),
        c => format!("\\u{{{:x}}}", u32::from(c)),
    }
}

/// Words that Markdown shows as they are, without a link, a mention or a reference that GitHub would make of them.
fn markdown(text: &str) -> String {
    const NOTHING: &str = "&#8203;";
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let (before, behind) = (&text[..at], &text[at + c.len_utf8()..]);
        let is_link = (c == ':' && behind.starts_with("//"))
            || (c == '.' && before.len() >= 3 && before.to_ascii_lowercase().ends_with("www"));
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '~') || is_link {
            out.push('\\');
        }
        out.push(c);
        if c == '@' || (c == '#' && behind.starts_with(|next: char| next.is_ascii_digit())) {
            out.push_str(NOTHING);
        }
    }
    out
}

/// Code with more ticks around it than it holds.
fn code(text: &str) -> String {
    let ticks = "`".repeat(1 + longest_ticks(text));
    let pad = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// The longest run of backticks.
pub(super) fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn annotation(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A colour or another look of a word. In a report it is a mark between NUL bytes, which no text of PostgreSQL can hold, no
/// name and no argument; only what goes to a terminal has codes in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For what is wrong or gone.
    Red,
    /// For what is right or new.
    Green,
    /// For what asks for a look.
    Yellow,
    /// For headings.
    Bold,
    /// For small print.
    Dim,
}

impl Look {
    const ALL: &[Look] = &[Look::Red, Look::Green, Look::Yellow, Look::Bold, Look::Dim];

    fn mark(self) -> &'static str {
        match self {
            Look::Red => "r",
            Look::Green => "g",
            Look::Yellow => "y",
            Look::Bold => "b",
            Look::Dim => "d",
        }
    }

    fn code(self) -> Style {
        match self {
            Look::Red => AnsiColor::Red.on_default(),
            Look::Green => AnsiColor::Green.on_default(),
            Look::Yellow => AnsiColor::Yellow.on_default(),
            Look::Bold => Style::new().effects(Effects::BOLD),
            Look::Dim => Style::new().effects(Effects::DIMMED),
        }
    }

    /// A text between marks of this look.
    pub fn around(self, text: &str) -> String {
        format!("\0{}\0{text}\0-\0", self.mark())
    }
}

/// Lines as [`Medium::Lines`] has them, with codes of colour in the place of their marks.
pub fn painted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Marks and texts take turns; what is no mark of ours is shown as a text.
    for (number, part) in text.split('\0').enumerate() {
        let look = Look::ALL.iter().find(|look| look.mark() == part);
        match (number % 2 == 1, look) {
            (true, Some(look)) => out.push_str(&look.code().to_string()),
            (true, None) if part == "-" => out.push_str(&anstyle::Reset.to_string()),
            _ => out.push_str(&escaped(part, Medium::Lines)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\n::error::x\r##[debug]\u{1b}[31m\u{202e}\u{85}|`@me` <b> ]]> 1%\0";

    #[test]
    fn nothing_hidden_leaves_and_no_line_is_a_command() {
        for medium in [Medium::Lines, Medium::Markdown, Medium::Code, Medium::Xml, Medium::Annotation, Medium::Property]
        {
            let text = escaped(HOSTILE, medium);
            assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{medium:?}: {text:?}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{medium:?}: {text}");
            assert!(!text.contains("##["), "{medium:?}: {text}");
        }
        assert_eq!(line("a\nb\r\t::c\u{7f}"), "a\\nb\\r\t::c\\u{7f}");
        assert_eq!(escaped("::a\n \u{a0}::b\r\nx::c ##vso[d", Medium::Lines), "\\::a\n \u{a0}\\::b\r\nx::c ##vso\\[d");
    }

    #[test]
    fn each_medium_has_its_own_marks() {
        let of = |text: &str, medium| escaped(text, medium);
        assert_eq!(
            of("a|b @c #1 www.d https://e", Medium::Markdown),
            "a\\|b @&#8203;c \\#&#8203;1 www\\.d https\\://e"
        );
        assert_eq!(of("a``b", Medium::Code), "```a``b```");
        assert_eq!(of("`", Medium::Code), "`` ` ``");
        assert_eq!(of("<![CDATA[\"]]>&", Medium::Xml), "&lt;![CDATA[&quot;]]&gt;&amp;");
        assert_eq!(of("a: 1%,\nb", Medium::Annotation), "a: 1%25,%0Ab");
        assert_eq!(of("a: 1%,\nb", Medium::Property), "a%3A 1%25%2C\\nb");
    }

    #[test]
    fn an_escape_done_twice_changes_nothing() {
        for medium in [Medium::Lines, Medium::Line] {
            let once = escaped(HOSTILE, medium);
            assert_eq!(escaped(&once, medium), once);
        }
        assert_eq!(escaped("SELECT\n\ta::int -- é\n", Medium::Lines), "SELECT\n\ta::int -- é\n");
    }

    #[test]
    fn only_our_own_marks_become_colours() {
        let text = format!("{}: \u{1b}[32m\n", Look::Red.around("a\u{1b}b"));
        assert_eq!(painted(&text), "\u{1b}[31ma\\u{1b}b\u{1b}[0m: \\u{1b}[32m\n");
        assert_eq!(painted("a\0x\0b"), "axb");
    }

    #[test]
    fn constants_of_sql_can_be_printed() {
        assert_eq!(sql_literal("it's\n\\"), "E'it''s\n\\\\'");
        assert_eq!(sql_literal("a'\n::b\u{1b}\u{e0001}"), "E'a''\n\\u003a:b\\u001b\\U000e0001'");
    }
}
