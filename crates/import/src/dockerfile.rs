//! The one thing that is read of a Dockerfile: the port that its last stage says it listens on.

/// The port of the last stage's first `EXPOSE`.
pub(crate) fn port(text: &str) -> Option<u16> {
    let mut port = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("FROM") => port = None,
            Some("EXPOSE") if port.is_none() => {
                let tcp = |word: &str| match word.split_once('/') {
                    Some((port, protocol)) if protocol.eq_ignore_ascii_case("tcp") => port.parse().ok(),
                    Some(_) => None,
                    None => word.parse().ok(),
                };
                port = words.find_map(tcp).filter(|port| *port > 0);
            }
            _ => {}
        }
    }
    port
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_stage_counts() {
        let text = "FROM node AS build\nEXPOSE 3000\nFROM nginx\nEXPOSE 9000/udp 80/tcp 443\n";
        assert_eq!(super::port(text), Some(80));
        assert_eq!(super::port("FROM a\nEXPOSE 1\nFROM b\n"), None);
        assert_eq!(super::port("EXPOSE $PORT"), None);
    }
}
