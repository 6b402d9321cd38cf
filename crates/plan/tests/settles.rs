//! After an apply there is nothing to change, whatever the App and whatever Azure made of the bodies.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

#[path = "../../blueprint/tests/apps/mod.rs"]
mod apps;
mod cloud;

use cloud::Cloud;
use landfall_blueprint::blueprint;
use landfall_plan::{Action, Detail, Plan, plan, render};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_plan_is_empty(app in apps::any_app(), mood in any::<u64>()) {
        let wanted = blueprint(&app).unwrap();
        let mut cloud = Cloud { mood, ..Cloud::default() };
        let first = plan(&wanted, &cloud.live());
        prop_assert!(first.changes.iter().all(|change| change.action == Action::Create));
        cloud.provide(&wanted);
        let planned = plan(&wanted, &cloud.live());
        cloud.apply(&planned);
        let again = plan(&wanted, &cloud.live());
        prop_assert!(again.is_empty(), "{}", render(&again, Detail::Properties, false));
        // The journal adds causes; without it the comparison says the same.
        let mut forgotten = cloud.live();
        forgotten.applied.clear();
        let without = plan(&wanted, &forgotten);
        prop_assert!(without.is_empty(), "{}", render(&without, Detail::Properties, false));
        prop_assert_eq!(&again.basis, &plan(&wanted, &cloud.live()).basis);
    }

    #[test]
    fn from_any_app_to_any_other(
        one in apps::any_app(),
        other in apps::any_app(),
        moods in any::<(u64, u64)>(),
    ) {
        // The same names, so that as much as possible is changed in place.
        let renamed = landfall_manifest::App {
            name: one.name.clone(),
            environment: one.environment.clone(),
            region: one.region.clone(),
            naming: one.naming.clone(),
            subscription: one.subscription.clone(),
            services: one
                .services
                .keys()
                .cloned()
                .zip(other.services.values().cloned())
                .map(|(name, mut service)| {
                    // What the other App's variables refer to is not here.
                    service.uses.clear();
                    service.env.clear();
                    (name, service)
                })
                .collect(),
            ..other
        };
        let (before, after) = (blueprint(&one).unwrap(), blueprint(&renamed).unwrap());
        let mut cloud = Cloud { mood: moods.0, ..Cloud::default() };
        cloud.provide(&before);
        let first = plan(&before, &cloud.live());
        cloud.apply(&first);
        // What the second does not have is no longer read.
        let mut kept = cloud.clone();
        kept.mood = moods.1;
        kept.provide(&after);
        let known: Vec<_> = after.resources.iter().map(|r| (r.address.clone(), r.id().to_lowercase())).collect();
        kept.resources.retain(|address, body| {
            let id = body["id"].as_str().unwrap_or_default().to_lowercase();
            known.iter().any(|(there, wanted)| there == address && *wanted == id)
        });
        let second = plan(&after, &kept.live());
        kept.apply(&second);
        let again = plan(&after, &kept.live());
        prop_assert!(again.is_empty(), "{}", render(&again, Detail::Properties, false));
        // A plan survives being saved.
        let saved = serde_json::to_string(&second).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Plan>(&saved).unwrap(), &second);
    }
}
