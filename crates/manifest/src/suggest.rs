//! "Did you mean …?"

/// The candidate that `word` was probably meant to be, or nothing when none is near.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let scored = candidates.into_iter().filter_map(|candidate| {
        let known = plain(candidate);
        let distance = strsim::osa_distance(&word, &known);
        // A third of the letters may be wrong, and a word may be cut short: `westeuro`, `container-app`.
        let allowed = word.chars().count().max(known.chars().count()) / 3;
        let cut_short = word.len() >= 3 && (known.starts_with(&word) || word.starts_with(&known));
        (distance <= allowed.max(1) && distance < known.chars().count() || cut_short)
            .then_some((distance, candidate))
    });
    scored.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// What counts in a comparison: letters and digits.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(80).collect()
}

/// "did you mean `x`?", when something is near.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// "did you mean `x`?", or else all there is.
pub(crate) fn or_all<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    did_you_mean(word, candidates.clone()).or_else(|| {
        let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
        match all.as_slice() {
            [] => None,
            [one] => Some(format!("there is only {one}")),
            all => Some(format!("there are {}", enumerate(all, "and"))),
        }
    })
}

/// `a, b and c`.
pub(crate) fn enumerate<S: AsRef<str>>(words: &[S], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} {and} {}", rest.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let regions = ["westus", "westeurope", "northeurope"];
        assert_eq!(nearest("westeuro", regions), Some("westeurope"));
        assert_eq!(nearest("West Europe", regions), Some("westeurope"));
        assert_eq!(nearest("nirtheurope", regions), Some("northeurope"));
        assert_eq!(nearest("mars", regions), None);
        assert_eq!(nearest("", regions), None);
        assert_eq!(nearest("contianer-aps", ["container-apps", "app-service"]), Some("container-apps"));
    }
}
