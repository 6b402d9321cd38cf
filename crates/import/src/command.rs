//! Command lines: into words for `command = […]`, which has no shell around it.

/// Characters that only a shell understands.
const SHELL: &[char] = &['|', '&', ';', '<', '>', '`', '$', '*', '?', '(', ')', '\n'];

/// How a line becomes words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub words: Vec<String>,
    /// Whether `sh -c` had to be put before it.
    pub by_shell: bool,
}

/// The words of a line that a shell would have run; `None` when it is empty or a quote is not closed.
///
/// What a shell does for it is done here where that is certain: `cd DIR &&`, `exec`, redirection to a log, the port in
/// `$PORT`. With anything else of a shell's, `sh -c` runs the whole line.
pub(crate) fn from_shell(line: &str, port: Option<u16>) -> Option<Command> {
    let mut line = line.trim().to_owned();
    line = without_log(&line);
    if let Some((folder, rest)) = line.strip_prefix("cd ").and_then(|rest| rest.split_once("&&"))
        && !folder.contains(SHELL)
    {
        line = rest.trim().to_owned();
    }
    if let Some(rest) = line.strip_prefix("exec ") {
        line = rest.trim_start().to_owned();
    }
    if let Some(port) = port {
        line = with_port(&line, port);
    }
    let words =
        shlex::split(&line).filter(|words| words.first().is_some_and(|word| !word.trim().is_empty()))?;
    if !unquoted(&line).contains(SHELL) && !is_assignment(&words[0]) {
        return Some(Command { words, by_shell: false });
    }
    Some(Command { words: vec!["sh".to_owned(), "-c".to_owned(), line], by_shell: true })
}

/// Makes a program be found, and reached, in an image: a path of the old machine's virtual environment becomes the
/// program's name, and an address of the loopback all addresses. Says what was changed.
pub(crate) fn adapted(words: &mut [String]) -> Vec<String> {
    let mut changes = Vec::new();
    if let Some(program) = words.first_mut()
        && program.contains("/bin/")
    {
        let name = crate::path::name(program).to_owned();
        // The system's own programs are where they are in any image.
        if !["/bin/", "/usr/bin/"].iter().any(|folder| **program == format!("{folder}{name}")) {
            changes.push(format!("`{}` is started as `{name}`", crate::draft::short(program)));
            *program = name;
        }
    }
    for at in 0..words.len() {
        let is_address = ["127.0.0.1", "localhost", "[::1]"].iter().find(|host| {
            let value = words[at].rsplit_once('=').map_or(words[at].as_str(), |(_, value)| value);
            let is_option =
                at > 0 && matches!(&*words[at - 1], "--host" | "--bind" | "-b" | "-H" | "--address" | "-h");
            let is_own = words[at].starts_with("--host=")
                || words[at].starts_with("--bind=")
                || words[at].starts_with("--address=");
            (is_option || is_own)
                && (value == **host || value.strip_prefix(**host).is_some_and(|rest| rest.starts_with(':')))
        });
        if let Some(host) = is_address {
            words[at] = words[at].replacen(host, "0.0.0.0", 1);
            changes.push(format!("it listens on all addresses instead of `{host}`"));
        }
    }
    changes
}

/// The port that a command names: `--port 8000`, `-p 8000`, `--bind 0.0.0.0:8000`, `runserver 0.0.0.0:8000`.
pub(crate) fn port(words: &[String]) -> Option<u16> {
    let behind_colon = |text: &str| text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    words.iter().enumerate().find_map(|(at, word)| {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), words.get(at + 1).map(String::as_str)),
        };
        let port: Option<u16> = match option {
            "--port" | "-p" | "--http-port" | "--server.port" | "-Dserver.port" => value?.parse().ok(),
            "--bind" | "-b" | "--listen" | "--address" | "--addr" | "-a" | "--http" => {
                behind_colon(value?).or_else(|| value?.parse().ok())
            }
            "--urls" => behind_colon(value?.trim_end_matches('/')),
            "runserver" => {
                value.and_then(|value| behind_colon(value).or_else(|| value.parse().ok())).or(Some(8000))
            }
            _ => None,
        };
        port.filter(|port| *port > 0)
    })
}

/// `>> /var/log/x.log 2>&1` and the like: logs of a service are read from its output.
fn without_log(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    loop {
        match words.as_slice() {
            [.., "2>&1" | "&>/dev/null" | ">/dev/null"] => {
                words.pop();
            }
            [.., ">" | ">>" | "&>" | "2>" | "2>>", target] if !target.contains(SHELL) => {
                words.truncate(words.len() - 2);
            }
            [.., last]
                if [">>", ">", "2>"].iter().any(|sign| {
                    last.strip_prefix(sign).is_some_and(|rest| !rest.is_empty() && !rest.contains(SHELL))
                }) =>
            {
                words.pop();
            }
            // Blanks inside of quotes stay what they are where nothing was cut.
            _ if words.len() == line.split(' ').filter(|word| !word.is_empty()).count() => {
                return line.to_owned();
            }
            _ => return words.join(" "),
        }
    }
}

/// `$PORT`, `${PORT}` and `${PORT:-3000}` as the number that is known.
pub(crate) fn with_port(line: &str, port: u16) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("$") {
        out.push_str(&rest[..at]);
        let from = &rest[at..];
        let braced = from.strip_prefix("${PORT").and_then(|tail| {
            let end = tail.find('}')?;
            (end == 0 || tail.starts_with(":-") || tail.starts_with('-')).then(|| &tail[end + 1..])
        });
        let plain = from
            .strip_prefix("$PORT")
            .filter(|tail| !tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        match braced.or(plain) {
            Some(tail) => {
                out.push_str(&port.to_string());
                rest = tail;
            }
            None => {
                out.push('$');
                rest = &from[1..];
            }
        }
    }
    out + rest
}

/// The line without what stands in single quotes, which a shell leaves alone.
fn unquoted(line: &str) -> String {
    let mut inside = false;
    line.chars()
        .filter(|c| {
            if *c == '\'' {
                inside = !inside;
            }
            !inside
        })
        .collect()
}

/// `NAME=value` before a program.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn shells_are_used_where_they_must() {
        let plain = |line: &str| from_shell(line, Some(8000)).map(|c| (c.words.join(" "), c.by_shell));
        assert_eq!(
            plain("gunicorn app:app -b 0.0.0.0:$PORT"),
            Some(("gunicorn app:app -b 0.0.0.0:8000".into(), false))
        );
        assert_eq!(plain("node --port=${PORT:-3000} x"), Some(("node --port=8000 x".into(), false)));
        assert_eq!(plain("cd /opt/app && bin/x >> /var/log/x.log 2>&1"), Some(("bin/x".into(), false)));
        assert_eq!(plain("a && b"), Some(("sh -c a && b".into(), true)));
        assert_eq!(plain("A=1 b"), Some(("sh -c A=1 b".into(), true)));
        assert_eq!(plain("echo 'a && b'"), Some(("echo a && b".into(), false)));
        assert_eq!(plain("echo 'a"), None);
        assert_eq!(plain("  "), None);
        assert_eq!(plain("x $PORTS"), Some(("sh -c x $PORTS".into(), true)));
    }

    #[test]
    fn ports_are_found() {
        for line in [
            "uvicorn a --port 9000",
            "gunicorn -b 127.0.0.1:9000 a",
            "x --bind=:9000",
            "m.py runserver 0:9000",
        ] {
            assert_eq!(port(&words(line)), Some(9000), "{line}");
        }
        assert_eq!(port(&words("celery -A app worker")), None);
        assert_eq!(port(&words("x -b unix:/run/x.sock")), None);
    }

    #[test]
    fn programs_move_into_an_image() {
        let mut line = words("/opt/app/venv/bin/gunicorn -b 127.0.0.1:8000 app:app");
        let changes = adapted(&mut line);
        assert_eq!(line.join(" "), "gunicorn -b 0.0.0.0:8000 app:app");
        assert_eq!(changes.len(), 2);
        let mut line = words("/usr/bin/node server.js");
        assert_eq!(adapted(&mut line), Vec::<String>::new());
    }
}
