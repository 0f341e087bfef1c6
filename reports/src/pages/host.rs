//! The page of a host.

pub(super) mod chain;
pub(super) mod chain_words;
pub(super) mod environment;
pub(super) mod facts;
pub(super) mod health;
pub(super) mod interference;
pub(super) mod kernels;
pub(super) mod kv_cache;
pub(super) mod ladder;
pub(super) mod latency;
pub(super) mod left_out;
pub(super) mod power;
pub(super) mod roofline;
pub(super) mod samples;
pub(super) mod sizes;
pub(super) mod summary;
pub(super) mod sustained;
pub(super) mod threads;
pub(super) mod troubles;
pub(super) mod units;
