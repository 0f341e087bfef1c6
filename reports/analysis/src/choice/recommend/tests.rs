use std::path::Path;

use bench_inventory::Board;

use super::*;
use crate::choice::decide::of_board;
use crate::choice::predict::{self, Machine};

fn catalogue() -> Inventory {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../inventory");
    bench_inventory::load_catalogue(&root).unwrap_or_else(|error| panic!("{error}"))
}

const WISH: Requirements = Requirements {
    min_tokens_per_s: 5.0,
    context: 4096,
    ram_left_bytes: 0,
    kv_format: KvFormat::F16,
    max_loss: 0.15,
};

fn answers(board: &str, wish: Requirements) -> (Vec<Ranked>, Vec<Remedy>) {
    let inventory = catalogue();
    let machines = predict::machines(&inventory);
    let board = &inventory.boards[board];
    let target = of_board(
        &inventory,
        board,
        &board.memories[0],
        &board.memories[0].processors[0],
        &machines,
    );
    let answers = recommend(&inventory, &target, wish);
    let remedies = answers.first().map_or_else(Vec::new, |best| {
        remedies(&inventory, &target, &machines, best, wish)
    });
    (answers, remedies)
}

#[test]
fn sure_answers_come_first_and_keep_the_wish() {
    let (answers, _) = answers("rock-5b", WISH);
    let models = catalogue().models.len();
    assert_eq!(
        answers.len(),
        models - 1,
        "one a model, but TinyLlama was made for 2048"
    );
    assert!(answers.is_sorted_by_key(|answer| answer.certainty));
    for answer in &answers {
        let expected = answer.decision.expected.as_ref().unwrap();
        assert_ne!(answer.certainty, Certainty::Sure, "nothing is measured");
        let is_very_likely = answer.certainty == Certainty::VeryLikely;
        assert_eq!(is_very_likely, expected.low >= 5.0, "{answer:?}");
        assert_eq!(is_very_likely, answer.margin >= 0.0, "{answer:?}");
        assert!(answer.loss.unwrap() <= 0.15, "{answer:?}");
        assert_eq!(
            answer.certainty == Certainty::No,
            expected.high < 5.0,
            "{answer:?}"
        );
    }
}

#[test]
fn harder_wishes_never_get_surer_answers() {
    let certainties = |x: f64| {
        let wish = Requirements {
            min_tokens_per_s: x,
            ..WISH
        };
        let (answers, _) = answers("raspberry-pi-5", wish);
        let mut certainties: Vec<(String, Certainty)> = (answers.into_iter())
            .map(|answer| (answer.decision.model, answer.certainty))
            .collect();
        certainties.sort();
        certainties
    };
    let (easy, hard) = (certainties(2.0), certainties(8.0));
    for ((model, easy), (_, hard)) in easy.iter().zip(&hard) {
        assert!(easy <= hard, "{model}");
    }
}

#[test]
fn ram_left_for_others_is_left() {
    let wish = Requirements {
        ram_left_bytes: 3_000_000_000,
        ..WISH
    };
    let (answers, remedies) = answers("jetson-orin-nano", wish);
    for answer in &answers {
        assert!(answer.decision.need.total_bytes() + 3_000_000_000 <= 5_200_000_000);
    }
    let free = remedies
        .iter()
        .find(|it| it.what.to_string().starts_with("free "));
    assert!(
        free.is_some_and(|it| it.buys.to_string().contains("would fit")),
        "{remedies:?}"
    );
}

#[test]
fn remedies_are_labelled_and_other_boards_are_faster() {
    let (answers, remedies) = answers("raspberry-pi-4", WISH);
    let best = &answers[0].decision;
    assert!(
        remedies
            .iter()
            .any(|it| it.what.to_string().starts_with("quantise to"))
    );
    assert!(
        remedies
            .iter()
            .any(|it| it.what.to_string().contains("keys and values as q8_0"))
    );
    let boards: Vec<&Remedy> = (remedies.iter())
        .filter(|it| it.what.to_string().starts_with("take board"))
        .collect();
    assert!(!boards.is_empty());
    for board in boards {
        assert_eq!(board.label, Some(Label::Predicted));
        assert!(board.speed_ratio.unwrap() > 1.1, "{board:?} for {best:?}");
        assert!(!board.what.to_string().contains("raspberry-pi-4"));
    }
    let unknown = remedies
        .iter()
        .find(|it| it.what.to_string().starts_with("stop services"));
    assert!(unknown.unwrap().buys.to_string().contains("cannot tell"));
}

#[test]
fn price_is_of_a_size_that_holds_it() {
    let (answers, _) = answers("raspberry-pi-4", WISH);
    for answer in &answers {
        if let Some(price) = &answer.price {
            let from = answer.from_capacity_bytes.unwrap();
            assert!(price.usd == 87.25 || from > 4 << 30);
            let middle = answer.decision.expected.as_ref().unwrap().middle;
            assert!((price.tokens_per_s_per_100_usd * price.usd / 100.0 - middle).abs() < 1e-9);
        }
    }
}

/// The best answer of a board's first processor, with what it is worth.
fn best(inventory: &Inventory, machines: &[Machine], board: &Board) -> Option<Ranked> {
    let memory = crate::limits::bounds::fastest_memory(board)?;
    let target = of_board(inventory, board, memory, &memory.processors[0], machines);
    recommend(inventory, &target, WISH).into_iter().next()
}

/// Who knows boards laughs at a list in which more bandwidth and as much RAM run less.
#[test]
fn the_catalogue_ranks_as_its_bandwidths_do() {
    let inventory = catalogue();
    let machines = predict::machines(&inventory);
    let memory = |board| crate::limits::bounds::fastest_memory(board).unwrap();
    let ram = |board| {
        crate::limits::fit::rooms(memory(board))
            .last()
            .unwrap()
            .bytes
    };
    for slow in inventory.boards.values() {
        for fast in inventory.boards.values() {
            let times = memory(fast).theoretical_gb_per_s() / memory(slow).theoretical_gb_per_s();
            let is_alike = slow.silicon_of(memory(slow)) == fast.silicon_of(memory(fast));
            let (Some(a), Some(b)) = (
                best(&inventory, &machines, slow),
                best(&inventory, &machines, fast),
            ) else {
                panic!("{} and {} have an answer", slow.id, fast.id);
            };
            let says = format!(
                "{} {:.1} times as fast: {} {} {} against {} {} {}",
                fast.id,
                times,
                b.decision.model,
                b.decision.quant,
                b.certainty.words(),
                a.decision.model,
                a.decision.quant,
                a.certainty.words()
            );
            if is_alike && ram(slow) == ram(fast) {
                assert_eq!(a.decision.model, b.decision.model, "{says}");
                assert_eq!(a.certainty, b.certainty, "{says}");
            } else if times >= 1.3 && ram(fast) >= ram(slow).min(a.decision.need.total_bytes()) {
                assert!(b.certainty <= a.certainty, "{says}");
                let is_better = b.n_effective_params >= a.n_effective_params;
                assert!(is_better || b.certainty < a.certainty, "{says}");
            }
        }
    }
}

/// Three bits cost more than the parameters that they make room for.
#[test]
fn spare_speed_is_spent_on_quality() {
    let (answers, _) = answers("laptop-rtx-4050", WISH);
    let at = |model: &str| {
        let mut all = answers.iter();
        let place = all.position(|answer| answer.decision.model == model);
        place.unwrap_or_else(|| panic!("{model} is no answer"))
    };
    let (seven, eight) = (at("qwen2.5-7b"), at("llama-3.1-8b"));
    assert_eq!(answers[seven].decision.quant, "q4_k_m");
    assert_eq!(answers[eight].decision.quant, "q3_k_m");
    assert!(seven < eight);
}

#[test]
fn what_was_disturbed_is_never_sure() {
    let inventory = catalogue();
    let machines = predict::machines(&inventory);
    let board = &inventory.boards["rock-5b"];
    let mut target = of_board(&inventory, board, &board.memories[0], "cpu", &machines);
    target.disturbed = true;
    for answer in recommend(&inventory, &target, WISH) {
        assert!(answer.certainty >= Certainty::Likely, "{answer:?}");
    }
}
