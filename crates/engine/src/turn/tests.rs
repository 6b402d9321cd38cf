//! The core, turn by turn: what it asks for, as a list.

use serde_json::json;

use super::*;
use crate::graph::Operation;

fn at(seconds: f64) -> Timestamp {
    add(Timestamp::from_second(1_800_000_000).unwrap(), Duration::from_secs_f64(seconds))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn op(key: &str, needs: &[&str], estimate: u64) -> Operation {
    Operation::new(key, "put", key).needing(needs.iter().copied()).taking(seconds(estimate))
}

fn core_of(operations: Vec<Operation>, parallel: usize, history: &[(usize, &[Record])]) -> Core {
    let graph = Graph::new(operations).unwrap();
    let mut statuses = vec![(Status::Waiting, None); graph.len()];
    for (operation, records) in history {
        for record in *records {
            let (status, begun) = &mut statuses[*operation];
            *status = status.next(record).unwrap();
            begun.get_or_insert(at(0.0));
        }
    }
    Core::new(Arc::new(graph), statuses, parallel, Patience::default(), 1, at(0.0))
}

/// What a turn asked for, each effect in a word or two, without what is only told.
fn turn(core: &mut Core, now: f64, input: Input) -> Vec<String> {
    let names: Vec<_> = core.graph.operations().iter().map(|operation| operation.key.to_string()).collect();
    let effects = core.turn(at(now), input).unwrap();
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Record { operation, record } => {
                Some(format!("record {} {}", names[operation], record.name()))
            }
            Effect::Begin { operation, attempt } => Some(format!("begin {} {attempt}", names[operation])),
            Effect::Follow { operation, token, .. } => Some(format!("follow {} {token}", names[operation])),
            Effect::Tell { .. } => None,
            Effect::End(outcome) => Some(format!("end {outcome}")),
        })
        .collect()
}

fn done(operation: usize) -> Input {
    Input::Answer { operation, answer: Ok(Step::Done(json!(operation))) }
}

fn accepted(operation: usize, after: u64) -> Input {
    Input::Answer { operation, answer: Ok(Step::Accepted { token: json!("url"), after: seconds(after) }) }
}

fn failed(operation: usize, failure: Failure) -> Input {
    Input::Answer { operation, answer: Err(failure) }
}

fn throttled(after: u64) -> Failure {
    Failure::new(Class::Throttled, "slow down").after(seconds(after))
}

#[test]
fn nothing_to_do_is_done() {
    let mut core = core_of(vec![], 4, &[]);
    assert_eq!(turn(&mut core, 0.0, Input::Tick), ["end done"]);
    assert_eq!(turn(&mut core, 1.0, Input::Tick), Vec::<String>::new(), "once");
}

#[test]
fn what_is_needed_comes_first_and_shares_a_commit_with_what_it_frees() {
    let mut core = core_of(vec![op("b", &["a"], 1), op("a", &[], 1)], 4, &[]);
    assert_eq!(turn(&mut core, 0.0, Input::Tick), ["record a begun", "begin a 1"]);
    assert_eq!(turn(&mut core, 1.0, done(1)), ["record a done", "record b begun", "begin b 1"]);
    assert_eq!(turn(&mut core, 2.0, done(0)), ["record b done", "end done"]);
}

#[test]
fn the_longest_path_starts_first() {
    // `short` is long by itself; `head` has the longer way behind it.
    let operations =
        vec![op("short", &[], 5), op("head", &[], 1), op("tail", &["head"], 60), op("tiny", &[], 1)];
    let mut core = core_of(operations, 2, &[]);
    let begun = ["record head begun", "begin head 1", "record short begun", "begin short 1"];
    assert_eq!(turn(&mut core, 0.0, Input::Tick), begun);
    assert_eq!(turn(&mut core, 1.0, done(1)), ["record head done", "record tail begun", "begin tail 1"]);
    assert_eq!(turn(&mut core, 5.0, done(0)), ["record short done", "record tiny begun", "begin tiny 1"]);
}

#[test]
fn what_was_accepted_is_followed_by_its_token_when_it_is_time() {
    let mut core = core_of(vec![op("a", &[], 1)], 4, &[]);
    turn(&mut core, 0.0, Input::Tick);
    assert_eq!(turn(&mut core, 1.0, accepted(0, 15)), ["record a accepted"]);
    assert_eq!(core.deadline(), Some(at(16.0)));
    assert!(turn(&mut core, 15.9, Input::Tick).is_empty());
    assert_eq!(turn(&mut core, 16.0, Input::Tick), [r#"follow a "url""#]);
    // Running still, by the same token: nothing new to record.
    assert!(turn(&mut core, 17.0, accepted(0, 5)).is_empty());
    assert_eq!(turn(&mut core, 22.0, Input::Tick), [r#"follow a "url""#]);
    assert_eq!(turn(&mut core, 23.0, done(0)), ["record a done", "end done"]);
}

#[test]
fn a_resting_operation_gives_its_place_up_and_waits_exactly_as_asked() {
    let mut core = core_of(vec![op("a", &[], 9), op("b", &[], 1)], 1, &[]);
    turn(&mut core, 0.0, Input::Tick);
    assert_eq!(
        turn(&mut core, 1.0, failed(0, throttled(17))),
        ["record a retried", "record b begun", "begin b 1"]
    );
    assert_eq!(core.deadline(), Some(at(18.0)));
    assert!(turn(&mut core, 18.0, Input::Tick).is_empty(), "no place");
    assert_eq!(turn(&mut core, 30.0, done(1)), ["record b done", "record a begun", "begin a 2"]);
}

#[test]
fn patience_ends_in_time_and_not_in_tries() {
    let mut core = core_of(vec![op("a", &[], 1)], 1, &[]);
    let policy = Patience::default().transient;
    turn(&mut core, 0.0, Input::Tick);
    let (mut now, mut tries, mut waits) = (0.0, 1, Vec::new());
    loop {
        let effects = turn(&mut core, now, failed(0, Failure::new(Class::Transient, "reset")));
        if effects == ["record a failed", "end failed"] {
            break;
        }
        assert_eq!(effects, ["record a retried"]);
        let deadline = core.deadline().unwrap();
        let wait = between(at(now), deadline).as_secs_f64();
        waits.push(wait);
        now += wait;
        tries += 1;
        assert_eq!(
            turn(&mut core, now + 1e-6, Input::Tick),
            ["record a begun".to_owned(), format!("begin a {tries}")]
        );
    }
    assert!(
        (now - policy.budget.as_secs_f64()).abs() < 0.01,
        "the last try is at the end of the budget: {now}"
    );
    for (times, wait) in waits[..waits.len() - 1].iter().enumerate() {
        let full = (0.5 * 2_f64.powi(times as i32)).min(30.0);
        assert!((full / 2.0 - 1e-5..=full + 1e-5).contains(wait), "wait {times} is {wait} of {full}");
    }
}

#[test]
fn asked_to_stay_away_for_longer_than_patience_lasts_is_the_end() {
    let mut core = core_of(vec![op("a", &[], 1)], 1, &[]);
    turn(&mut core, 0.0, Input::Tick);
    assert_eq!(turn(&mut core, 1.0, failed(0, throttled(7200))), ["record a failed", "end failed"]);
}

#[test]
fn each_class_has_its_own_budget() {
    let mut core = core_of(vec![op("a", &[], 1)], 1, &[]);
    turn(&mut core, 0.0, Input::Tick);
    turn(&mut core, 0.0, failed(0, throttled(3000)));
    turn(&mut core, 3000.0, Input::Tick);
    // Long after what a passing failure is borne for, but its first.
    assert_eq!(
        turn(&mut core, 3000.0, failed(0, Failure::new(Class::Transient, "reset"))),
        ["record a retried"]
    );
    turn(&mut core, 3599.0, Input::Tick);
    assert_eq!(turn(&mut core, 3599.0, failed(0, throttled(10))), ["record a failed", "end failed"]);
}

#[test]
fn a_failure_stops_its_branch_and_no_other() {
    let operations = vec![
        op("a", &[], 1),
        op("b", &["a"], 1),
        op("c", &["b"], 1),
        op("x", &[], 1),
        op("y", &["x"], 1),
        op("z", &["y", "c"], 1),
    ];
    let mut core = core_of(operations, 9, &[]);
    turn(&mut core, 0.0, Input::Tick);
    let mut effects = turn(&mut core, 1.0, failed(0, Failure::fatal("no")));
    effects.sort();
    assert_eq!(effects, ["record a failed", "record b skipped", "record c skipped", "record z skipped"]);
    assert_eq!(turn(&mut core, 2.0, done(3)), ["record x done", "record y begun", "begin y 1"]);
    assert_eq!(turn(&mut core, 3.0, done(4)), ["record y done", "end failed"]);
}

#[test]
fn one_of_a_group_at_a_time_even_while_it_rests() {
    let operations = vec![
        op("a", &[], 9).in_group("net"),
        op("b", &[], 5).in_group("net"),
        op("c", &[], 1),
        op("d", &[], 7).in_group("net"),
    ];
    let mut core = core_of(operations, 9, &[]);
    assert_eq!(
        turn(&mut core, 0.0, Input::Tick),
        ["record a begun", "begin a 1", "record c begun", "begin c 1"]
    );
    assert_eq!(turn(&mut core, 1.0, failed(0, throttled(10))), ["record a retried"]);
    assert_eq!(turn(&mut core, 11.0, Input::Tick), ["record a begun", "begin a 2"]);
    assert_eq!(
        turn(&mut core, 12.0, done(0)),
        ["record a done", "record d begun", "begin d 1"],
        "the longer one"
    );
    assert_eq!(
        turn(&mut core, 13.0, failed(3, Failure::fatal("no"))),
        ["record d failed", "record b begun", "begin b 1"]
    );
}

#[test]
fn a_cancel_starts_nothing_and_follows_what_was_accepted() {
    let operations =
        vec![op("sent", &[], 9), op("taken", &[], 8), op("resting", &[], 7), op("waiting", &["taken"], 1)];
    let mut core = core_of(operations, 3, &[]);
    turn(&mut core, 0.0, Input::Tick);
    turn(&mut core, 1.0, accepted(1, 10));
    turn(&mut core, 1.0, failed(2, throttled(60)));
    assert_eq!(turn(&mut core, 2.0, Input::Cancel), ["record resting cancelled", "record waiting cancelled"]);
    // What was on its way may still be accepted.
    assert_eq!(turn(&mut core, 3.0, accepted(0, 2)), ["record sent accepted"]);
    assert_eq!(turn(&mut core, 5.0, Input::Tick), [r#"follow sent "url""#]);
    // A failure of looking does not mean that we stop looking.
    assert_eq!(turn(&mut core, 6.0, failed(0, throttled(1))), ["record sent retried"]);
    assert_eq!(turn(&mut core, 7.0, Input::Tick), [r#"follow sent "url""#]);
    assert_eq!(turn(&mut core, 8.0, done(0)), ["record sent done"]);
    assert_eq!(turn(&mut core, 11.0, Input::Tick), [r#"follow taken "url""#]);
    assert_eq!(turn(&mut core, 12.0, done(1)), ["record taken done", "end cancelled"]);
}

#[test]
fn a_cancel_makes_the_last_failure_the_end() {
    let mut core = core_of(vec![op("sent", &[], 9), op("taken", &[], 8)], 3, &[]);
    turn(&mut core, 0.0, Input::Tick);
    turn(&mut core, 1.0, accepted(1, 1));
    turn(&mut core, 2.0, Input::Tick);
    turn(&mut core, 2.5, Input::Cancel);
    // Not accepted, and not tried again: it was cancelled. Accepted, and come to nothing: it failed.
    assert_eq!(turn(&mut core, 3.0, failed(0, throttled(1))), ["record sent cancelled"]);
    assert_eq!(
        turn(&mut core, 4.0, failed(1, throttled(1).over())),
        ["record taken failed", "end cancelled"]
    );
}

#[test]
fn a_cancel_after_the_last_step_changes_nothing() {
    let mut core = core_of(vec![op("a", &[], 1)], 3, &[]);
    turn(&mut core, 0.0, Input::Tick);
    turn(&mut core, 1.0, Input::Cancel);
    assert_eq!(turn(&mut core, 2.0, done(0)), ["record a done", "end done"], "all was done after all");
}

#[test]
fn what_is_over_is_begun_again_on_the_same_budget() {
    let mut core = core_of(vec![op("a", &[], 1)], 3, &[]);
    turn(&mut core, 0.0, Input::Tick);
    let over = || Failure::new(Class::NotYetConsistent, "no such principal").over();
    let mut now = 0.0;
    let mut rounds = 0;
    loop {
        // Taken on each time, and each time it comes to nothing a minute later.
        turn(&mut core, now, accepted(0, 60));
        now += 60.0;
        assert_eq!(turn(&mut core, now, Input::Tick), [r#"follow a "url""#]);
        let effects = turn(&mut core, now, failed(0, over()));
        if effects != ["record a retried"] {
            assert_eq!(effects, ["record a failed", "end failed"]);
            break;
        }
        rounds += 1;
        assert!(rounds < 30, "accepting must not renew patience");
        now += between(at(now), core.deadline().unwrap()).as_secs_f64() + 1e-6;
        assert_eq!(turn(&mut core, now, Input::Tick).len(), 2);
    }
    assert!(now > Patience::default().not_yet_consistent.budget.as_secs_f64());
}

#[test]
fn a_look_that_succeeds_renews_patience_with_looking() {
    let mut core = core_of(vec![op("a", &[], 1)], 3, &[]);
    turn(&mut core, 0.0, Input::Tick);
    turn(&mut core, 0.0, accepted(0, 1));
    // A job of a day, with a short outage every hour: far more in sum than one outage may last.
    for hour in 0..24 {
        let now = f64::from(hour) * 3600.0 + 1.0;
        assert_eq!(turn(&mut core, now, Input::Tick), [r#"follow a "url""#]);
        assert_eq!(
            turn(&mut core, now, failed(0, Failure::new(Class::Transient, "reset").after(seconds(60)))),
            ["record a retried"]
        );
        assert_eq!(turn(&mut core, now + 60.0, Input::Tick), [r#"follow a "url""#]);
        assert!(turn(&mut core, now + 60.0, accepted(0, 3540)).is_empty());
    }
}

#[test]
fn an_earlier_process_left_off_here() {
    let begun: &[Record] = &[Record::Begun];
    let accepted: &[Record] = &[Record::Begun, Record::Accepted { token: json!("theirs") }];
    let finished: &[Record] = &[Record::Begun, Record::Done { output: json!(1) }];
    let operations = vec![
        op("new", &["finished"], 99),
        op("begun", &[], 1),
        op("accepted", &[], 1),
        op("finished", &[], 1),
        op("last", &["accepted"], 1),
    ];
    let mut core = core_of(operations, 3, &[(1, begun), (2, accepted), (3, finished)]);
    // What is in doubt comes back to where it was; the accepted one has its place already.
    let effects = turn(&mut core, 0.0, Input::Tick);
    assert_eq!(
        effects,
        [
            r#"follow accepted "theirs""#,
            "record new begun",
            "begin new 1",
            "record begun begun",
            "begin begun 2"
        ]
    );
}

#[test]
fn a_resumed_member_of_a_group_keeps_the_others_out() {
    let accepted: &[Record] = &[Record::Begun, Record::Accepted { token: json!("theirs") }];
    let operations = vec![op("a", &[], 99).in_group("net"), op("b", &[], 1).in_group("net")];
    let mut core = core_of(operations, 3, &[(1, accepted)]);
    assert_eq!(turn(&mut core, 0.0, Input::Tick), [r#"follow b "theirs""#]);
    assert_eq!(turn(&mut core, 1.0, done(1)), ["record b done", "record a begun", "begin a 1"]);

    let begun: &[Record] = &[Record::Begun];
    let operations = vec![op("a", &[], 99).in_group("net"), op("b", &[], 1).in_group("net")];
    let mut core = core_of(operations, 3, &[(1, begun)]);
    assert_eq!(
        turn(&mut core, 0.0, Input::Tick),
        ["record b begun", "begin b 2"],
        "in doubt comes before new"
    );
}

#[test]
fn chance_depends_on_seed_operation_and_draw_alone() {
    assert_eq!(chance(1, 2, 3), chance(1, 2, 3));
    let drawn: Vec<_> = (0..4_u32)
        .map(|n| [chance(n.into(), 2, 3), chance(1, n as usize + 10, 3), chance(1, 2, u64::from(n) + 20)])
        .collect();
    let mut different: Vec<_> = drawn.concat().into_iter().map(f64::to_bits).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 12);
}
