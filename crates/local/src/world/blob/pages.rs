//! Page blobs: a fixed length, written in pages of 512 bytes, with holes.
//!
//! Sources: `rest/api/storageservices/put-page`, `get-page-ranges`, `understanding-block-blobs--append-blobs--and-page-blobs`.

use super::lease::What;
use super::refusal::{bad_query, invalid_header, missing_header, refuse};
use super::{Ask, Blob, BlobKind, Right, blobs, conditions, copy, http_date, integrity, xml};
use crate::world::http::{Segment, slice};
use crate::world::{Response, World};

const PAGE: u64 = 512;
/// 8 TiB.
const SIZE_MAX: u64 = 8 << 40;
/// Of one write.
const WRITE_MAX: u64 = 4 << 20;

/// The length and the sequence number that `Put Blob` gives a page blob.
pub(super) fn sent(ask: &Ask<'_>) -> Result<(u64, u64), Response> {
    let name = "x-ms-blob-content-length";
    let length = length(ask)?.ok_or_else(|| missing_header(name))?;
    Ok((length, number(ask, "x-ms-blob-sequence-number")?.unwrap_or(0)))
}

fn length(ask: &Ask<'_>) -> Result<Option<u64>, Response> {
    let name = "x-ms-blob-content-length";
    match number(ask, name)? {
        Some(length) if length % PAGE != 0 || length > SIZE_MAX => {
            Err(invalid_header(name, &length.to_string()))
        }
        length => Ok(length),
    }
}

fn number(ask: &Ask<'_>, name: &str) -> Result<Option<u64>, Response> {
    let Some(text) = ask.header(name) else { return Ok(None) };
    text.parse()
        .ok()
        .filter(|it| i64::try_from(*it).is_ok())
        .map(Some)
        .ok_or_else(|| invalid_header(name, text))
}

/// What `Set Blob Properties` changes of a page blob: its length, its sequence number.
pub(super) fn resize(ask: &Ask<'_>, blob: &mut Blob) -> Result<(), Response> {
    if let Some(length) = length(ask)? {
        blob.segments = if length > blob.size {
            joined([blob.segments.clone(), vec![Segment::hole(length - blob.size)]])
        } else {
            slice(&blob.segments, 0, length)
        };
        blob.size = length;
    }
    let sent = number(ask, "x-ms-blob-sequence-number")?;
    let action = ask.header("x-ms-sequence-number-action").map(str::to_ascii_lowercase);
    blob.sequence = match (action.as_deref(), sent) {
        (None, None) => blob.sequence,
        (None, Some(_)) => return Err(missing_header("x-ms-sequence-number-action")),
        (Some("increment"), None) => blob.sequence + 1,
        (Some("update"), Some(sent)) => sent,
        (Some("max"), Some(sent)) => sent.max(blob.sequence),
        (Some("update" | "max"), None) => return Err(missing_header("x-ms-blob-sequence-number")),
        (Some(other), _) => return Err(invalid_header("x-ms-sequence-number-action", other)),
    };
    Ok(())
}

/// `Put Page`, of the body or from a URL, and its clearing.
pub(super) fn put(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Write)?;
    let action = ask.header("x-ms-page-write").ok_or_else(|| missing_header("x-ms-page-write"))?;
    let clears = match action.to_ascii_lowercase().as_str() {
        "update" => false,
        "clear" => true,
        _ => return Err(invalid_header("x-ms-page-write", action)),
    };
    let range = ask.header("x-ms-range").or(ask.header("range")).ok_or_else(|| missing_header("range"))?;
    let (first, last) = bounds(range).ok_or_else(|| invalid_header("range", range))?;
    let length = last - first + 1;
    let (content, sums) = if clears {
        if ask.content().1 > 0 {
            return Err(invalid_header("content-length", &ask.content().1.to_string()));
        }
        // A hole that somebody made is another than one that was always there: `Get Page Ranges` tells.
        let made = world.blobs.accounts.get(ask.account).map_or(0, |account| account.changes + 1);
        (vec![Segment { offset: made, ..Segment::hole(length) }], integrity::Sums::default())
    } else {
        let (content, size) = match ask.header("x-ms-copy-source") {
            Some(source) => copy::part(world, ask, source)?,
            None => ask.content(),
        };
        if size > WRITE_MAX {
            return Err(refuse(
                413,
                "RequestBodyTooLarge",
                "The request body is too large and exceeds the maximum permissible limit.",
            ));
        }
        if size != length {
            return Err(invalid_header("content-length", &size.to_string()));
        }
        let sums = integrity::check(ask, &content)?;
        (content, sums)
    };
    let blob = ask.blob(world)?;
    if blob.kind != BlobKind::PageBlob {
        return Err(refuse(409, "InvalidBlobType", "The blob type is invalid for this operation."));
    }
    if first % PAGE != 0 || (last + 1) % PAGE != 0 || last >= blob.size {
        return Err(refuse(416, "InvalidPageRange", "The page range specified is invalid."));
    }
    conditions::check_tagged(ask, blob)?;
    check_sequence(ask, blob)?;
    blob.encryption.check_change(world, ask, ask.container(world)?)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, true)?;
    blob.kept.guard(world.now)?;
    ask.container(world)?.keeping.guard(blob, world.now)?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    let blob = container.blobs.get_mut(&ask.blob).ok_or_else(super::blob_not_found)?;
    let rest = slice(&blob.segments, last + 1, blob.size - last - 1);
    blob.segments = joined([slice(&blob.segments, 0, first), content, rest]);
    blob.properties.content_md5 = None;
    blob.etag.clone_from(&etag);
    blob.modified = now;
    let response =
        blobs::written(201, &etag, now, None).with("x-ms-blob-sequence-number", blob.sequence.to_string());
    Ok(blob.encryption.describe(sums.describe(ask, response)))
}

/// First and last byte of `bytes=a-b`.
fn bounds(range: &str) -> Option<(u64, u64)> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last && last < u64::MAX).then_some((first, last))
}

/// `x-ms-if-sequence-number-*`.
fn check_sequence(ask: &Ask<'_>, blob: &Blob) -> Result<(), Response> {
    let (now, wanted) = (blob.sequence, |name| number(ask, name));
    let holds = [
        wanted("x-ms-if-sequence-number-le")?.is_none_or(|wanted| now <= wanted),
        wanted("x-ms-if-sequence-number-lt")?.is_none_or(|wanted| now < wanted),
        wanted("x-ms-if-sequence-number-eq")?.is_none_or(|wanted| now == wanted),
    ];
    if holds.contains(&false) {
        return Err(refuse(
            412,
            "SequenceNumberConditionNotMet",
            "The sequence number condition specified was not met.",
        ));
    }
    Ok(())
}

/// Pieces one after the other, holes beside each other made one.
fn joined<const N: usize>(parts: [Vec<Segment>; N]) -> Vec<Segment> {
    let mut all: Vec<Segment> = Vec::new();
    for segment in parts.into_iter().flatten() {
        match all.last_mut() {
            Some(last) if last.is_hole() && segment.is_hole() && last.offset == segment.offset => {
                last.length += segment.length;
            }
            _ => all.push(segment),
        }
    }
    all
}

/// `Get Page Ranges`, whole or as the difference from a snapshot.
pub(super) fn ranges(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::Read)?;
    let blob = ask.blob(world)?;
    if blob.kind != BlobKind::PageBlob {
        return Err(refuse(409, "InvalidBlobType", "The blob type is invalid for this operation."));
    }
    conditions::check_tagged(ask, blob)?;
    blob.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Blob, false)?;
    let before = match ask.request.query("prevsnapshot") {
        None => None,
        Some(id) => Some(previous(world, ask, id)?),
    };
    let range = ask.header("x-ms-range").or(ask.header("range"));
    let window = range.map(|range| blobs::range_of(range, blob.size)).transpose()?.flatten();
    let (first, last) = window.unwrap_or((0, blob.size.saturating_sub(1)));
    let found: Vec<(Written, u64, u64)> = written(blob, before)
        .into_iter()
        .filter(|(_, start, end)| blob.size > 0 && *start <= last && *end >= first)
        .map(|(kind, start, end)| (kind, start.max(first), end.min(last)))
        .collect();
    let max = match ask.request.query("maxresults").filter(|max| !max.is_empty()) {
        None => usize::MAX,
        Some(max) => {
            max.parse().ok().filter(|max: &usize| *max > 0).ok_or_else(|| bad_query("maxresults"))?
        }
    };
    let skipped = ask.request.query("marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let mut body = String::from("<PageList>");
    for (kind, start, end) in found.iter().skip(skipped).take(max) {
        let name = if *kind == Written::Pages { "PageRange" } else { "ClearRange" };
        body += &format!("<{name}><Start>{start}</Start><End>{end}</End></{name}>");
    }
    let next = skipped.saturating_add(max);
    if next < found.len() {
        body += &xml::element("NextMarker", &next.to_string());
    }
    body += "</PageList>";
    Ok(xml::response(200, &body)
        .with("etag", blob.etag.as_str())
        .with("last-modified", http_date(blob.modified))
        .with("x-ms-blob-content-length", blob.size.to_string()))
}

fn previous<'w>(world: &'w World, ask: &Ask<'_>, id: &str) -> Result<&'w Blob, Response> {
    let past = ask.container(world)?.past.get(&ask.blob).into_iter().flatten();
    past.filter(|past| past.deleted.is_none())
        .find(|past| past.is_snapshot(id))
        .map(|past| &past.blob)
        .ok_or_else(|| refuse(409, "PreviousSnapshotNotFound", "The previous snapshot is not found."))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Pages,
    Cleared,
}

/// Ranges of a blob that were written, or with an earlier state those that differ from it, in order.
fn written(blob: &Blob, before: Option<&Blob>) -> Vec<(Written, u64, u64)> {
    let mut cuts: Vec<u64> = ends(blob).chain(before.into_iter().flat_map(ends)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut ranges: Vec<(Written, u64, u64)> = Vec::new();
    let mut start = 0;
    for end in cuts.into_iter().take_while(|end| *end <= blob.size) {
        let piece = |of: &Blob| slice(&of.segments, start, end - start).into_iter().next();
        let (now, then) = (piece(blob), before.map(piece));
        let is_hole = |piece: &Option<Segment>| piece.as_ref().is_none_or(Segment::is_hole);
        let place = |piece: &Option<Segment>| piece.as_ref().map(|it| (it.key.clone(), it.offset));
        let kind = match (&now, &then) {
            (now, None) => (!is_hole(now)).then_some(Written::Pages),
            (now, Some(then)) if place(now) == place(then) => None,
            (now, Some(_)) if is_hole(now) => Some(Written::Cleared),
            (_, Some(_)) => Some(Written::Pages),
        };
        match (kind, ranges.last_mut()) {
            (Some(kind), Some((last, _, until))) if *last == kind && *until + 1 == start => *until = end - 1,
            (Some(kind), _) => ranges.push((kind, start, end - 1)),
            (None, _) => {}
        }
        start = end;
    }
    ranges
}

/// Where each piece of a blob ends.
fn ends(blob: &Blob) -> impl Iterator<Item = u64> {
    blob.segments.iter().scan(0, |at, segment| {
        *at += segment.length;
        Some(*at)
    })
}
