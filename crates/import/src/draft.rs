//! What is gathered while files are read.

use std::collections::{BTreeMap, BTreeSet};

use landfall_manifest::write::distinct_names;
use landfall_manifest::{NewApp, NewJob};

use crate::command;
use crate::secret::{self, Hidden};

/// What was found, and what was not carried over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// What the manifest is to say. Its notes are the remarks.
    pub app: NewApp,
    /// What could not be carried over, or not as it was, by file and line.
    pub remarks: Vec<Remark>,
    /// The secrets whose values have to be set.
    pub secrets: Vec<Secret>,
    /// Services, by their final names, whose files do not say whether and where they listen.
    pub unknown_ports: Vec<String>,
}

/// Something that could not be carried over, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Remark {
    /// The file it stands in.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What it is, and what to do instead.
    pub text: String,
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// A secret whose value has to be set; the value that was seen went nowhere.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Secret {
    /// Its name in the vault.
    pub name: String,
    /// Where it was seen first.
    pub file: String,
    /// The line there, from 1.
    pub line: usize,
    /// The variables that hold it: `api.DATABASE_URL`.
    pub variables: Vec<String>,
    /// What is to be minded when it is set.
    pub note: Option<String>,
}

/// Why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub file: &'a str,
    pub line: usize,
}

/// The result while it grows.
#[derive(Default)]
pub(crate) struct Draft {
    pub app: NewApp,
    pub problems: Vec<Problem>,
    pub unknown_ports: Vec<String>,
    remarks: BTreeSet<Remark>,
    secrets: BTreeMap<String, (Secret, Option<Hidden>)>,
}

impl Draft {
    pub fn new(name: &str) -> Draft {
        Draft { app: NewApp { name: name.to_owned(), ..NewApp::default() }, ..Draft::default() }
    }

    /// Something is not carried over.
    pub fn remark(&mut self, place: Place<'_>, text: impl Into<String>) {
        let remark = Remark { file: place.file.to_owned(), line: place.line, text: one_line(&text.into()) };
        self.remarks.insert(remark);
    }

    /// A file cannot be read.
    pub fn problem(&mut self, file: &str, line: usize, message: impl Into<String>) {
        let message = one_line(&message.into());
        self.problems.push(Problem { file: file.to_owned(), line, message });
    }

    /// The vault's name for a service's secret. Variables of the same name and value share one; where the values
    /// differ, the service's name goes in front.
    pub fn secret(
        &mut self,
        service: &str,
        variable: &str,
        value: Option<Hidden>,
        place: Place<'_>,
        note: Option<String>,
    ) -> String {
        let base = kebab(variable);
        let candidates = [base.clone(), kebab(&format!("{service}-{base}"))]
            .into_iter()
            .chain((2..).map(|number| kebab(&format!("{service}-{base}-{number}"))));
        let full_name = format!("{service}.{variable}");
        for name in candidates {
            match self.secrets.get_mut(&name) {
                Some((secret, known)) if *known == value => {
                    if !secret.variables.contains(&full_name) {
                        secret.variables.push(full_name);
                    }
                    secret.note = secret.note.take().or(note);
                    return name;
                }
                Some(_) => {}
                None => {
                    let secret = Secret {
                        name: name.clone(),
                        file: place.file.to_owned(),
                        line: place.line,
                        variables: vec![full_name],
                        note,
                    };
                    self.secrets.insert(name.clone(), (secret, value));
                    return name;
                }
            }
        }
        unreachable!("the candidates have no end")
    }

    /// A command that has to run before each release, in the image and with the variables of `service`.
    pub fn before_release(&mut self, place: Place<'_>, name: &str, service: &str, line: &str) {
        let label = short(name);
        if service.is_empty() {
            self.remark(
                place,
                format!("`{label}` runs before each release: there is no service in whose image it could"),
            );
            return;
        }
        match command::from_shell(line, None) {
            Some(found) if secret::is_in_command(&found.words) => {
                let text = format!(
                    "the command of `{label}` holds what looks like a secret: left out; let it read a variable"
                );
                self.remark(place, text);
            }
            Some(mut found) => {
                for change in command::adapted(&mut found.words) {
                    self.remark(place, format!("`{label}`: {change}"));
                }
                if found.by_shell {
                    self.remark(place, format!("`{label}` needs a shell (`sh`) in its image"));
                }
                let taken = self.app.before.iter().map(|job| job.name.as_str());
                let name = distinct_names(taken.chain([name]), "job").pop().unwrap_or_default();
                self.app.before.push(NewJob { name, service: service.to_owned(), command: found.words });
            }
            None => self.remark(
                place,
                format!("the command of `{label}` cannot be read: write it to `release.before`"),
            ),
        }
    }

    pub fn finish(mut self) -> Result<Imported, Vec<Problem>> {
        if !self.problems.is_empty() {
            self.problems.sort();
            self.problems.dedup();
            return Err(self.problems);
        }
        let remarks = joined(self.remarks);
        self.app.notes = remarks.iter().map(Remark::to_string).collect();
        Ok(Imported {
            app: self.app,
            remarks,
            secrets: self.secrets.into_values().map(|(secret, _)| secret).collect(),
            unknown_ports: self.unknown_ports,
        })
    }
}

/// Where the name stands in a remark that several share, and all the names.
type Subjects = Option<(usize, Vec<String>)>;

/// Remarks on one line of a file that say the same of several things, as lines behind an anchor or a shared file do:
/// "`a` has no counterpart" and "`b` has no counterpart" become one.
fn joined(remarks: BTreeSet<Remark>) -> Vec<Remark> {
    let mut found: Vec<(Remark, Subjects)> = Vec::new();
    for remark in remarks {
        let pieces: Vec<String> = remark.text.split('`').map(str::to_owned).collect();
        let same = found
            .iter_mut()
            .rev()
            .take_while(|(first, _)| first.file == remark.file && first.line == remark.line);
        let mut is_joined = false;
        for (first, subjects) in same {
            let known: Vec<&str> = first.text.split('`').collect();
            if known.len() != pieces.len() {
                continue;
            }
            let mut differing = known
                .iter()
                .zip(&pieces)
                .enumerate()
                .filter(|(_, (one, other))| *one != other)
                .map(|(at, _)| at);
            // What stands between backquotes is at the odd places.
            let (Some(at), None) = (differing.next(), differing.next()) else { continue };
            if at % 2 == 0 || subjects.as_ref().is_some_and(|(known, _)| *known != at) {
                continue;
            }
            let (_, names) = subjects.get_or_insert_with(|| (at, vec![known[at].to_owned()]));
            names.push(pieces[at].clone());
            is_joined = true;
            break;
        }
        if !is_joined {
            found.push((remark, None));
        }
    }
    let with_subjects = |(remark, subjects): (Remark, Subjects)| {
        let Some((at, names)) = subjects else { return remark };
        let mut pieces: Vec<&str> = remark.text.split('`').collect();
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let all = enumerate(&names);
        pieces[at] = &all[1..all.len() - 1];
        Remark { text: pieces.join("`"), ..remark }
    };
    found.into_iter().map(with_subjects).collect()
}

/// `DATABASE_URL` as a vault writes it: `database-url`.
fn kebab(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() == 120 {
            break;
        }
    }
    let name = out.trim_matches('-');
    if name.is_empty() { "secret".to_owned() } else { name.to_owned() }
}

/// A text of a file, short and harmless enough for a message.
pub(crate) fn short(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(60) {
        None => clean,
        Some((at, _)) => format!("{}…", &clean[..at]),
    }
}

/// `a`, `b` and `c`.
pub(crate) fn enumerate<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
