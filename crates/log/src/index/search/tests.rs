//! Searches against a plain filter over all ordinals.

use std::collections::HashMap;

use super::*;

/// A little chance that is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const EVENTS: u32 = 700;

/// Which ordinals have a key: few, many, or all.
fn lists(dice: &mut Dice, lost: bool) -> HashMap<KeyHash, Vec<u32>> {
    let one_in = [1, 2, 3, 10, 100, 300];
    let mut lists: HashMap<KeyHash, Vec<u32>> = (1..=6u128)
        .map(|key| {
            let share = one_in[key as usize - 1];
            (key, (0..EVENTS).filter(|_| dice.below(share) == 0).collect())
        })
        .filter(|(_, list): &(_, Vec<u32>)| !list.is_empty())
        .collect();
    if lost {
        lists.insert(LOST, (300..310).collect());
    }
    lists
}

fn wanted(dice: &mut Dice) -> Wanted {
    let items = (0..1 + dice.below(3)).map(|_| {
        let clauses = 1 + dice.below(3);
        (0..clauses).map(|_| [1 + u128::from(dice.below(7))].into_iter().collect()).collect()
    });
    Wanted { items: items.collect(), all: false }
}

#[test]
fn finds_what_a_filter_finds_both_ways() {
    let mut dice = Dice(11);
    for round in 0..400 {
        let lists = lists(&mut dice, round % 5 == 0);
        let wanted = wanted(&mut dice);
        let search = Search::new(&wanted, |key| lists.get(&key).map(|list| List::Plain(list)));
        let has = |key: &KeyHash, ordinal: u32| lists.get(key).is_some_and(|list| list.contains(&ordinal));
        let is_wanted = |ordinal: &u32| {
            has(&LOST, *ordinal)
                || wanted
                    .items
                    .iter()
                    .any(|item| item.iter().all(|clause| clause.iter().any(|key| has(key, *ordinal))))
        };
        let (a, b) = (dice.below(800) as u32, dice.below(800) as u32);
        for range in [0..EVENTS, a..b, a.min(b)..a.max(b), a..a, 0..u32::MAX] {
            let mut expected: Vec<u32> = (range.start..range.end.min(EVENTS)).filter(is_wanted).collect();
            assert_eq!(search.count(range.clone()), expected.len() as u64, "{wanted:?} {range:?}");
            for direction in [Direction::Forward, Direction::Backward] {
                let found: Vec<u32> = search.matches(range.clone(), direction).collect();
                assert_eq!(found, expected, "{wanted:?} {range:?} {direction:?}");
                for n in [0, 1, 7, expected.len().saturating_sub(1), expected.len()] {
                    let nth = search.nth(range.clone(), direction, n as u64);
                    assert_eq!(nth, expected.get(n).copied(), "{wanted:?} {range:?} {direction:?} {n}");
                }
                expected.reverse();
            }
            assert_eq!(search.meets_lost(&range), (300..310).any(|n| range.contains(&n) && has(&LOST, n)));
        }
    }
}

#[test]
fn keys_of_one_clause_are_alternatives() {
    let lists = [vec![1, 4, 9], vec![2, 3, 8], vec![3, 4, 5, 8]];
    let clause = |keys: &[KeyHash]| keys.iter().copied().collect();
    let wanted = Wanted { items: vec![vec![clause(&[1, 2]), clause(&[3])]], all: false };
    let search =
        Search::new(&wanted, |key| lists.get((key as usize).wrapping_sub(1)).map(|list| List::Plain(list)));
    assert_eq!(search.matches(0..10, Direction::Forward).collect::<Vec<_>>(), [3, 4, 8]);
    let either = Wanted { items: vec![vec![clause(&[1, 2])]], all: false };
    let search =
        Search::new(&either, |key| lists.get((key as usize).wrapping_sub(1)).map(|l| List::Plain(l)));
    assert_eq!(search.count(2..9), 4);
    assert_eq!(search.matches(2..9, Direction::Backward).collect::<Vec<_>>(), [8, 4, 3, 2]);
}

#[test]
fn a_list_out_of_order_ends_instead_of_leading_back() {
    let wrong = [9, 3, 7, 1, 5];
    let wanted = Wanted { items: vec![vec![[1].into_iter().collect()]], all: false };
    let search = Search::new(&wanted, |key| (key == 1).then_some(List::Plain(&wrong)));
    for direction in [Direction::Forward, Direction::Backward] {
        assert!(search.matches(0..10, direction).count() <= 10);
    }
}
