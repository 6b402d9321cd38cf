//! nginx's files: directives, and what its sites pass on to whom.

use std::collections::BTreeMap;

use crate::yaml::Wrong;

/// Deepest nesting: `http`, `server`, `location`, `if`, and some to spare.
const DEPTH_MAX: usize = 20;

/// Most directives of a file.
const DIRECTIVES_MAX: usize = 20_000;

/// A directive with its block, if it has one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Directive {
    pub name: String,
    pub args: Vec<String>,
    pub line: usize,
    pub block: Vec<Directive>,
}

/// The directives of a file.
pub(crate) fn read(text: &str) -> Result<Vec<Directive>, Wrong> {
    let mut open: Vec<Directive> = vec![Directive::default()];
    let mut words: Vec<(String, usize)> = Vec::new();
    let mut count = 0;
    let mut last_line = 1;
    for token in Tokens::of(text) {
        let (token, line) = token?;
        last_line = line;
        match token {
            Token::Word(word) => words.push((word, line)),
            Token::End | Token::Open => {
                let mut parts = std::mem::take(&mut words).into_iter();
                let Some((name, line)) = parts.next() else {
                    if token == Token::End {
                        continue;
                    }
                    return Err((line, "a block has no name".to_owned()));
                };
                count += 1;
                if count > DIRECTIVES_MAX {
                    return Err((line, format!("there are more than {DIRECTIVES_MAX} directives")));
                }
                let args = parts.map(|(word, _)| word).collect();
                let directive = Directive { name, args, line, block: Vec::new() };
                match token {
                    Token::Open if open.len() > DEPTH_MAX => {
                        return Err((line, format!("this is nested deeper than {DEPTH_MAX} levels")));
                    }
                    Token::Open => open.push(directive),
                    _ => open.last_mut().expect("the file itself stays open").block.push(directive),
                }
            }
            Token::Close => {
                if let Some((_, line)) = words.first() {
                    return Err((*line, "a `;` is missing".to_owned()));
                }
                if open.len() == 1 {
                    return Err((line, "this `}` closes nothing".to_owned()));
                }
                let closed = open.pop().expect("there are at least two");
                open.last_mut().expect("the file itself stays open").block.push(closed);
            }
        }
    }
    if let Some((_, line)) = words.first() {
        return Err((*line, "a `;` is missing".to_owned()));
    }
    match open.len() {
        1 => Ok(open.pop().expect("the file itself").block),
        _ => Err((
            open.last().map_or(last_line, |directive| directive.line),
            "this block is not closed".to_owned(),
        )),
    }
}

#[derive(PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

struct Tokens<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Tokens<'_> {
    fn of(text: &str) -> Tokens<'_> {
        Tokens { chars: text.chars().peekable(), line: 1 }
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<(Token, usize), Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.chars.peek()? {
                c if c.is_whitespace() => {
                    self.next_char();
                }
                '#' => while self.next_char().is_some_and(|c| c != '\n') {},
                _ => break,
            }
        }
        let line = self.line;
        let first = self.next_char()?;
        let token = match first {
            ';' => Token::End,
            '{' => Token::Open,
            '}' => Token::Close,
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match self.next_char() {
                        None => return Some(Err((line, "a quote is not closed".to_owned()))),
                        Some('\\') => word.extend(self.next_char()),
                        Some(c) if c == quote => break,
                        Some(c) => word.push(c),
                    }
                }
                Token::Word(word)
            }
            first => {
                let mut word = first.to_string();
                // `${name}` is part of a word; another brace ends it.
                while let Some(c) = self.chars.peek().copied() {
                    let is_braced = word.ends_with('$') && c == '{';
                    if c.is_whitespace()
                        || c == ';'
                        || (c == '{' && !is_braced)
                        || (c == '}' && !word.contains("${"))
                    {
                        break;
                    }
                    word.extend(self.next_char());
                    if c == '\\' {
                        word.extend(self.next_char());
                    }
                }
                Token::Word(word)
            }
        };
        Some(Ok((token, line)))
    }
}

/// Where requests go: what a process listens on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A port of this machine.
    Port(u16),
    /// A Unix socket.
    Socket(String),
    /// A machine elsewhere.
    Elsewhere(String),
}

/// What a `server` block says.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub line: usize,
    pub names: Vec<(String, usize)>,
    pub routes: Vec<Route>,
    pub allow: Vec<(String, usize)>,
    /// Whether all who are not allowed are refused.
    pub denies_all: bool,
    pub origins: Vec<(String, usize)>,
    /// Whether it does nothing but send to another address.
    pub is_redirect: bool,
    /// What it asks for that is said elsewhere, or nowhere: each with its line.
    pub other: Vec<(String, usize)>,
}

/// A `location` that passes requests on.
#[derive(Debug)]
pub(crate) struct Route {
    pub path: String,
    pub targets: Vec<Target>,
    pub line: usize,
    /// Whether the same client is always sent to the same process.
    pub is_sticky: bool,
}

/// The sites of a file; upstreams are those of all files.
pub(crate) fn sites(directives: &[Directive], upstreams: &BTreeMap<String, Upstream>) -> Vec<Site> {
    let servers = blocks(directives, "server");
    servers.into_iter().map(|server| site(server, upstreams)).collect()
}

/// An `upstream` block.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    pub servers: Vec<Target>,
    pub is_sticky: bool,
}

/// The upstreams of a file.
pub(crate) fn upstreams(directives: &[Directive]) -> BTreeMap<String, Upstream> {
    let upstream = |block: &Directive| {
        let servers = block.block.iter().filter(|directive| directive.name == "server");
        let servers =
            servers.filter_map(|directive| directive.args.first()).map(|text| target(text, &BTreeMap::new()));
        let is_sticky = block.block.iter().any(|directive| ["ip_hash", "sticky"].contains(&&*directive.name));
        let name = block.args.first().cloned().unwrap_or_default();
        (name, Upstream { servers: servers.flatten().collect(), is_sticky })
    };
    blocks(directives, "upstream").into_iter().map(upstream).collect()
}

/// Blocks of a name, at the top and within `http`.
fn blocks<'a>(directives: &'a [Directive], name: &str) -> Vec<&'a Directive> {
    let inner = directives.iter().filter(|directive| directive.name == "http").flat_map(|http| &http.block);
    directives
        .iter()
        .chain(inner)
        .filter(|directive| directive.name == name && !directive.block.is_empty())
        .collect()
}

fn site(server: &Directive, upstreams: &BTreeMap<String, Upstream>) -> Site {
    let mut site = Site { line: server.line, ..Site::default() };
    for directive in &server.block {
        match &*directive.name {
            "server_name" => {
                site.names.extend(directive.args.iter().map(|name| (name.clone(), directive.line)))
            }
            "location" => location(directive, upstreams, &mut site),
            _ => common(directive, &mut site),
        }
    }
    let returns = |directive: &Directive| {
        directive.name == "return" && directive.args.first().is_some_and(|code| code.starts_with('3'))
    };
    let redirects = server.block.iter().any(|directive| {
        // Certbot writes its redirect within an `if`.
        returns(directive)
            || (directive.name == "if" && directive.block.iter().any(returns))
            || (directive.name == "location" && directive.block.iter().any(returns))
            || directive.name == "rewrite"
    });
    site.is_redirect = site.routes.is_empty() && redirects;
    site
}

fn location(block: &Directive, upstreams: &BTreeMap<String, Upstream>, site: &mut Site) {
    let path = block.args.last().cloned().unwrap_or_else(|| "/".to_owned());
    for directive in &block.block {
        match &*directive.name {
            "proxy_pass" | "grpc_pass" | "uwsgi_pass" => {
                let text = directive.args.first().map_or("", String::as_str);
                let host = authority(text);
                let upstream = upstreams.get(host);
                let targets = upstream
                    .map_or_else(|| target(text, upstreams).into_iter().collect(), |up| up.servers.clone());
                let is_sticky = upstream.is_some_and(|upstream| upstream.is_sticky);
                site.routes.push(Route { path: path.clone(), targets, line: directive.line, is_sticky });
                if directive.name == "uwsgi_pass" {
                    site.other.push(("uwsgi_pass".to_owned(), directive.line));
                }
            }
            "location" => location(directive, upstreams, site),
            // A rule for one path only does not hold for the whole ingress.
            "allow" | "deny" if path != "/" => {
                site.other.push((format!("{} in {path}", directive.name), directive.line))
            }
            _ => common(directive, site),
        }
    }
}

fn common(directive: &Directive, site: &mut Site) {
    let line = directive.line;
    let arg = |at: usize| directive.args.get(at).map_or("", String::as_str);
    match &*directive.name {
        "allow" if arg(0) != "all" => site.allow.push((arg(0).to_owned(), line)),
        "deny" if arg(0) == "all" => site.denies_all = true,
        "allow" => {}
        "deny" => site.other.push(("deny".to_owned(), line)),
        "add_header" | "more_set_headers" if arg(0).eq_ignore_ascii_case("Access-Control-Allow-Origin") => {
            site.origins.push((arg(1).to_owned(), line));
        }
        "if" => directive.block.iter().for_each(|inner| common(inner, site)),
        "proxy_set_header" | "grpc_set_header"
            if !HEADERS.iter().any(|known| known.eq_ignore_ascii_case(arg(0))) =>
        {
            site.other.push((format!("{} {}", directive.name, arg(0)), line));
        }
        "proxy_set_header" | "grpc_set_header" => {}
        "include" if INCLUDES.iter().any(|known| arg(0).contains(known)) => {}
        name if UNSAID.contains(&name) || UNSAID_STARTS.iter().any(|start| name.starts_with(start)) => {}
        name => site.other.push((name.to_owned(), line)),
    }
}

/// Headers that the ingress sets by itself, and those of WebSockets, which it carries.
const HEADERS: &[&str] = &[
    "Host",
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "Upgrade",
    "Connection",
    "X-Scheme",
    "X-Original-URI",
    "Accept-Encoding",
    "X-Request-ID",
];

/// Included files that say only what is usual.
const INCLUDES: &[&str] = &[
    "mime.types",
    "_params",
    "proxy.conf",
    "letsencrypt",
    "ssl",
    "sites-enabled",
    "conf.d/",
    "modules-enabled",
    "gzip",
];

/// Directives whose purpose the ingress serves without being told, or that tune this nginx only.
const UNSAID: &[&str] = &[
    "listen",
    "server_tokens",
    "access_log",
    "error_log",
    "log_not_found",
    "return",
    "charset",
    "http2",
    "http3",
    "index",
    "try_files",
    "sendfile",
    "tcp_nopush",
    "tcp_nodelay",
    "types_hash_max_size",
    "default_type",
    "resolver",
    "resolver_timeout",
    "set",
    "expires",
    "etag",
    "merge_slashes",
    "underscores_in_headers",
    "port_in_redirect",
    "absolute_redirect",
    "internal",
    "break",
    "proxy_http_version",
    "proxy_redirect",
    "proxy_buffering",
    "proxy_buffers",
    "proxy_buffer_size",
    "proxy_busy_buffers_size",
    "proxy_request_buffering",
    "proxy_connect_timeout",
    "proxy_send_timeout",
    "proxy_next_upstream",
    "proxy_cache_bypass",
    "proxy_pass_header",
    "proxy_hide_header",
    "proxy_max_temp_file_size",
    "proxy_temp_path",
    "auth_basic_user_file",
    "set_real_ip_from",
    "real_ip_header",
    "real_ip_recursive",
    "limit_req_status",
    "limit_req_log_level",
    "satisfy",
    "server_name",
    "http2_push_preload",
    "chunked_transfer_encoding",
    "autoindex",
    "deny",
    "types",
];

/// How such directives begin: certificates, compression, connections.
const UNSAID_STARTS: &[&str] = &[
    "ssl_",
    "gzip",
    "brotli",
    "keepalive",
    "client_body",
    "client_header",
    "large_client",
    "send_",
    "open_file",
    "proxy_ssl",
];

/// `http://host:port/path` without the rest.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn target(text: &str, upstreams: &BTreeMap<String, Upstream>) -> Option<Target> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if let Some(socket) = rest.strip_prefix("unix:") {
        return Some(Target::Socket(socket.split(':').next().unwrap_or_default().to_owned()));
    }
    let authority = authority(text);
    if let Some(upstream) = upstreams.get(authority) {
        return upstream.servers.first().cloned();
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    };
    match host {
        "" => None,
        "127.0.0.1" | "localhost" | "[::1]" | "0.0.0.0" => Some(Target::Port(port.unwrap_or(80))),
        host => Some(Target::Elsewhere(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_and_its_upstream() {
        let text = "upstream app { ip_hash; server unix:/run/app.sock fail_timeout=0; server 127.0.0.1:8001; }\n\
                    server {\n  listen 443 ssl; # tls\n  server_name example.com \"www.example.com\";\n\
                    location ~* \\.(png|jpg)$ { root /var/www; }\n  location / { proxy_pass http://app; proxy_set_header Host ${host}; }\n}\n";
        let read = read(text).expect("fine");
        let sites = sites(&read, &upstreams(&read));
        assert_eq!(sites.len(), 1);
        let route = &sites[0].routes[0];
        assert_eq!((route.path.as_str(), route.is_sticky, route.line), ("/", true, 6));
        assert_eq!(route.targets, [Target::Socket("/run/app.sock".into()), Target::Port(8001)]);
        assert_eq!(sites[0].names.len(), 2);
        assert_eq!(sites[0].other, [("root".to_owned(), 5)]);
    }

    #[test]
    fn mistakes_have_their_line() {
        for (text, line) in
            [("a b\n}", 1), ("}", 1), ("server {\n a;\n", 1), ("a;\n{ }", 2), ("a \"b", 1), ("a", 1)]
        {
            assert_eq!(read(text).map_err(|(line, _)| line), Err(line), "{text}");
        }
        assert!(read(&"a {".repeat(1000)).is_err());
    }
}
