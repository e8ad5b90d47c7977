use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn start() -> DateTime<Utc> {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

fn page(devices: u64, cursor: &str, more_to_follow: bool) -> PageSummary {
    PageSummary {
        devices,
        cursor: Some(Cursor::new(cursor)),
        more_to_follow,
    }
}

/// Answers by cursor, always the same; the first page has the empty cursor.
#[derive(Debug, Clone, Default)]
struct Apple {
    fetch: BTreeMap<String, Result<PageSummary, Failure>>,
    sync: BTreeMap<String, Result<PageSummary, Failure>>,
}

impl Apple {
    /// So many pages of a fetch, then of a sync.
    fn new(fetch: usize, sync: usize) -> Self {
        let mut apple = Self::default();
        let name = |kind: &str, n: usize| match n {
            0 if kind == "f" => String::new(),
            0 => format!("f{fetch}"),
            n => format!("{kind}{n}"),
        };
        for n in 0..fetch {
            let next = page(10, &name("f", n + 1), n + 1 < fetch);
            apple.fetch.insert(name("f", n), Ok(next));
        }
        for n in 0..sync {
            let next = page(1, &name("s", n + 1), n + 1 < sync);
            apple.sync.insert(name("s", n), Ok(next));
        }
        let last = name("s", sync);
        apple.sync.insert(last.clone(), Ok(page(0, &last, false)));
        apple
    }

    fn fetch(&self, cursor: Option<&Cursor>) -> Event {
        Self::answer(&self.fetch, cursor.map_or("", Cursor::as_str))
    }

    fn sync(&self, cursor: &Cursor) -> Event {
        Self::answer(&self.sync, cursor.as_str())
    }

    fn answer(pages: &BTreeMap<String, Result<PageSummary, Failure>>, cursor: &str) -> Event {
        match pages.get(cursor) {
            Some(Ok(page)) => Event::Page(page.clone()),
            Some(Err(failure)) => Event::Failed(*failure),
            None => Event::Failed(Failure::CursorLost),
        }
    }
}

/// What a round stored and asked.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    state: SyncState,
    /// The records of pages that were committed.
    devices: u64,
    requests: u32,
    end: RoundEnd,
}

/// Drives a round; with `stop` it is dropped once so many effects were told, and another begins
/// from what is stored.
fn drive(
    apple: &Apple,
    state: SyncState,
    kind: RoundKind,
    now: DateTime<Utc>,
    stop: Option<usize>,
) -> Told {
    let policy = Policy::default();
    let mut told = Told {
        state,
        devices: 0,
        requests: 0,
        end: RoundEnd::Complete,
    };
    let mut round = Round::begin(&told.state, kind, &policy, now);
    let mut waits = 0;
    for step in 0.. {
        assert!(step < 1_000, "a round without end");
        if Some(step) == stop {
            waits = 0;
            round = Round::begin(&told.state, RoundKind::Delta, &policy, now);
        }
        let event = match round.effect() {
            Effect::Fetch(cursor) => apple.fetch(cursor.as_ref()),
            Effect::Sync(cursor) => apple.sync(&cursor),
            Effect::Commit(state) => {
                told.state = state;
                told.devices += std::mem::take(&mut waits);
                Event::Committed
            }
            Effect::Verify { sweep } => {
                assert_eq!(sweep, told.state.sweep);
                Event::Verified
            }
            Effect::End(end) => {
                told.end = end;
                return told;
            }
        };
        if let Event::Page(page) = &event {
            waits = page.devices;
        }
        told.requests += u32::from(matches!(event, Event::Page(_) | Event::Failed(_)));
        round.handle(event, now);
    }
    told
}

fn synced(cursor: &str) -> SyncState {
    SyncState {
        stage: Stage::Sync,
        cursor: Some(Cursor::new(cursor)),
        sweep: 1,
        full_began: Some(start() - TimeDelta::days(1)),
        full_ended: Some(start() - TimeDelta::days(1)),
        current: Some(start() - TimeDelta::hours(12)),
        ..SyncState::default()
    }
}

#[test]
fn a_first_round_fetches_everything_then_what_changed_meanwhile() {
    let told = drive(
        &Apple::new(3, 2),
        SyncState::default(),
        RoundKind::Delta,
        start(),
        None,
    );
    assert_eq!(told.end, RoundEnd::Complete);
    assert_eq!((told.requests, told.devices), (5, 32));
    assert_eq!((told.state.sweep, told.state.taken), (2, 30));
    assert_eq!(told.state.cursor, Some(Cursor::new("s2")));
    assert_eq!(told.state.current, Some(start()));
    assert!(!told.state.unseen);
}

#[test]
fn a_fetch_may_end_with_an_exhausted_cursor_instead_of_a_last_page() {
    let mut apple = Apple::new(2, 1);
    apple.fetch.insert("f1".into(), Ok(page(10, "f2", true)));
    apple.fetch.insert("f2".into(), Err(Failure::Exhausted));
    let told = drive(&apple, SyncState::default(), RoundKind::Full, start(), None);
    assert_eq!((told.end, told.devices), (RoundEnd::Complete, 21));
    assert_eq!(told.state.cursor, Some(Cursor::new("s1")));
}

#[test]
fn a_cursor_that_is_exhausted_in_a_sync_is_a_lost_one() {
    // Apple gives no other cursor with it: all that changes later would be missed.
    let mut apple = Apple::new(1, 1);
    apple.sync.insert("old".into(), Err(Failure::Exhausted));
    let told = drive(&apple, synced("old"), RoundKind::Delta, start(), None);
    assert_eq!((told.end, told.state.sweep), (RoundEnd::Complete, 2));
    assert_eq!(told.state.cursor, Some(Cursor::new("s1")));
}

#[test]
fn a_lost_cursor_leads_to_a_full_fetch_once_and_then_to_waiting() {
    // Apple forgets every cursor of a sync, whatever was fetched before.
    let mut apple = Apple::new(2, 0);
    apple.sync.clear();
    let told = drive(&apple, synced("old"), RoundKind::Delta, start(), None);
    assert_eq!(told.end, RoundEnd::RecoverLater);
    assert_eq!((told.requests, told.state.sweep), (4, 2));
    let policy = Policy::default();
    let (_, next) = next_round(&told.state, &policy, start());
    assert_eq!(next, later(start(), policy.recover_every));
    let told = drive(&Apple::new(2, 0), told.state, RoundKind::Delta, next, None);
    assert_eq!(told.end, RoundEnd::Complete);
    assert_eq!(told.state.round_not_before, None);
}

#[test]
fn a_repeated_cursor_ends_the_round_and_resets_nothing() {
    // nanodep#73, micromdm#1016.
    let mut apple = Apple::new(1, 0);
    apple.sync.insert("c".into(), Ok(page(3, "c", true)));
    let told = drive(&apple, synced("c"), RoundKind::Delta, start(), None);
    assert_eq!(
        (told.end, told.requests, told.devices),
        (RoundEnd::RepeatedCursor, 1, 3)
    );
    assert_eq!((told.state.stage, told.state.sweep), (Stage::Sync, 1));
    assert_eq!(told.state.cursor, Some(Cursor::new("c")));
    assert_eq!(told.state.not_before, None);
    let (_, next) = next_round(&told.state, &Policy::default(), start());
    assert_eq!(next, start() + TimeDelta::minutes(15));
    // A circle of cursors is one too.
    apple.sync.insert("a".into(), Ok(page(1, "b", true)));
    apple.sync.insert("b".into(), Ok(page(1, "a", true)));
    let told = drive(&apple, synced("a"), RoundKind::Delta, start(), None);
    assert_eq!((told.end, told.requests), (RoundEnd::RepeatedCursor, 2));
}

#[test]
fn more_to_follow_without_a_cursor_does_not_ask_for_the_same_page_forever() {
    let mut apple = Apple::new(1, 0);
    let odd = PageSummary {
        cursor: None,
        ..page(1, "", true)
    };
    apple.fetch.insert(String::new(), Ok(odd));
    let told = drive(&apple, SyncState::default(), RoundKind::Full, start(), None);
    assert_eq!((told.end, told.requests), (RoundEnd::RepeatedCursor, 1));
}

#[test]
fn apple_is_left_alone_as_long_as_it_asks_and_else_as_the_policy_says() {
    for (retry_after, minutes) in [(None, 15), (Some(MINUTE), 1)] {
        let mut apple = Apple::new(1, 0);
        let busy = Failure::Other { retry_after };
        apple.sync.insert("c".into(), Err(busy));
        let told = drive(&apple, synced("c"), RoundKind::Delta, start(), None);
        assert_eq!(told.end, RoundEnd::Failed);
        assert_eq!(told.state.cursor, Some(Cursor::new("c")));
        let until = start() + TimeDelta::minutes(minutes);
        assert_eq!(told.state.not_before, Some(until));
        assert_eq!(
            next_round(&told.state, &Policy::default(), start()).1,
            until
        );
    }
}

#[test]
fn a_round_stops_when_its_time_is_over_and_the_next_goes_on() {
    let apple = Apple::new(9, 1);
    let policy = Policy::default().with(|policy| {
        policy.round_limit = MINUTE * 2;
        policy.resume_after = MINUTE;
    });
    let (mut state, mut now, mut rounds, mut requests) = (SyncState::default(), start(), 0, 0);
    loop {
        let (kind, due) = next_round(&state, &policy, now);
        now = now.max(due);
        let mut round = Round::begin(&state, kind, &policy, now);
        rounds += 1;
        let end = loop {
            let event = match round.effect() {
                Effect::Fetch(cursor) => {
                    now += MINUTE;
                    requests += 1;
                    apple.fetch(cursor.as_ref())
                }
                Effect::Sync(cursor) => {
                    now += MINUTE;
                    requests += 1;
                    apple.sync(&cursor)
                }
                Effect::Commit(committed) => {
                    state = committed;
                    Event::Committed
                }
                Effect::Verify { .. } => Event::Verified,
                Effect::End(end) => break end,
            };
            round.handle(event, now);
        };
        if end != RoundEnd::Paused {
            assert_eq!(end, RoundEnd::Complete);
            break;
        }
        assert_eq!(state.round_not_before, Some(now + MINUTE));
    }
    // The verification of the fifth round ran out of time.
    assert_eq!((rounds, requests, state.taken), (6, 11, 90));
    assert_eq!(state.sweep, 2);
}

#[test]
fn a_verification_that_runs_out_of_time_is_taken_up_again() {
    let policy = Policy::default();
    let state = SyncState {
        unseen: true,
        ..synced("s0")
    };
    let mut round = Round::begin(&state, RoundKind::Delta, &policy, start());
    round.handle(Event::Page(page(0, "s1", false)), start());
    let Effect::Commit(stored) = round.effect() else {
        panic!("{round:?}");
    };
    round.handle(Event::Committed, start());
    assert_eq!(round.effect(), Effect::Verify { sweep: 1 });
    round.handle(Event::OutOfTime, start());
    assert_eq!(round.effect(), Effect::End(RoundEnd::Paused));
    assert!(stored.unseen);
    assert_eq!(
        next_round(&stored, &policy, start()),
        (RoundKind::Delta, start())
    );
}

#[test]
fn a_page_that_leaves_devices_in_doubt_is_followed_by_a_verification() {
    let policy = Policy::default();
    let mut round = Round::begin(&synced("s0"), RoundKind::Delta, &policy, start());
    round.handle(Event::Page(page(2, "s1", true)), start());
    round.handle(Event::InDoubt, start());
    round.handle(Event::Page(page(1, "s2", false)), start());
    let Effect::Commit(stored) = round.effect() else {
        panic!("{round:?}");
    };
    assert!(stored.unseen);
    assert_eq!(round.ending(), None);
    round.handle(Event::Committed, start());
    assert_eq!(round.effect(), Effect::Verify { sweep: 1 });
    round.handle(Event::Verified, start());
    assert!(matches!(round.effect(), Effect::Commit(state) if !state.unseen));
    assert_eq!(round.ending(), Some(RoundEnd::Complete));
    // The last page too.
    let mut round = Round::begin(&synced("s0"), RoundKind::Delta, &policy, start());
    round.handle(Event::Page(page(2, "s1", false)), start());
    round.handle(Event::InDoubt, start());
    assert_eq!(round.effect(), Effect::Verify { sweep: 1 });
}

#[test]
fn rounds_are_due_as_the_policy_says() {
    let policy = Policy::default();
    let next = |state: &SyncState| next_round(state, &policy, start());
    assert_eq!(next(&SyncState::default()), (RoundKind::Full, start()));
    assert_eq!(next(&synced("c")), (RoundKind::Delta, start()));
    let fresh = SyncState {
        current: Some(start()),
        ..synced("c")
    };
    let in_12_hours = start() + TimeDelta::hours(12);
    assert_eq!(next(&fresh), (RoundKind::Delta, in_12_hours));
    let old = SyncState {
        full_began: Some(start() - TimeDelta::days(7)),
        ..fresh.clone()
    };
    assert_eq!(next(&old), (RoundKind::Full, start()));
    // A full fetch that was begun goes on, however long it took.
    let begun = SyncState {
        stage: Stage::Fetch,
        ..old
    };
    assert_eq!(next(&begun), (RoundKind::Delta, start()));
}

fn any_page() -> impl Strategy<Value = PageSummary> {
    let cursor = proptest::option::weighted(0.9, "[a-d]");
    (0..3_u64, cursor, any::<bool>()).prop_map(|(devices, cursor, more_to_follow)| PageSummary {
        devices,
        cursor: cursor.map(Cursor::new),
        more_to_follow,
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any_page().prop_map(Event::Page),
        1 => Just(Event::Failed(Failure::Exhausted)),
        1 => Just(Event::Failed(Failure::CursorLost)),
        1 => proptest::option::of(0..100_u64).prop_map(|wait| Event::Failed(Failure::Other {
            retry_after: wait.map(Duration::from_secs)
        })),
        4 => Just(Event::Committed),
        1 => Just(Event::InDoubt),
        1 => Just(Event::Verified),
        1 => Just(Event::OutOfTime),
    ]
}

fn any_apple() -> impl Strategy<Value = Apple> {
    let answer = || {
        prop_oneof![
            6 => any_page().prop_map(Ok),
            1 => Just(Err(Failure::Exhausted)),
            1 => Just(Err(Failure::CursorLost)),
        ]
    };
    let answers = || proptest::collection::btree_map("[a-d]?", answer(), 0..5);
    (answers(), answers()).prop_map(|(fetch, sync)| Apple { fetch, sync })
}

proptest! {
    /// Whatever comes, fitting or not: a page is followed by the one commit that holds its cursor,
    /// sweeps only grow, cursors are used once a round but for a new fetch, nothing comes after the end.
    #[test]
    fn any_sequence_of_events_keeps_the_promises(
        events in proptest::collection::vec((any_event(), 0..400_u64), 0..80),
        full in any::<bool>(),
    ) {
        let kind = if full { RoundKind::Full } else { RoundKind::Delta };
        let mut now = start();
        let mut round = Round::begin(&synced("a"), kind, &Policy::default(), now);
        let mut sweep = 1;
        for (event, seconds) in events {
            now += Duration::from_secs(seconds);
            let before = round.effect();
            round.handle(event.clone(), now);
            let after = round.effect();
            let is_request = matches!(before, Effect::Fetch(_) | Effect::Sync(_));
            match (&before, &event, &after) {
                (Effect::End(_), _, after) => prop_assert_eq!(&before, after),
                (_, Event::Page(page), Effect::Commit(state)) if is_request => {
                    let is_kept = page.cursor.is_none() || state.cursor == page.cursor;
                    prop_assert!(is_kept, "{state:?}");
                }
                (_, Event::Page(_), _) if is_request => prop_assert!(false, "{after:?}"),
                (Effect::Commit(_), Event::Committed | Event::InDoubt, _) => {}
                (Effect::Commit(_), _, after) => prop_assert_eq!(&before, after),
                _ => {}
            }
            if let Effect::Commit(state) = &after {
                prop_assert!(state.sweep >= sweep);
                sweep = state.sweep;
            }
            if matches!(after, Effect::Fetch(_) | Effect::Sync(_)) && after != before {
                prop_assert!(matches!(before, Effect::Commit(_)), "{before:?}");
            }
        }
    }

    /// A program that dies between any two effects ends where one ends that lives, and has stored as
    /// many records of pages at least.
    #[test]
    fn a_round_that_is_broken_off_anywhere_ends_as_one_that_is_not(
        fetch in 1..5_usize,
        sync in 0..4_usize,
        stop in 0..40_usize,
        full in any::<bool>(),
    ) {
        let apple = Apple::new(fetch, sync);
        let state = if full { synced("gone") } else { SyncState::default() };
        let whole = drive(&apple, state.clone(), RoundKind::Full, start(), None);
        let mut broken = drive(&apple, state, RoundKind::Full, start(), Some(stop));
        if stop == 0 && full {
            // Broken off before the wish for a full fetch was stored: the cursor is found lost.
            prop_assert!(broken.state.recovered.is_some());
            broken.state.recovered = None;
        }
        prop_assert_eq!(broken.end, RoundEnd::Complete);
        prop_assert_eq!(&broken.state, &whole.state);
        prop_assert!(broken.devices >= whole.devices);
    }

    /// However Apple answers, a round ends, and after few requests: each cursor is used once, and
    /// once more after one new fetch.
    #[test]
    fn rounds_are_bounded(apple in any_apple(), cursor in "[a-d]") {
        let told = drive(&apple, synced(&cursor), RoundKind::Delta, start(), None);
        prop_assert!(told.requests <= 24, "{}", told.requests);
    }
}
