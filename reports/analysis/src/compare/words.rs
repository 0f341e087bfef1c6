//! What a comparison says in sentences, for pages and terminals alike.

use super::{Basis, Comparison, Figure, Metric, Outcome, Pair, Side, SubjectName};
use bench_run_dir::format;

impl Comparison {
    /// The result in a few sentences.
    pub fn headline(&self) -> String {
        let n = self.pairs.len();
        let units = format::count(n, "unit", "units");
        let count = |outcome| self.count(outcome);
        let (faster, slower) = (count(Outcome::Faster), count(Outcome::Slower));
        let (unconfirmed, not_judged) = (count(Outcome::Unconfirmed), count(Outcome::NotJudged));
        let mut sentences = vec![match (n, faster + slower, count(Outcome::NotShown)) {
            (0, ..) => "No unit of one side can be compared with one of the other.".to_owned(),
            (_, 0, not_shown) if not_shown == n => {
                format!("No difference is shown in any of {units}.")
            }
            (_, 0, not_shown) => format!("In {not_shown} of {units} no difference is shown."),
            (.., not_shown) => format!(
                "Of {units} B is faster in {faster} and slower in {slower}; in {not_shown} no difference is shown."
            ),
        }];
        if unconfirmed > 0 {
            sentences.push(format!(
                "{} between these two runs, which one round on each side cannot confirm.",
                format::count(unconfirmed, "unit differs", "units differ")
            ));
        }
        if not_judged > 0 {
            sentences.push(format!(
                "{} not judged: something disturbed them.",
                format::count(not_judged, "unit is", "units are")
            ));
        }
        sentences.join(" ")
    }

    /// What the intervals are made of, and what is not in them.
    pub fn basis_sentence(&self) -> String {
        match self.basis {
            Basis::Samples => "The 95 % intervals come from the samples inside one run on each side. \
                Samples of one run share the state of the board, so how far two runs of the same board lie apart is not in them, \
                and no difference is confirmed. \
                Measure both sides with `--rounds 3` or more, or several times with `--baseline` and `--against`, to have it in them."
                .to_owned(),
            Basis::Rounds => "Each round counts as one value per unit. \
                The 95 % intervals are Student's t over the rounds of each run, so how far a unit's rounds lie apart is in them; \
                what changes over days is not. \
                Units of one round have intervals from their samples, and nothing of them is confirmed."
                .to_owned(),
            Basis::Runs => format!(
                "Each run counts as one value per unit. The 95 % intervals are Student's t over {} on side A and {} on side B, \
                so how far runs of the same board lie apart is in them.",
                format::count(self.a.subjects.len(), "run", "runs"),
                format::count(self.b.subjects.len(), "run", "runs")
            ),
        }
    }

    /// How many comparisons at once are accounted for.
    pub fn control_sentence(&self) -> String {
        format!(
            "{} tested at once. The words faster and slower are given so that on average at most {:.0} % of them are wrong \
            (false discovery rate after Benjamini and Hochberg), and only where the interval leaves out 0 as well. \
            No difference shown does not mean that there is none.",
            format::count(self.n_tested, "pair was", "pairs were"),
            self.max_false_discovery_rate * 100.0
        )
    }
}

impl Side {
    /// Its runs and hosts in words.
    pub fn words(&self) -> String {
        let words: Vec<String> = self.subjects.iter().map(SubjectName::words).collect();
        format::enumeration(&words)
    }
}

impl SubjectName {
    /// Host and run in words.
    pub fn words(&self) -> String {
        let state = match self.state {
            "as_found" => ", as found",
            _ => "",
        };
        let board = (self.board.as_ref())
            .filter(|board| **board != self.host)
            .map(|board| format!(" ({})", format::foreign_short(board, 40)))
            .unwrap_or_default();
        format!(
            "{}{board}{state}, run {}",
            format::foreign_short(&self.host, 60),
            format::foreign_short(&self.run_id, 60)
        )
    }
}

impl Metric {
    /// A figure with its unit: `33.8 GB/s`.
    pub fn words(self, value: f64) -> String {
        format!("{} {}", format::number(value), self.sign())
    }
}

impl Figure {
    /// What it rests on: `10 samples`, `30 samples of 3 rounds`, `30 samples of 3 runs`.
    pub fn evidence(&self) -> String {
        let samples = format::count(self.n_samples, "sample", "samples");
        match (self.n_runs, self.n_rounds) {
            (1, 0 | 1) => samples,
            (1, n) => format!("{samples} of {n} rounds"),
            (n, _) => format!("{samples} of {n} runs"),
        }
    }
}

impl Pair {
    /// Speed of B against that of A: `+3.2 %`, and a factor where it or an end of its interval is more than ten or less than
    /// a tenth.
    pub fn difference(&self) -> String {
        self.in_one_notation(self.ratio)
    }

    /// The interval of that, in the same notation: `+2.9 % to +3.5 %`.
    pub fn interval(&self) -> Option<String> {
        let (low, high) = (
            self.in_one_notation(self.low?),
            self.in_one_notation(self.high?),
        );
        Some(format!("{low} to {high}"))
    }

    fn in_one_notation(&self, ratio: f64) -> String {
        let all = [Some(self.ratio), self.low, self.high];
        let is_small = |ratio: &f64| (0.1..=10.0).contains(ratio);
        match all.iter().flatten().all(is_small) {
            true => format::signed_percent(ratio - 1.0),
            false => format!("{} ×", format::number(ratio)),
        }
    }

    /// The names of the unit, without control characters: one where both sides call it the same.
    pub fn name(&self) -> String {
        let name = |unit: &str| format::foreign_short(unit, 100);
        match self.unit_a == self.unit_b {
            true => name(&self.unit_a),
            false => format!("{} / {}", name(&self.unit_a), name(&self.unit_b)),
        }
    }
}
