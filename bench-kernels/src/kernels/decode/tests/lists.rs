//! What a tensor list amounts to: bytes, what fits, and what cannot be laid out.

use bench_protocol::{DecodeTensor, TensorRole};

use super::*;

/// Bytes of all tensors of the plain model.
fn weight_bytes() -> u64 {
    let matrix = |format: Format, rows: usize, cols: usize| (rows * format.row_bytes(cols)) as u64;
    let layer = matrix(Format::Q4_0, 256 + 128 + 256 + 512, 256)
        + matrix(Format::Q6K, 128, 256)
        + matrix(Format::Q8_0, 512, 256)
        + matrix(Format::Q8_0, 256, 512)
        + 2 * 256 * 4;
    2 * layer + matrix(Format::Q6K, 264, 256) + 256 * 4
}

#[test]
fn counts_the_bytes_of_the_tensor_list_and_of_the_growing_cache() {
    let check = |kv_format: KvFormat, n_tokens: u64, kv_bytes_per_token: u64| {
        let variation = Variation {
            depth: 10,
            n_more_tokens: n_tokens - 1,
            kv_format,
            ..PLAIN
        };
        let (decode, _pool) = build_with(variation, 1, simd::scalar());
        let (shape, work) = (decode.shape(), decode.shape().work);
        let n_read: u64 = (10..10 + n_tokens).sum();
        assert_eq!(
            work.read_bytes,
            n_tokens * weight_bytes() + n_read * kv_bytes_per_token
        );
        assert_eq!(work.written_bytes, n_tokens * kv_bytes_per_token);
        assert_eq!(work.tokens, n_tokens);
        let newest = 10 + n_tokens - 1;
        assert_eq!(
            shape.working_set_bytes,
            weight_bytes() + newest * kv_bytes_per_token
        );
        // Two matrices of every product, and for every head and position a product with its key and one with its value.
        let attention = |position: u64| (4 * (position + 1) * 4 * 64) * 2;
        let products = 2 * (2 * (768 + 1024 + 512) * 256 + 264 * 256);
        let attention: u64 = (10..10 + n_tokens).map(attention).sum();
        assert_eq!(work.ops, n_tokens * products + attention);
    };
    let kv_elements = 2 * 2 * 2 * 64;
    check(KvFormat::F16, 1, kv_elements * 2);
    check(KvFormat::F16, 5, kv_elements * 2);
    check(KvFormat::Q8_0, 3, kv_elements / 32 * 34);
}

#[test]
fn holds_as_many_layers_as_fit() {
    let cpus = affinity::allowed_cpus();
    let pool = Pool::new(&cpus[..1]).unwrap();
    let mut model = model(PLAIN);
    // Four layers, the second and the fourth with another output projection.
    for layer in [2, 3] {
        let copies: Vec<_> = model
            .tensors
            .iter()
            .filter(|tensor| tensor.layer == Some(layer - 2))
            .map(|tensor| DecodeTensor {
                layer: Some(layer),
                ..tensor.clone()
            })
            .collect();
        model.tensors.extend(copies);
    }
    model.n_layers = 4;
    for tensor in &mut model.tensors {
        if tensor.role == TensorRole::AttnOutput && tensor.layer.is_some_and(|layer| layer % 2 == 1)
        {
            tensor.format = "q8_0".to_string();
        }
    }
    let with_limits = |available_bytes: u64, last_level_cache_bytes: u64| {
        let limits = Limits {
            available_bytes: Some(available_bytes),
            last_level_cache_bytes,
        };
        build(&model, PLAIN.task(), &pool, simd::best(), limits)
    };
    let all = with_limits(1 << 30, 0).unwrap();
    assert_eq!(all.model.held_layers, None);
    let needed = all.plan.weight_bytes + all.kv_bytes_per_token;
    // A little less than five quarters of what is needed: one of four layers is left out of each kind.
    let some = with_limits(needed / 4 * 5 - 100_000, 0).unwrap();
    assert_eq!(some.model.held_layers, Some(2));
    assert_eq!(some.plan.weights_of, [0, 1, 0, 1]);
    assert_eq!(
        some.shape().work,
        all.shape().work,
        "the work of all layers"
    );
    assert!(some.shape().working_set_bytes < all.shape().working_set_bytes);
    assert!(some.plan.thread_bytes[0] < all.plan.thread_bytes[0]);
    let output = logits(&some, &pool);
    assert!(output.iter().all(|logit| logit.is_finite()));
    let difference = relative_difference(&some, &pool);
    assert!(
        difference < 0.05,
        "every layer finds its weights: {difference}"
    );
    let check = |available_bytes: u64, last_level_cache_bytes: u64, expect: &str| {
        let Err(NotReady::Skipped(reason)) = with_limits(available_bytes, last_level_cache_bytes)
        else {
            panic!("{expect}");
        };
        assert!(reason.contains(expect), "{reason}");
    };
    check(
        needed / 4 * 5 - 100_000,
        1 << 20,
        "could stay in the caches",
    );
    check(100_000, 0, "no layer fits");
}

#[test]
fn skips_heads_that_are_no_whole_q8_0_blocks() {
    let cpus = affinity::allowed_cpus();
    let pool = Pool::new(&cpus[..1]).unwrap();
    let mut model = model(PLAIN);
    (model.head_dim, model.n_heads, model.n_kv_heads) = (16, 16, 8);
    let task = Task {
        kv_format: KvFormat::Q8_0,
        ..PLAIN.task()
    };
    let Err(NotReady::Skipped(reason)) = build(&model, task, &pool, simd::best(), NO_LIMITS) else {
        panic!("16 is no multiple of 32");
    };
    assert!(reason.contains("heads of 16 elements"), "{reason}");
}

#[test]
fn refuses_lists_that_do_not_fit_together() {
    let cpus = affinity::allowed_cpus();
    let pool = Pool::new(&cpus[..1]).unwrap();
    let check = |change: &dyn Fn(&mut DecodeModel), expect: &str| {
        let mut model = model(PLAIN);
        change(&mut model);
        let (NotReady::Failed(reason) | NotReady::Skipped(reason)) =
            build(&model, PLAIN.task(), &pool, simd::scalar(), NO_LIMITS)
                .err()
                .unwrap();
        assert!(reason.contains(expect), "{reason}");
    };
    check(
        &|model| {
            model
                .tensors
                .retain(|tensor| tensor.role != TensorRole::FfnDown)
        },
        "FfnDown",
    );
    check(
        &|model| model.tensors[1].format = "q4_1".to_string(),
        "q4_1",
    );
    check(&|model| model.n_kv_heads = 3, "cannot be laid out");
    check(&|model| model.hidden = 512, "elements, not 512");
    check(&|model| model.tensors[1].rows = 8, "rows, not");
}
