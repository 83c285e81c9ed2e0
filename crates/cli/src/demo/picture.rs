//! A small picture for the terminal: events and live files over time.
//!
//! ```text
//!   events      ▁▁▂▅▃▂▁ ▁▂▆█▄▂▂▁▁▃▂   at most 1,204 in one column
//!   live files  ▁▁▁▂▃▃▃▃▃▄▅▆▇▇▇▇▇██   2,337 at the end
//!               2018-01     2026-08
//! ```
//!
//! A column is a span of author time. Clocks are wrong now and then, so the
//! earliest and the latest half percent of the commits do not stretch the
//! picture; they are drawn in its first and last column.

use factum_core::Timestamp;

/// Columns of the picture.
const WIDTH: usize = 60;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', '-', '=', '+', '*', '#', '@'];

/// What is drawn of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was made, by its author's clock.
    pub at: Timestamp,
    /// How many events it became.
    pub events: u64,
    /// How many files were there after it.
    pub files: u64,
}

/// Whether this terminal shows block characters.
pub fn speaks_unicode() -> bool {
    let set =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let locale = set.map(|value| value.to_string_lossy().to_uppercase()).unwrap_or_default();
    let terminal = std::env::var_os("TERM").unwrap_or_default();
    (locale.contains("UTF-8") || locale.contains("UTF8")) && terminal != "linux" && terminal != "dumb"
}

/// The picture's lines; none if there is nothing to draw.
pub fn lines(samples: &[Sample], unicode: bool) -> Vec<String> {
    let mut times: Vec<i64> = samples.iter().map(|sample| sample.at.as_micros()).collect();
    times.sort_unstable();
    let outliers = times.len() / 200;
    let (Some(first), Some(last)) = (times.get(outliers), times.iter().rev().nth(outliers)) else {
        return Vec::new();
    };
    let (first, last) = (*first, *last);
    // Wider than any two times lie apart.
    let span = (i128::from(last) - i128::from(first)).max(1);
    let mut events = [0; WIDTH];
    let mut files = [None; WIDTH];
    for sample in samples {
        let at = i128::from(sample.at.as_micros().clamp(first, last)) - i128::from(first);
        let column = usize::try_from(at * WIDTH as i128 / span).unwrap_or(0).min(WIDTH - 1);
        events[column] += sample.events;
        files[column] = Some(sample.files);
    }
    // A column without commits has the files of the one before.
    let mut there = 0;
    let files = files.map(|count| {
        there = count.unwrap_or(there);
        there
    });
    let most = events.iter().max().copied().unwrap_or(0);
    let (begins, ends) = edges(first, last);
    vec![
        format!("events      {}  at most {} in one column", row(&events, unicode), counted(most)),
        format!("live files  {}  {} at the end", row(&files, unicode), counted(there)),
        format!("            {begins:<width$}{ends}", width = WIDTH - ends.len()),
    ]
}

/// What stands under the ends: months, or days, or times of a day, whichever
/// tells the two apart.
fn edges(first: i64, last: i64) -> (String, String) {
    let text = |micros| Timestamp::from_micros(micros).to_string();
    let (first, last) = (text(first), text(last));
    let cut = |text: &str, at: usize| text.chars().take(at).collect::<String>();
    let length = [7, 10].into_iter().find(|length| cut(&first, *length) != cut(&last, *length)).unwrap_or(16);
    let shown = |text: &str| cut(text, length).replace('T', " ");
    (shown(&first), shown(&last))
}

fn row(counts: &[u64], unicode: bool) -> String {
    let levels = if unicode { BLOCKS } else { ASCII };
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let level = |count: u64| match count {
        0 => ' ',
        _ => levels[((u128::from(count) * 8).div_ceil(u128::from(most)) - 1) as usize],
    };
    counts.iter().map(|count| level(*count)).collect()
}

/// A number with its thousands apart: `1,204`.
pub fn counted(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: i64, events: u64, files: u64) -> Sample {
        Sample { at: Timestamp::from_seconds(seconds), events, files }
    }

    #[test]
    fn draws_counts_as_heights() {
        let samples: Vec<_> = (0..=60).map(|n| sample(n * 86_400, (n as u64 % 8) + 1, n as u64)).collect();
        let lines = lines(&samples, true);
        assert!(lines[0].starts_with("events      ▁▂▃▄▅▆▇█▁"), "{}", lines[0]);
        assert!(lines[0].ends_with("at most 9 in one column"), "{}", lines[0]);
        assert!(lines[1].ends_with("█  60 at the end"), "{}", lines[1]);
        assert_eq!(lines[2].trim(), format!("1970-01{}1970-03", " ".repeat(46)));
    }

    #[test]
    fn the_ends_are_told_apart() {
        let rows = [(0, 86_400 * 40, "1970-01", "1970-02"), (0, 86_400 * 3, "1970-01-01", "1970-01-04")];
        for (first, last, begins, ends) in rows {
            let line = lines(&[sample(first, 1, 1), sample(last, 1, 1)], true).remove(2);
            assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [begins, ends]);
            assert_eq!(line.len(), 12 + WIDTH);
        }
        let line = lines(&[sample(3600, 1, 1), sample(7260, 1, 1)], true).remove(2);
        assert!(line.contains("1970-01-01 01:00") && line.ends_with("1970-01-01 02:01"), "{line}");
    }

    #[test]
    fn survives_odd_clocks_and_few_commits() {
        assert!(lines(&[], true).is_empty());
        let one = lines(&[sample(0, 1, 1)], false);
        assert!(one[0].starts_with("events      @  "), "{}", one[0]);
        for lines in [
            lines(&[sample(i64::MAX, 1, 1), sample(i64::MIN, 2, 2), sample(0, 3, 3)], false),
            lines(&[sample(5, 0, 0), sample(5, 0, 0)], false),
        ] {
            assert_eq!(lines.len(), 3);
        }
    }
}
