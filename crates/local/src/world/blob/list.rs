//! Listings of containers and blobs: prefix, delimiter, pages.

use super::refusal::refuse;
use super::{Ask, Blob, BlobKind, http_date, xml};
use crate::world::{Response, World};

const PAGE_MAX: usize = 5000;

/// What a listing asks for.
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    /// The entry that the page begins with.
    marker: &'a str,
    max: usize,
    metadata: bool,
    tags: bool,
    uncommitted: bool,
}

fn wanted<'a>(ask: &'a Ask<'_>) -> Result<Wanted<'a>, Response> {
    let query = |name: &str| ask.request.query(name).unwrap_or_default();
    let max = match ask.request.query("maxresults") {
        None | Some("") => PAGE_MAX,
        Some(max) => match max.parse::<usize>() {
            Ok(max) if max > 0 => max.min(PAGE_MAX),
            _ => {
                return Err(refuse(
                    400,
                    "OutOfRangeQueryParameterValue",
                    "One of the query parameters specified in the request URI is outside the permissible range.",
                ));
            }
        },
    };
    let included = query("include").to_ascii_lowercase();
    let include = |name: &str| included.split(',').any(|one| one.trim() == name);
    Ok(Wanted {
        prefix: query("prefix"),
        delimiter: query("delimiter"),
        marker: query("marker"),
        max,
        metadata: include("metadata"),
        tags: include("tags"),
        uncommitted: include("uncommittedblobs"),
    })
}

fn head(ask: &Ask<'_>, wanted: &Wanted<'_>) -> String {
    let mut out = format!("<EnumerationResults ServiceEndpoint=\"{}/\"", xml::escape(&ask.request.origin));
    if !ask.container.is_empty() {
        out.push_str(&format!(" ContainerName=\"{}\"", xml::escape(&ask.container)));
    }
    out.push('>');
    let given = |name: &str| ask.request.query(name).is_some();
    for (name, query, value) in [
        ("Prefix", "prefix", wanted.prefix.to_owned()),
        ("Marker", "marker", wanted.marker.to_owned()),
        ("MaxResults", "maxresults", wanted.max.to_string()),
        ("Delimiter", "delimiter", wanted.delimiter.to_owned()),
    ] {
        if given(query) {
            out.push_str(&xml::element(name, &value));
        }
    }
    out
}

/// `List Containers`.
pub(super) fn containers(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.control(world, ask, "read")?;
    let wanted = wanted(ask)?;
    let mut out = head(ask, &wanted);
    out.push_str("<Containers>");
    let account = world.blobs.accounts.get(ask.account);
    let all = account.into_iter().flat_map(|account| &account.containers);
    let mut entries =
        all.filter(|(name, _)| name.starts_with(wanted.prefix) && name.as_str() >= wanted.marker).peekable();
    for (name, container) in entries.by_ref().take(wanted.max) {
        out.push_str(&format!(
            "<Container>{}<Properties>{}{}<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>",
            xml::element("Name", name),
            xml::element("Last-Modified", &http_date(container.modified)),
            xml::element("Etag", &container.etag),
        ));
        if let Some(public) = &container.public {
            out.push_str(&xml::element("PublicAccess", public));
        }
        out.push_str("<DefaultEncryptionScope>$account-encryption-key</DefaultEncryptionScope><DenyEncryptionScopeOverride>false</DenyEncryptionScopeOverride><HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold></Properties>");
        if wanted.metadata {
            out.push_str(&pairs("Metadata", container.metadata.iter()));
        }
        out.push_str("</Container>");
    }
    let next = entries.peek().map(|(name, _)| name.as_str()).unwrap_or_default();
    out.push_str(&format!("</Containers>{}</EnumerationResults>", xml::element("NextMarker", next)));
    Ok(xml::response(200, &out))
}

/// `List Blobs`: flat, or by folders when there is a delimiter.
pub(super) fn blobs(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.data(world, ask, "read")?;
    let container = ask.container(world)?;
    let wanted = wanted(ask)?;
    let mut out = head(ask, &wanted);
    out.push_str("<Blobs>");
    let mut names: Vec<(&str, Option<&Blob>)> =
        container.blobs.iter().map(|(name, blob)| (name.as_str(), Some(blob))).collect();
    if wanted.uncommitted {
        let staged = container.staged.keys().filter(|name| !container.blobs.contains_key(*name));
        names.extend(staged.map(|name| (name.as_str(), None)));
        names.sort_by_key(|(name, _)| *name);
    }
    let mut entries = names
        .into_iter()
        .filter(|(name, _)| name.starts_with(wanted.prefix))
        .filter_map(|(name, blob)| {
            // What is behind the next delimiter is one entry.
            let rest = &name[wanted.prefix.len()..];
            let folder = match wanted.delimiter {
                "" => None,
                delimiter => {
                    rest.find(delimiter).map(|at| &name[..wanted.prefix.len() + at + delimiter.len()])
                }
            };
            let entry = folder.unwrap_or(name);
            (entry >= wanted.marker).then_some((entry, folder.is_some(), blob))
        })
        .peekable();
    let mut count = 0;
    let mut last_folder = None;
    let mut next = "";
    for (entry, is_folder, blob) in entries.by_ref() {
        if is_folder && last_folder == Some(entry) {
            continue;
        }
        if count == wanted.max {
            next = entry;
            break;
        }
        count += 1;
        if is_folder {
            last_folder = Some(entry);
            out.push_str(&format!("<BlobPrefix>{}</BlobPrefix>", name_element(entry)));
        } else {
            out.push_str(&blob_element(entry, blob, &wanted));
        }
    }
    out.push_str(&format!("</Blobs>{}</EnumerationResults>", xml::element("NextMarker", next)));
    Ok(xml::response(200, &out))
}

fn blob_element(name: &str, blob: Option<&Blob>, wanted: &Wanted<'_>) -> String {
    let mut out = format!("<Blob>{}<Properties>", name_element(name));
    let Some(blob) = blob else {
        // Blocks only: there is nothing to tell yet.
        out.push_str("<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>");
        return out;
    };
    let properties = &blob.properties;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let content_type = properties.content_type.clone().unwrap_or_else(|| "application/octet-stream".into());
    for (name, value) in [
        ("Creation-Time", http_date(blob.created)),
        ("Last-Modified", http_date(blob.modified)),
        ("Etag", blob.etag.trim_matches('"').to_owned()),
        ("Content-Length", blob.size.to_string()),
        ("Content-Type", content_type),
        ("Content-Encoding", text(&properties.content_encoding)),
        ("Content-Language", text(&properties.content_language)),
        ("Content-MD5", text(&properties.content_md5)),
        ("Cache-Control", text(&properties.cache_control)),
        ("Content-Disposition", text(&properties.content_disposition)),
        ("BlobType", blob.kind.name().to_owned()),
    ] {
        out.push_str(&xml::element(name, &value));
    }
    if blob.kind == BlobKind::BlockBlob {
        out.push_str(&xml::element("AccessTier", blob.tier.as_deref().unwrap_or("Hot")));
        if blob.tier.is_none() {
            out.push_str("<AccessTierInferred>true</AccessTierInferred>");
        }
    }
    out.push_str("<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>");
    if !blob.tags.is_empty() {
        out.push_str(&xml::element("TagCount", &blob.tags.len().to_string()));
    }
    out.push_str("</Properties>");
    if wanted.metadata {
        out.push_str(&pairs("Metadata", blob.metadata.iter()));
    }
    if wanted.tags && !blob.tags.is_empty() {
        out.push_str("<Tags><TagSet>");
        for (key, value) in &blob.tags {
            out.push_str(&format!("<Tag>{}{}</Tag>", xml::element("Key", key), xml::element("Value", value)));
        }
        out.push_str("</TagSet></Tags>");
    }
    out.push_str("<OrMetadata /></Blob>");
    out
}

/// A name; one that XML cannot hold is told percent-encoded.
fn name_element(name: &str) -> String {
    if name.chars().any(|c| c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        return format!("<Name Encoded=\"true\">{}</Name>", xml::escape(&encoded));
    }
    xml::element("Name", name)
}

fn pairs<'p>(name: &str, pairs: impl Iterator<Item = (&'p String, &'p String)>) -> String {
    let pairs: String = pairs.map(|(key, value)| xml::element(key, value)).collect();
    format!("<{name}>{pairs}</{name}>")
}
