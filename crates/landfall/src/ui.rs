//! Standard output and standard error: the only place that prints.
//!
//! Standard output carries what was asked for, standard error everything else. Colour never carries meaning
//! alone; `NO_COLOR`, `CLICOLOR_FORCE`, a dumb terminal and a pipe are respected.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::Failure;

/// Where and how a command prints.
#[derive(Clone, Debug)]
pub struct Ui {
    /// One JSON document, or JSON lines, on standard output instead of text.
    pub json: bool,
    /// The JSON lines of this command end in a result, however it ends.
    pub stream: bool,
    /// Standard output takes colour.
    pub color_out: bool,
    /// Standard error takes colour.
    pub color_err: bool,
    /// Only errors.
    pub quiet: bool,
    /// How much more than usual.
    pub verbose: u8,
    /// Somebody can answer a question.
    pub interactive: bool,
    /// Progress may redraw lines.
    pub bars: bool,
    /// `--yes`.
    pub yes: bool,
    /// What has to be typed after a command so that it goes where this one went: ` --local --env prod`.
    pub again: String,
}

impl Ui {
    /// Settles colour, width and interactivity once.
    pub fn new(global: &Global, stream: bool) -> Ui {
        let color = |stream: anstream::ColorChoice| stream != anstream::ColorChoice::Never;
        let terminal_err = std::io::stderr().is_terminal();
        Ui {
            json: global.json,
            stream,
            color_out: !global.json && color(anstream::AutoStream::choice(&std::io::stdout())),
            color_err: color(anstream::AutoStream::choice(&std::io::stderr())),
            quiet: global.quiet,
            verbose: global.verbose,
            interactive: !global.json && std::io::stdin().is_terminal() && terminal_err,
            bars: !global.json
                && !global.quiet
                && terminal_err
                && std::env::var("TERM").as_deref() != Ok("dumb"),
            yes: global.yes,
            again: again(global),
        }
    }

    /// A `Ui` for a task that only prints JSON lines.
    pub fn for_json() -> Ui {
        Ui { json: true, ..Ui::for_lines() }
    }

    /// A `Ui` for a task that only prints notes.
    pub fn for_lines() -> Ui {
        Ui {
            json: false,
            stream: false,
            color_out: false,
            color_err: false,
            quiet: false,
            verbose: 0,
            interactive: false,
            bars: false,
            yes: false,
            again: String::new(),
        }
    }

    /// A `Ui` for work whose events are nobody's business, since programs get one document at the end.
    pub fn for_one_document(&self) -> Ui {
        Ui { json: false, quiet: self.quiet || self.json, ..self.clone() }
    }

    /// What was asked for.
    pub fn out(&self, text: &str) {
        if let Err(error) = write_all(std::io::stdout(), text)
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            let _ = LOST.set(error);
        }
    }

    /// One JSON document, or one line of several.
    pub fn document(&self, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("our documents have string keys");
        self.out(&text);
    }

    /// Ends a line that a question or the terminal's `^C` began.
    pub fn fresh_line(&self) {
        if std::io::stderr().is_terminal() {
            let _ = write_all(std::io::stderr(), "\n");
        }
    }

    /// Progress and remarks: silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = write_all(std::io::stderr(), &self.typed(text));
        }
    }

    /// `text` with its commands as they have to be typed: with the flags that lead to the same place.
    pub fn typed(&self, text: &str) -> String {
        const ELSEWHERE: &[&str] =
            &["up", "plan", "resume", "status", "destroy", "secrets", "runs", "open", "logs"];
        let mut pieces = text.split('`').map(str::to_owned).collect::<Vec<_>>();
        // Every second piece stands between backticks.
        for piece in pieces.iter_mut().skip(1).step_by(2) {
            let mut words = piece.split(' ');
            let ours = words.next() == Some("landfall")
                && words.next().is_some_and(|word| ELSEWHERE.contains(&word));
            if ours && !piece.contains("--local") && !piece.contains("--env") {
                let at = piece.find(" <").unwrap_or(piece.len());
                piece.insert_str(at, &self.again);
            }
        }
        pieces.join("`")
    }

    /// Something the reader should know though nothing failed.
    pub fn warning(&self, text: &str) {
        let label = paint(self.color_err, AnsiColor::Yellow.on_default().bold(), "warning:");
        let _ = write_all(std::io::stderr(), &format!("{label} {text}"));
    }

    /// What to do next.
    pub fn hint(&self, text: &str) {
        let label = paint(self.color_err, AnsiColor::Cyan.on_default().bold(), "hint:");
        let _ = write_all(std::io::stderr(), &format!("{label} {}", self.typed(text)));
    }

    /// What failed.
    pub fn error(&self, text: &str) {
        let label = paint(self.color_err, AnsiColor::Red.on_default().bold(), "error:");
        let _ = write_all(std::io::stderr(), &format!("{label} {text}"));
    }

    /// Text that belongs to an error and carries its own labels.
    pub fn error_text(&self, text: &str) {
        let _ = write_all(std::io::stderr(), text);
    }

    /// Bold text for standard output.
    pub fn bold(&self, text: &str) -> String {
        paint(self.color_out, Style::new().bold(), text)
    }

    /// Asks a question whose "yes" loses nothing. `--yes` answers it; without a terminal it is refused and the
    /// flag is named.
    pub fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if !self.interactive {
            return Err(Failure::refused(format!(
                "`{question}` needs an answer, and there is no terminal to ask on"
            ))
            .help("add `--yes` to agree beforehand"));
        }
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// One line of answer from the terminal.
    pub fn ask(&self, question: &str) -> Result<String, Failure> {
        let mut err = std::io::stderr();
        let _ = write!(err, "{question}");
        let _ = err.flush();
        let mut answer = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|error| Failure::failed("cannot read the answer").because(error))?;
        if !answer.ends_with('\n') {
            self.fresh_line();
        }
        Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The flags that were given of those that say where a command goes.
fn again(global: &Global) -> String {
    let local = if global.local { " --local" } else { "" };
    let env = global.env.as_deref().map(|env| format!(" --env {env}")).unwrap_or_default();
    format!("{local}{env}")
}

/// Why standard output did not take what was asked for: a full disk, for one. A reader that went away
/// (`landfall … | head`) is no error.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// Why something that was asked for could not be printed.
pub fn lost() -> Option<&'static std::io::Error> {
    LOST.get()
}

/// Writes a line.
fn write_all(mut stream: impl std::io::Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stream.write_all(b"\n")?;
    }
    stream.flush()
}

/// `text` in this style where colour is wanted.
pub fn paint(color: bool, style: Style, text: &str) -> String {
    if color { format!("{}{text}{}", style.render(), style.render_reset()) } else { text.to_owned() }
}

/// `1 resource`, `2 resources`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Logs go to standard error, off unless asked for by `-v` or `LANDFALL_LOG`.
pub fn start_logging(global: &Global) {
    let level = match global.verbose {
        0 => "off",
        1 => "landfall=info",
        2 => "landfall=debug",
        _ => "landfall=trace",
    };
    let filter = std::env::var("LANDFALL_LOG").unwrap_or_else(|_| level.to_owned());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_with_the_flags_that_lead_to_the_same_place() {
        let ui = Ui { again: " --local --env prod".to_owned(), ..Ui::for_lines() };
        for (told, typed) in [
            ("deploy with `landfall up`", "deploy with `landfall up --local --env prod`"),
            (
                "`landfall secrets set token < FILE` or `landfall resume`",
                "`landfall secrets set token --local --env prod < FILE` or `landfall resume --local --env prod`",
            ),
            // What goes nowhere takes no flags, and neither does what is no command of ours.
            (
                "`landfall local start`, `az login`, --adopt `vault.main`",
                "`landfall local start`, `az login`, --adopt `vault.main`",
            ),
            ("say `landfall up --local`", "say `landfall up --local`"),
        ] {
            assert_eq!(ui.typed(told), typed);
        }
        assert_eq!(Ui::for_lines().typed("`landfall up`"), "`landfall up`");
    }
}
