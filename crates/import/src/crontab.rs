//! Crontabs: a schedule and a command a line.

/// A line that starts something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Five fields of cron; `None` for `@reboot`.
    pub schedule: Option<String>,
    pub command: String,
    pub line: usize,
}

/// What a crontab says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Crontab {
    pub jobs: Vec<Job>,
    /// Its variables, with their lines.
    pub variables: Vec<(String, String, usize)>,
    /// Lines that are neither.
    pub odd: Vec<usize>,
}

/// Reads a crontab; one of the system's has the user's name before the command.
pub(crate) fn read(text: &str, has_user: bool) -> Crontab {
    let mut found = Crontab::default();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (variable(line), job(line, has_user)) {
            (Some((name, value)), _) => found.variables.push((name, value, at + 1)),
            (None, Some((schedule, command))) => found.jobs.push(Job { schedule, command, line: at + 1 }),
            (None, None) => found.odd.push(at + 1),
        }
    }
    found
}

/// Whether a crontab of this path has users' names in it.
pub(crate) fn has_user(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (name, folder) = (parts.next(), parts.next());
    folder == Some("cron.d") || (folder == Some("etc") && name == Some("crontab"))
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = value.trim();
    let unquoted =
        ['"', '\''].iter().find_map(|q| value.strip_prefix(*q).and_then(|rest| rest.strip_suffix(*q)));
    is_name.then(|| (name.to_owned(), unquoted.unwrap_or(value).to_owned()))
}

fn job(line: &str, has_user: bool) -> Option<(Option<String>, String)> {
    let (schedule, rest) = match line.strip_prefix('@') {
        Some(named) => {
            let (name, rest) = named.split_once(char::is_whitespace)?;
            let schedule = match name {
                "reboot" => None,
                "hourly" => Some("0 * * * *"),
                "daily" | "midnight" => Some("0 0 * * *"),
                "weekly" => Some("0 0 * * 0"),
                "monthly" => Some("0 0 1 * *"),
                "yearly" | "annually" => Some("0 0 1 1 *"),
                _ => return None,
            };
            (schedule.map(str::to_owned), rest)
        }
        None => {
            let mut rest = line;
            let mut fields = Vec::new();
            for (min, max, names) in FIELDS {
                let (field, tail) = rest.split_once(char::is_whitespace)?;
                fields.push(normal(field, *min, *max, names)?);
                rest = tail.trim_start();
            }
            (Some(fields.join(" ")), rest)
        }
    };
    let rest = rest.trim();
    let command = if has_user { rest.split_once(char::is_whitespace)?.1.trim() } else { rest };
    // After an unescaped `%` stands what is fed to the command.
    let end =
        command.char_indices().find(|(at, c)| *c == '%' && !command[..*at].ends_with('\\')).map(|(at, _)| at);
    let command = command[..end.unwrap_or(command.len())].trim().replace("\\%", "%");
    (!command.is_empty()).then_some((schedule, command))
}

/// Bounds and names of the five fields.
const FIELDS: &[(u32, u32, &[&str])] = &[
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// A field with its names as numbers; `None` when it is none.
fn normal(field: &str, min: u32, max: u32, names: &[&str]) -> Option<String> {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().position(|name| !name.is_empty() && *name == lower);
        let number = named.and_then(|at| u32::try_from(at).ok()).or_else(|| text.parse().ok())?;
        (min..=max).contains(&number).then_some(number)
    };
    let parts: Option<Vec<String>> = field
        .split(',')
        .map(|part| {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    (range, format!("/{}", step.parse::<u32>().ok().filter(|step| *step > 0)?))
                }
                None => (part, String::new()),
            };
            let range = match range.split_once('-') {
                _ if range == "*" => "*".to_owned(),
                Some((from, to)) => format!("{}-{}", number(from)?, number(to)?),
                None => number(range)?.to_string(),
            };
            Some(range + &step)
        })
        .collect();
    parts.map(|parts| parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_kinds() {
        let text = "# c\nMAILTO=\"ops@example.com\"\n*/15 9-17 * * MON-FRI cd /opt/x && bin/y >> z 2>&1\n@daily a\\%b % c\n@reboot x\n\
                    61 * * * * never\nnot a line\n";
        let found = read(text, false);
        let jobs: Vec<_> =
            found.jobs.iter().map(|job| (job.schedule.as_deref(), job.command.as_str(), job.line)).collect();
        let expected = [
            (Some("*/15 9-17 * * 1-5"), "cd /opt/x && bin/y >> z 2>&1", 3),
            (Some("0 0 * * *"), "a%b", 4),
            (None, "x", 5),
        ];
        assert_eq!(jobs, expected);
        assert_eq!(found.variables, [("MAILTO".into(), "ops@example.com".into(), 2)]);
        assert_eq!(found.odd, [6, 7]);
        let system = read("0 3 * * * root /usr/bin/x\n", true);
        assert_eq!(system.jobs[0].command, "/usr/bin/x");
        assert!(has_user("etc/cron.d/app") && has_user("etc/crontab") && !has_user("crontab"));
    }
}
