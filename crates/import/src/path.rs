//! Paths as texts, with `/`, relative to the manifest's folder.

/// `path` seen from the folder of `file`, without `.` and with as few `..` as possible. An absolute path stays.
pub(crate) fn beside(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    join(folder, path)
}

/// `path` seen from `folder`.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if path.starts_with(['/', '~']) {
        return path.to_owned();
    }
    let is_absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split(['/', '\\'])) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// The last part.
pub(crate) fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined() {
        assert_eq!(beside("compose.yaml", "./api"), "api");
        assert_eq!(beside("compose.yaml", "."), ".");
        assert_eq!(beside("deploy/compose.yaml", ".."), ".");
        assert_eq!(beside("deploy/compose.yaml", "../src/api/"), "src/api");
        assert_eq!(beside("compose.yaml", "../x"), "../x");
        assert_eq!(beside("/etc/a/x.yaml", "../b"), "/etc/b");
        assert_eq!(beside("compose.yaml", "/opt/x"), "/opt/x");
    }
}
