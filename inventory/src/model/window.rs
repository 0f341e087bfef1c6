//! Sliding windows: layers whose attention looks back over the last tokens only.

use super::{KvFormat, Model};

/// The window of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Tokens that a layer with the window looks back over.
    pub tokens: u32,
    /// Layers that have it, the others looking back over everything; `None` where nothing tells.
    pub n_layers: Option<u32>,
}

impl SlidingWindow {
    /// Layers with the window when every `period`th layer looks back over everything: that layer is the last of a
    /// period. 0 stands for no such layer.
    ///
    /// Source: llama.cpp, `llama_hparams::set_swa_pattern`.
    pub fn layers_of_period(n_layers: u32, period: u32) -> u32 {
        n_layers - n_layers.checked_div(period).unwrap_or(0)
    }
}

impl Model {
    /// Bytes of keys and values of one token in one layer.
    fn kv_bytes_per_layer(&self, format: KvFormat) -> u64 {
        let row = u64::from(self.arch.n_kv_heads) * u64::from(self.arch.head_dim);
        format.tensor_format().row_bytes(row).saturating_mul(2)
    }

    /// Layers that look back over everything, and those with a window. Where nothing tells, all look back over
    /// everything.
    fn full_and_windowed(&self) -> (u64, u64) {
        let all = u64::from(self.arch.n_layers);
        let n_windowed = self.arch.window.and_then(|window| window.n_layers);
        let windowed = u64::from(n_windowed.unwrap_or(0)).min(all);
        (all - windowed, windowed)
    }

    /// Bytes of keys and values that one token adds to the cache: `2 x layers x kv_heads x head_dim x bytes per element`.
    /// Later tokens read them all, but in layers with a window only as long as it reaches back to them.
    pub fn kv_bytes_per_token(&self, format: KvFormat) -> u64 {
        let n_layers = u64::from(self.arch.n_layers);
        self.kv_bytes_per_layer(format).saturating_mul(n_layers)
    }

    /// Bytes of keys and values that a token reads with `depth` tokens before it.
    pub fn kv_read_bytes(&self, format: KvFormat, depth: u64) -> u64 {
        let window = self.arch.window.map_or(u64::MAX, |it| it.tokens.into());
        let (n_full, n_windowed) = self.full_and_windowed();
        let tokens = (n_full.saturating_mul(depth))
            .saturating_add(n_windowed.saturating_mul(depth.min(window)));
        self.kv_bytes_per_layer(format).saturating_mul(tokens)
    }

    /// Bytes of a cache of `cells` tokens whose layers with a window have `batch` tokens more than it, as those that are
    /// computed together each need their own window. Cells are made in multiples of `multiple`.
    ///
    /// Source: llama.cpp, `llama_kv_cache_iswa` in `src/llama-kv-cache-iswa.cpp`, with one sequence and without
    /// `--swa-full`.
    pub fn kv_cache_bytes(&self, format: KvFormat, cells: u64, batch: u64, multiple: u64) -> u64 {
        let padded = |cells: u64| cells.div_ceil(multiple).saturating_mul(multiple);
        let windowed = match self.arch.window {
            Some(window) => padded(cells.min(u64::from(window.tokens).saturating_add(batch))),
            None => padded(cells),
        };
        let (n_full, n_windowed) = self.full_and_windowed();
        let all = n_full
            .saturating_mul(padded(cells))
            .saturating_add(n_windowed.saturating_mul(windowed));
        self.kv_bytes_per_layer(format).saturating_mul(all)
    }

    /// Why nothing can be said of the KV cache with so many tokens; `None` where it can.
    pub fn kv_unknown(&self, tokens: u64) -> Option<String> {
        let window = self.arch.window?;
        let is_unknown = window.n_layers.is_none() && tokens > u64::from(window.tokens);
        is_unknown.then(|| {
            format!(
                "model `{}`: some layers look back over {} tokens only, and which ones is not known, so the bytes of {tokens} tokens are not known; ask for {} tokens or fewer",
                self.id, window.tokens, window.tokens
            )
        })
    }
}
