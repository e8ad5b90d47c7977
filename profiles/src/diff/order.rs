//! Which of what both lists have stands elsewhere.

/// Of pairs of places, in the order of the old ones, those that moved: all but the longest run whose
/// new places rise. So an insertion moves nothing, and of two that changed places one did.
pub(super) fn moved(pairs: &[(usize, usize)]) -> Vec<bool> {
    // The end of the best run of each length, and what stands before each pair in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let new = |index: usize| pairs.get(index).map_or(0, |(_, new)| *new);
    for index in 0..pairs.len() {
        let length = ends.partition_point(|end| new(*end) < new(index));
        before.push(
            length
                .checked_sub(1)
                .and_then(|last| ends.get(last).copied()),
        );
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut moved = vec![true; pairs.len()];
    let mut at = ends.last().copied();
    while let Some(index) = at {
        if let Some(moved) = moved.get_mut(index) {
            *moved = false;
        }
        at = before.get(index).copied().flatten();
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_left_the_longest_run_has_moved() {
        let moved = |new: &[usize]| {
            let pairs: Vec<_> = new.iter().copied().enumerate().collect();
            moved(&pairs)
        };
        assert!(moved(&[]).is_empty());
        assert_eq!(moved(&[1, 2, 5]), [false; 3]);
        assert_eq!(moved(&[2, 0, 1]), [true, false, false]);
        assert_eq!(
            moved(&[3, 2, 1, 0]).iter().filter(|moved| **moved).count(),
            3
        );
    }
}
