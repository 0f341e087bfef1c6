//! What a comparison says in sentences, for pages and terminals alike.

use bench_locales::Figure::{GbPerS, GopPerS, Number, Percent, SignedPercent, TokensPerS};
use bench_locales::{Arg, Message, message};
use bench_run_dir::format;

use super::{Basis, Comparison, Figure, Metric, Outcome, Pair, Side, SubjectName};

impl Comparison {
    /// The result in a few sentences.
    pub fn headline(&self) -> Message {
        let n = self.pairs.len();
        let count = |outcome| self.count(outcome);
        let (faster, slower) = (count(Outcome::Faster), count(Outcome::Slower));
        let (unconfirmed, not_judged) = (count(Outcome::Unconfirmed), count(Outcome::NotJudged));
        let mut sentences = vec![match (n, faster + slower, count(Outcome::NotShown)) {
            (0, ..) => message!("compare-nothing"),
            (_, 0, not_shown) if not_shown == n => message!("compare-no-difference", n = n),
            (_, 0, not_shown) => message!("compare-not-shown", n = n, not_shown = not_shown),
            (.., not_shown) => message!(
                "compare-differences",
                n = n,
                faster = faster,
                slower = slower,
                not_shown = not_shown,
            ),
        }];
        if unconfirmed > 0 {
            sentences.push(message!("compare-unconfirmed", n = unconfirmed));
        }
        if not_judged > 0 {
            sentences.push(message!("compare-not-judged", n = not_judged));
        }
        Message::sentences(sentences).unwrap_or_else(|| message!("compare-nothing"))
    }

    /// What the intervals are made of, and what is not in them.
    pub fn basis_sentence(&self) -> Message {
        match self.basis {
            Basis::Samples => message!("compare-basis-samples"),
            Basis::Rounds => message!("compare-basis-rounds"),
            Basis::Runs => message!(
                "compare-basis-runs",
                n_a = self.a.subjects.len(),
                n_b = self.b.subjects.len(),
            ),
        }
    }

    /// How many comparisons at once are accounted for.
    pub fn control_sentence(&self) -> Message {
        message!(
            "compare-control",
            n = self.n_tested,
            share = Percent(self.max_false_discovery_rate),
        )
    }
}

impl Side {
    /// Its runs and hosts in words.
    pub fn words(&self) -> Vec<Message> {
        self.subjects.iter().map(SubjectName::words).collect()
    }
}

impl SubjectName {
    /// Host and run in words.
    pub fn words(&self) -> Message {
        let host = format::foreign_short(&self.host, 60);
        let board = self.board.as_ref().filter(|board| **board != self.host);
        let host = match board {
            Some(board) => format!("{host} ({})", format::foreign_short(board, 40)),
            None => host,
        };
        let run = format::foreign_short(&self.run_id, 60);
        match self.state {
            "as_found" => message!("compare-subject-as-found", host = host, run = run),
            _ => message!("compare-subject", host = host, run = run),
        }
    }
}

impl Metric {
    /// A figure with its unit: `33.8 GB/s`.
    pub fn words(self, value: f64) -> Message {
        let figure: Arg = match self {
            Metric::GbPerS => GbPerS(value).into(),
            Metric::TokensPerS => TokensPerS(value).into(),
            Metric::GopPerS => GopPerS(value).into(),
            Metric::NsPerLoad => message!("ns-per-load", n = Number(value)).into(),
        };
        message!("quoted", text = figure)
    }
}

impl Figure {
    /// What it rests on: `10 samples`, `30 samples of 3 rounds`, `30 samples of 3 runs`.
    pub fn evidence(&self) -> Message {
        let samples = message!("n-samples", n = self.n_samples);
        match (self.n_runs, self.n_rounds) {
            (1, 0 | 1) => samples,
            (1, n) => message!("samples-of-rounds", samples = samples, n = n),
            (n, _) => message!("samples-of-runs", samples = samples, n = n),
        }
    }
}

impl Outcome {
    /// The word that people read.
    pub fn message(self) -> Message {
        match self {
            Outcome::Faster => message!("outcome-faster"),
            Outcome::Slower => message!("outcome-slower"),
            Outcome::NotShown => message!("outcome-not-shown"),
            Outcome::Unconfirmed => message!("outcome-not-confirmed"),
            Outcome::NotJudged => message!("outcome-not-judged"),
        }
    }
}

impl Pair {
    /// Speed of B against that of A: `+3.2 %`, and a factor where it or an end of its interval is more than ten or less than
    /// a tenth.
    pub fn difference(&self) -> Message {
        self.in_one_notation(self.ratio)
    }

    /// The interval of that, in the same notation: `+2.9 % to +3.5 %`.
    pub fn interval(&self) -> Option<Message> {
        let (low, high) = (
            self.in_one_notation(self.low?),
            self.in_one_notation(self.high?),
        );
        Some(message!("range", from = low, to = high))
    }

    fn in_one_notation(&self, ratio: f64) -> Message {
        let all = [Some(self.ratio), self.low, self.high];
        let is_small = |ratio: &f64| (0.1..=10.0).contains(ratio);
        match all.iter().flatten().all(is_small) {
            true => message!("quoted", text = SignedPercent(ratio - 1.0)),
            false => message!("times", n = Number(ratio)),
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
