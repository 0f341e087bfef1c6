//! How llama.cpp describes a model: architecture, size class, quantisation (`qwen2 1.5B Q4_K - Medium`).
//!
//! Source: `src/llama-model.cpp` of llama.cpp (`desc_str`), the `load_arch_hparams` of its architectures for the size
//! classes, and `llama_model_ftype_name` in `src/llama-model-loader.cpp`.

use bench_inventory::{Model, ModelArch, Quant};

/// The description of a model of the catalogue in a quantisation; one that the catalogue does not know keeps its label,
/// in upper case.
pub(crate) fn model_type(model: &Model, quant: &str) -> String {
    let (arch, class) = arch_and_class(&model.arch);
    let name = Quant::from_id(quant).map_or_else(
        |_| quant.to_ascii_uppercase(),
        |quant| quant_name(quant).to_owned(),
    );
    format!("{arch} {class} {name}")
}

/// The size class goes by the layers, so a model of half a billion parameters can be called `1B`.
fn arch_and_class(arch: &ModelArch) -> (&'static str, &'static str) {
    if arch.fused_projections {
        let class = match arch.n_layers {
            24 => "1B",
            32 => "3B",
            40 => "14B",
            _ => "?B",
        };
        ("phi3", class)
    } else if arch.post_norms {
        let class = match arch.n_layers {
            26 => "2B",
            42 => "9B",
            46 => "27B",
            _ => "?B",
        };
        ("gemma2", class)
    } else if arch.qkv_bias {
        let class = match (arch.n_layers, arch.hidden) {
            (24, 1024) => "0.5B",
            (24, _) => "1B",
            (28, 1536) => "1.5B",
            (28 | 32, _) => "7B",
            (36, _) => "3B",
            (40, _) if arch.n_heads == 20 => "4B",
            (40, _) => "13B",
            (48, _) => "14B",
            (64, _) => "32B",
            (80, _) => "70B",
            _ => "?B",
        };
        ("qwen2", class)
    } else {
        let class = match (arch.n_layers, arch.vocab) {
            (16 | 22, _) => "1B",
            (26 | 28, _) => "3B",
            (32, 49_152) => "3B",
            (32, ..40_000) => "7B",
            (32 | 36, _) => "8B",
            (40, _) => "13B",
            (48, _) => "34B",
            (60, _) => "30B",
            (80, _) if arch.n_heads == arch.n_kv_heads => "65B",
            (80, _) => "70B",
            _ => "?B",
        };
        ("llama", class)
    }
}

fn quant_name(quant: Quant) -> &'static str {
    match quant {
        Quant::F16 => "F16",
        Quant::Q8_0 => "Q8_0",
        Quant::Q6K => "Q6_K",
        Quant::Q5KM => "Q5_K - Medium",
        Quant::Q4KM => "Q4_K - Medium",
        Quant::Q4KS => "Q4_K - Small",
        Quant::Q4_0 => "Q4_0",
        Quant::Iq4Nl => "IQ4_NL - 4.5 bpw",
        Quant::Q3KM => "Q3_K - Medium",
        Quant::Q3KS => "Q3_K - Small",
        Quant::Q2K => "Q2_K - Medium",
    }
}

/// The quantisation that a description ends with; one that llama.cpp guessed from the tensors counts, too.
pub(crate) fn quant_of(model_type: &str) -> Option<Quant> {
    let is_end = |quant: &Quant| {
        let rest = model_type.strip_suffix(quant_name(*quant));
        rest.is_some_and(|rest| rest.ends_with(' '))
    };
    Quant::ALL.into_iter().find(is_end)
}

/// Whether a description is that of a mixture of experts, of which a token reads a part: `8x7B`, `qwen3moe 30B.A3B`.
pub(crate) fn is_mixture(model_type: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    model_type.split_whitespace().any(|word| {
        let experts = word.split_once('x').is_some_and(|(n, rest)| {
            is_digits(n) && rest.starts_with(|c: char| c.is_ascii_digit())
        });
        experts || word.contains(".A") || word.to_ascii_lowercase().contains("moe")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_quantisation_at_the_end() {
        assert_eq!(quant_of("qwen2 1B (guessed) Q4_0"), Some(Quant::Q4_0));
        assert_eq!(quant_of("llama 8B Q4_K - Medium"), Some(Quant::Q4KM));
        assert_eq!(quant_of("llama 8B IQ4_NL - 4.5 bpw"), Some(Quant::Iq4Nl));
        assert_eq!(quant_of("llama 8B BF16"), None);
        assert_eq!(quant_of("llama 8B Q4_1"), None);
    }

    #[test]
    fn knows_mixtures_of_experts() {
        for mixture in [
            "llama 8x7B Q4_0",
            "qwen3moe 30B.A3B Q4_K - Medium",
            "MXFP4 MoE",
        ] {
            assert!(is_mixture(mixture), "{mixture}");
        }
        for plain in ["qwen2 1.5B Q4_0", "llama 8B IQ4_XS - 4.25 bpw", "mixtrax B"] {
            assert!(!is_mixture(plain), "{plain}");
        }
    }
}
