//! How wide texts are, without a font.
//!
//! A picture names a stack of fonts ([`FONTS`]) and is drawn by whatever the reader's machine has of them. The widths
//! here are, letter by letter, the greater of DejaVu Sans and Liberation Sans (Arial's and Helvetica's widths), which
//! are the widest of the stack: what fits by them fits with every font in it.

/// The fonts that pictures ask for.
pub const FONTS: &str =
    "'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// How heavy a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Names and facts.
    Regular,
    /// Labels.
    Bold,
}

/// Thousandths of the font's size, from the space to the tilde.
#[rustfmt::skip]
const REGULAR: [u32; 95] = [
    318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337, 637, 637, 637, 637,
    637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 557, 1016, 685, 687, 723, 771, 667, 611,
    778, 752, 295, 500, 667, 558, 863, 749, 788, 667, 788, 723, 667, 611, 732, 685, 989, 686, 667, 686,
    391, 337, 391, 838, 557, 500, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634,
    612, 635, 635, 412, 521, 393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
];
/// The same for bold text.
#[rustfmt::skip]
const BOLD: [u32; 95] = [
    349, 457, 521, 838, 696, 1002, 873, 307, 458, 458, 523, 838, 380, 416, 380, 366, 696, 696, 696,
    696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 611, 1000, 774, 763, 734, 831, 684,
    684, 821, 837, 373, 557, 775, 638, 996, 837, 851, 733, 851, 771, 721, 683, 813, 774, 1104, 771,
    725, 726, 458, 366, 458, 838, 557, 500, 675, 716, 593, 716, 679, 436, 716, 712, 343, 343, 666, 343,
    1042, 712, 688, 716, 716, 494, 596, 479, 712, 652, 924, 646, 652, 583, 712, 366, 712, 838,
];
/// Of every other letter: none of the stack's is wider.
const OTHER: u32 = 1100;

/// The width of a text at a size in pixels, rounded up.
pub fn width(text: &str, size: u32, weight: Weight) -> i32 {
    let table = match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    };
    let of = |letter: char| match letter {
        // Between facts.
        '·' => 400,
        ' '..='~' => table[letter as usize - ' ' as usize],
        _ => OTHER,
    };
    let thousandths: u32 = text.chars().map(of).sum();
    i32::try_from((thousandths * size).div_ceil(1000)).unwrap_or(i32::MAX)
}

/// The text, or as much of its beginning and end as fits.
///
/// Names differ at their ends (region, environment, a hash) as much as at their beginnings.
pub fn shorten(text: &str, size: u32, weight: Weight, room: i32) -> String {
    if width(text, size, weight) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    for kept in (2..letters.len()).rev() {
        let (front, back) = (kept.div_ceil(2), kept / 2);
        let cut: String =
            letters[..front].iter().chain(&['…']).chain(&letters[letters.len() - back..]).collect();
        if width(&cut, size, weight) <= room {
            return cut;
        }
    }
    "…".to_owned()
}

/// Pieces in lines no wider than `room`, at most `lines` of them; the last says how many pieces are left.
pub fn wrap(pieces: &[String], separator: &str, size: u32, room: i32, lines: usize) -> Vec<String> {
    let fits = |text: &str| width(text, size, Weight::Regular) <= room;
    let mut made: Vec<String> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let left = pieces.len() - at;
        let joined = made.last().map(|line| format!("{line}{separator}{piece}"));
        let more = |line: &str, left: usize| format!("{line} +{left}");
        match joined {
            // Room is kept for the count of what may not fit.
            Some(joined)
                if fits(&joined) && (made.len() < lines || left == 1 || fits(&more(&joined, left - 1))) =>
            {
                if let Some(line) = made.last_mut() {
                    *line = joined;
                }
            }
            _ if made.len() < lines => {
                let kept = if left == 1 { 0 } else { 40 };
                made.push(shorten(piece, size, Weight::Regular, room - kept));
            }
            _ => {
                if let Some(line) = made.last_mut() {
                    *line = more(line, left);
                }
                break;
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shortened_fits_and_keeps_both_ends() {
        let name = "psql-talenti-candidates-prod-australiaeast-7f3a2";
        for room in [20, 60, 120, 200, 1000] {
            let cut = shorten(name, 11, Weight::Regular, room);
            assert!(width(&cut, 11, Weight::Regular) <= room, "{cut} in {room}");
            assert_eq!(cut == name, room == 1000);
        }
        assert!(shorten(name, 11, Weight::Bold, 150).ends_with("a2"));
    }

    #[test]
    fn lists_break_into_lines_that_fit() {
        let items: Vec<String> = (0..40).map(|at| format!("container-{at}")).collect();
        for (room, lines) in [(120, 1), (150, 3), (400, 2), (200, 100)] {
            let made = wrap(&items, ", ", 11, room, lines);
            assert!(made.len() <= lines);
            assert!(made.iter().all(|line| width(line, 11, Weight::Regular) <= room), "{made:?}");
            let shown = made.iter().map(|line| line.matches("container-").count()).sum::<usize>();
            let left =
                made.last().and_then(|line| line.rsplit_once(" +")).map_or(0, |(_, n)| n.parse().unwrap());
            assert_eq!(shown + left, items.len(), "{made:?}");
        }
    }
}
