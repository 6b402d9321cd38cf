//! What a registry takes as names, and which tokens open what.

use super::*;

#[test]
fn names_are_those_of_the_distribution_protocol() {
    for good in ["a", "a/b", "team/app-1", "a__b", "a.b", "a--b", "0/1/2", &"a".repeat(255)] {
        assert!(is_repository(good), "{good}");
    }
    for bad in
        ["", "/", "a/", "/a", "A", "a//b", "-a", "a-", "a..b", "a___b", "a._b", "é", "a b", &"a".repeat(256)]
    {
        assert!(!is_repository(bad), "{bad}");
    }
    for good in ["v1", "latest", "_x", "1.2-rc_1", &"a".repeat(128)] {
        assert!(is_tag(good), "{good}");
    }
    for bad in ["", "-a", ".a", "a/b", "a:b", "a@b", &"a".repeat(129)] {
        assert!(!is_tag(bad), "{bad}");
    }
    assert!(is_digest(&digest_of(b"x")));
    for bad in ["", "sha256:", "sha512:00", "sha256:XYZ", &digest_of(b"x").to_uppercase()] {
        assert!(!is_digest(bad), "{bad}");
    }
}
