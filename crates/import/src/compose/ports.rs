//! The forms of Compose's ports.

use crate::tree::Node;

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// The container's side: the first one of a range.
    pub container: u16,
    pub is_tcp: bool,
    /// Whether only the machine itself reaches it.
    pub is_loopback: bool,
}

/// `80`, `8080:80`, `127.0.0.1:8080:80/tcp`, `[::1]:8080:80`, `3000-3005:3000-3005`, `127.0.0.1::80`.
pub(super) fn short(text: &str) -> Option<Port> {
    let (rest, protocol) = text.trim().rsplit_once('/').unwrap_or((text.trim(), "tcp"));
    let (before, container) = rest.rsplit_once(':').unwrap_or(("", rest));
    let host = match before.rsplit_once(':') {
        Some((host, _)) => host,
        // `127.0.0.1:80` is no form of Compose's: before a single colon stands the machine's port.
        None => "",
    };
    let container = container.split('-').next()?.parse().ok().filter(|port| *port > 0)?;
    Some(Port { container, is_tcp: protocol.eq_ignore_ascii_case("tcp"), is_loopback: is_loopback(host) })
}

/// `target: 80` with `published`, `protocol` and `host_ip`.
pub(super) fn long(node: &Node) -> Option<Port> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    Some(Port {
        container: node.get("target")?.port()?,
        is_tcp: text("protocol").is_none_or(|protocol| protocol.eq_ignore_ascii_case("tcp")),
        is_loopback: text("host_ip").is_some_and(is_loopback),
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.") || host.trim_matches(['[', ']']) == "::1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let port = |text: &str| short(text).map(|port| (port.container, port.is_tcp, port.is_loopback));
        assert_eq!(port("80"), Some((80, true, false)));
        assert_eq!(port("8080:80"), Some((80, true, false)));
        assert_eq!(port("127.0.0.1:8080:80/udp"), Some((80, false, true)));
        assert_eq!(port("0.0.0.0:8080:80"), Some((80, true, false)));
        assert_eq!(port("[::1]:8080:80"), Some((80, true, true)));
        assert_eq!(port("127.0.0.1::80"), Some((80, true, true)));
        assert_eq!(port("3000-3005:4000-4005"), Some((4000, true, false)));
        for text in ["", ":", "a:b", "0", "99999", "80:", "/tcp"] {
            assert_eq!(port(text), None, "{text}");
        }
    }
}
