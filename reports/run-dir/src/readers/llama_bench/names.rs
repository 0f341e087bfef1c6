//! How llama.cpp describes a model: architecture, size class, quantisation (`qwen2 1.5B Q4_K - Medium`).
//!
//! Source: `src/llama-model.cpp` of llama.cpp (`desc_str`), the `load_arch_hparams` of its architectures for the size
//! classes, and `llama_model_ftype_name` in `src/llama-model-loader.cpp`.

use bench_inventory::{Model, ModelArch, Quant};

/// The description of a model of the catalogue in a quantisation; one that the catalogue does not know keeps its label,
/// in upper case.
pub fn model_type(model: &Model, quant: &str) -> String {
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
pub fn quant_of(model_type: &str) -> Option<Quant> {
    let is_end = |quant: &Quant| {
        let rest = model_type.strip_suffix(quant_name(*quant));
        rest.is_some_and(|rest| rest.ends_with(' '))
    };
    Quant::ALL.into_iter().find(is_end)
}

/// How much of a model file a token reads, as far as its description tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// All of it.
    All,
    /// Some of the experts of a mixture.
    SomeExperts,
    /// A part for another reason: tables of which a token looks up a row for each layer, blocks that predict further
    /// tokens, an encoder.
    Part,
    /// The architecture is not in the lists here.
    Unknown,
}

/// Architectures of llama.cpp whose models are mixtures of experts, with no word of it in the name.
///
/// Source: `LLM_ARCH_NAMES` in `src/llama-arch.cpp` of llama.cpp, and the architectures there that load `ffn_gate_inp`.
const MIXTURES: [&str; 24] = [
    "afmoe",
    "arctic",
    "bailingmoe",
    "cogvlm2",
    "dbrx",
    "deepseek",
    "deepseek2",
    "deepseek3",
    "deepseek32",
    "deepseek4",
    "dots1",
    "glm-dsa",
    "gpt-oss",
    "openai-moe",
    "grok",
    "jamba",
    "kimi-linear",
    "llama4",
    "mimo2",
    "minimax-m2",
    "mistral4",
    "qwen3next",
    "smallthinker",
    "step35",
];

/// Architectures whose models are read whole. `llama` is one of them unless its class says otherwise.
const WHOLE: [&str; 41] = [
    "llama",
    "qwen",
    "qwen2",
    "qwen2vl",
    "qwen3",
    "qwen3vl",
    "gemma",
    "gemma2",
    "gemma3",
    "phi2",
    "phi3",
    "mistral3",
    "falcon",
    "falcon3",
    "falcon-h1",
    "bloom",
    "gpt2",
    "gptneox",
    "mpt",
    "starcoder",
    "starcoder2",
    "stablelm",
    "baichuan",
    "internlm2",
    "minicpm",
    "minicpm3",
    "orion",
    "command-r",
    "cohere2",
    "olmo",
    "olmo2",
    "openelm",
    "chatglm",
    "glm4",
    "exaone",
    "exaone4",
    "smollm3",
    "granite",
    "rwkv6",
    "rwkv7",
    "mamba",
];

/// Architectures of which a token reads a part for another reason.
const PARTS: [&str; 4] = ["gemma3n", "t5", "t5encoder", "whisper"];

/// What a description (`qwen2 1.5B Q4_0`), and the name of the file where it is known, say of it.
pub fn read_of(model_type: &str, filename: Option<&str>) -> Read {
    let words: Vec<String> = model_type
        .split_whitespace()
        .map(str::to_ascii_lowercase)
        .collect();
    let arch = words.first().map(String::as_str).unwrap_or_default();
    let arch = arch.trim_end_matches(',');
    let is_mixture = |word: &String| has_experts(word) || word.contains("moe");
    if MIXTURES.contains(&arch) || words.iter().any(is_mixture) {
        return Read::SomeExperts;
    }
    // `gemma4 E2B`: two billion effective parameters, of more.
    let is_effective = |word: &String| {
        word.strip_prefix('e')
            .and_then(|rest| rest.strip_suffix('b'))
            .is_some_and(|rest| rest.parse::<f64>().is_ok())
    };
    let name = filename.unwrap_or_default().to_ascii_lowercase();
    let predicts_more = ["mtp", "nextn"]
        .iter()
        .any(|it| name.split(['-', '_', '.']).any(|word| word == *it));
    if PARTS.contains(&arch) || words.iter().any(is_effective) || predicts_more {
        return Read::Part;
    }
    // A class that llama.cpp does not know is of a model that somebody put together.
    match WHOLE.contains(&arch) && !words.iter().any(|word| word == "?b") {
        true => Read::All,
        false => Read::Unknown,
    }
}

/// Whether a word is the size class of a mixture: `8x7b`, `17bx16e`, `10b+128x3.66b`, `30b.a3b`.
fn has_experts(word: &str) -> bool {
    let is_times = word.split_once('x').is_some_and(|(left, right)| {
        let left = left.strip_suffix('b').unwrap_or(left);
        left.ends_with(|c: char| c.is_ascii_digit())
            && left.starts_with(|c: char| c.is_ascii_digit())
            && right.starts_with(|c: char| c.is_ascii_digit())
    });
    let is_active = word.split_once(".a").is_some_and(|(total, active)| {
        total.starts_with(|c: char| c.is_ascii_digit())
            && active.starts_with(|c: char| c.is_ascii_digit())
    });
    is_times || is_active
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
    fn knows_what_a_token_reads_of_a_model() {
        let check = |model_type: &str, expect: Read| {
            assert_eq!(read_of(model_type, None), expect, "{model_type}");
        };
        for mixture in [
            "llama 8x7B Q4_0",
            "qwen3moe 30B.A3B Q4_K - Medium",
            "ernie4_5-moe 21B.A3B Q4_0",
            "lfm2moe 8B.A1B Q4_0",
            "MXFP4 MoE",
            "deepseek2 16B Q4_K - Medium",
            "deepseek2 671B Q2_K - Medium",
            "gpt-oss 20B Q8_0",
            "gpt-oss 20B F16",
            "llama4 17Bx16E (Scout) Q4_K - Medium",
            "grok 314B Q4_0",
            "arctic 10B+128x3.66B Q4_0",
            "dots1 142B Q4_0",
            "dbrx 16x12B Q4_0",
        ] {
            check(mixture, Read::SomeExperts);
        }
        for part in ["gemma3n E4B Q8_0", "gemma4 E2B Q4_0", "t5 3B Q8_0"] {
            check(part, Read::Part);
        }
        assert_eq!(
            read_of("glm4 9B Q4_0", Some("GLM-4-9B-MTP-Q4_0.gguf")),
            Read::Part
        );
        for plain in [
            "qwen2 1.5B Q4_0",
            "llama 8B IQ4_XS - 4.25 bpw",
            "gemma3 4B Q4_0",
        ] {
            check(plain, Read::All);
        }
        for unknown in ["mixtrax B", "llama ?B Q4_0", "brandnew 30B Q4_0"] {
            check(unknown, Read::Unknown);
        }
    }
}
