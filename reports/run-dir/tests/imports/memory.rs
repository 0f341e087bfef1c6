//! STREAM, tinymembench, mbw and sbc-bench.

use bench_run_dir::readers::{
    Bandwidth, Counted, ImportError, Imported, ImportedFigure, Latency, LatencyMeaning, Place,
    SpreadKind, Statistic, Tool, Value, detect, parse,
};

const STREAM: &str = include_str!("data/stream-2-threads.txt");
const STREAM_1: &str = include_str!("data/stream-1-thread.txt");
const MBW: &str = include_str!("data/mbw-all-tests.txt");
const MBW_QUIET: &str = include_str!("data/mbw-quiet.txt");
const RAMLAT: &str = include_str!("data/ramlat.txt");
const TINYMEMBENCH: &str = include_str!("data/tinymembench.txt");

fn parsed(tool: Tool, text: &str) -> Imported {
    assert_eq!(detect(text), [tool]);
    parse(tool, text).unwrap()
}

fn refused(tool: Tool, text: &str) -> ImportError {
    parse(tool, text).unwrap_err()
}

fn bandwidth(figure: &ImportedFigure) -> &Bandwidth {
    match &figure.value {
        Value::Bandwidth(bandwidth) => bandwidth,
        other => panic!("{other:?} is no bandwidth"),
    }
}

fn latency(figure: &ImportedFigure) -> &Latency {
    match &figure.value {
        Value::Latency(latency) => latency,
        other => panic!("{other:?} is no latency"),
    }
}

fn named<'a>(imported: &'a Imported, name: &str) -> &'a ImportedFigure {
    imported.figures.iter().find(|it| it.name == name).unwrap()
}

#[test]
fn stream_counts_bytes_read_and_written_in_units_of_a_million() {
    let stream = parsed(Tool::Stream, STREAM);
    let names: Vec<&str> = stream.figures.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Copy", "Scale", "Add", "Triad"]);
    assert_eq!(stream.version.as_deref(), Some("5.10"));
    assert!(stream.remarks.is_empty(), "{:?}", stream.remarks);
    let triad = named(&stream, "Triad");
    assert_eq!(triad.place, Place::Line(30));
    let triad = bandwidth(triad);
    assert_eq!(triad.gb_per_s, 35.2136);
    assert_eq!(triad.counted, Counted::ReadPlusWrite);
    assert_eq!(triad.statistic, Statistic::Best);
    assert_eq!(triad.n_threads, Some(2));
    assert_eq!(triad.block_bytes, Some(160_000_000));
    assert_eq!(triad.n_samples, Some(9));
    let spread = triad.spread.unwrap();
    assert_eq!(spread.kind, SpreadKind::RangeOverMean);
    assert!((spread.share - (0.019047 - 0.013631) / 0.014436).abs() < 1e-12);
    let one = parsed(Tool::Stream, STREAM_1);
    assert_eq!(bandwidth(&one.figures[0]).n_threads, Some(1));
}

#[test]
fn stream_that_found_itself_wrong_is_refused() {
    let start = STREAM.find("Solution Validates").unwrap();
    let unchecked = parsed(Tool::Stream, &STREAM[..start]);
    assert!(
        unchecked.remarks[0].contains("own check"),
        "{:?}",
        unchecked.remarks
    );
    let failed = format!(
        "{}Failed Validation on array a[], AvgRelAbsErr > epsilon (1.000000e-13)\n",
        &STREAM[..start]
    );
    let error = refused(Tool::Stream, &failed);
    assert_eq!(error.problems[0].place, Some(Place::Line(32)));
    assert!(error.to_string().contains("count for nothing"), "{error}");
    // A table whose rate and time say different things was not printed by STREAM.
    let other = STREAM.replace("40459.9", "38585.6");
    assert!(parsed(Tool::Stream, &other).remarks[0].contains("contradict"));
}

#[test]
fn several_runs_of_stream_in_one_text_keep_their_threads() {
    let both = parsed(Tool::Stream, &format!("{STREAM_1}{STREAM}"));
    let threads: Vec<_> = (both.figures.iter())
        .map(|it| bandwidth(it).n_threads.unwrap())
        .collect();
    assert_eq!(threads, [1, 1, 1, 1, 2, 2, 2, 2]);
}

/// Threads of each figure of a text of STREAM.
fn stream_threads(text: &str) -> Vec<Option<u32>> {
    let stream = parsed(Tool::Stream, text);
    let threads = stream.figures.iter().map(|it| bandwidth(it).n_threads);
    threads.collect()
}

#[test]
fn threads_of_stream_are_those_of_each_table_or_unknown() {
    let table = "Function    Best Rate MB/s  Avg time     Min time     Max time\n\
                 Triad:          10000.0     0.024000     0.024000     0.024000\n";
    let fortran = format!(
        " STREAM Version $Revision: 5.6 $\n Array size =   10000000\n Assuming 8 bytes per DOUBLE PRECISION word\n \
         Number of Threads =            8\n{table}"
    );
    assert_eq!(stream_threads(&fortran), [Some(8)]);
    let stream = parsed(Tool::Stream, &fortran);
    assert_eq!(stream.version.as_deref(), Some("5.6"));
    assert_eq!(bandwidth(&stream.figures[0]).block_bytes, Some(80_000_000));
    let mpi = |threads: &str| {
        format!(
            "STREAM version $Revision: 1.8 $\nThis system uses 8 bytes per array element.\n\
             Total Aggregate Array size = 10000000 (elements)\nData is distributed across 4 MPI ranks\n\
             Each kernel will be executed 10 times.\n{threads}{table}"
        )
    };
    let two = "Number of Threads requested for each MPI rank = 2\nNumber of Threads counted for rank 0 = 2\n";
    assert_eq!(stream_threads(&mpi(two)), [Some(8)]);
    assert_eq!(stream_threads(&mpi("")), [Some(4)]);
    // A script keeps the whole of the first run and some lines of the others.
    let first = format!(
        "STREAM version $Revision: 5.9 $\nEach test is run 10 times\nNumber of Threads requested = 1\n{table}"
    );
    let others: String = (2..=4)
        .map(|n| format!("Number of Threads requested = {n}\n{table}"))
        .collect();
    let scaling = format!("{first}{others}");
    assert_eq!(
        stream_threads(&scaling),
        [Some(1), Some(2), Some(3), Some(4)]
    );
    let without_tables: String = scaling
        .lines()
        .filter(|line| line.starts_with("Number") || line.starts_with("Triad"))
        .map(|line| format!("{line}\n"))
        .collect();
    let header = "Function    Best Rate MB/s\n";
    assert_eq!(
        stream_threads(&format!("{header}{without_tables}")),
        [Some(1), Some(2), Some(3), Some(4)]
    );
    // Tables alone say nothing, after others either.
    assert_eq!(stream_threads(table), [None]);
    assert_eq!(stream_threads(&format!("{first}{table}")), [Some(1), None]);
    // A program built without OpenMP names no threads.
    let serial = first.replace("Number of Threads requested = 1\n", "");
    assert_eq!(stream_threads(&serial), [Some(1)]);
}

#[test]
fn mbw_counts_copied_bytes_once_in_binary_units() {
    let mbw = parsed(Tool::Mbw, MBW);
    assert_eq!(mbw.figures.len(), 33);
    let mean = &mbw.figures[10];
    assert_eq!(
        (mean.name.as_str(), mean.place),
        ("MEMCPY", Place::Line(14))
    );
    let mean = bandwidth(mean);
    assert_eq!(mean.gb_per_s, 5862.658 * 1_048_576.0 / 1e9);
    assert_eq!(mean.counted, Counted::Bcopy);
    assert_eq!(mean.statistic, Statistic::Mean);
    assert_eq!(mean.n_samples, Some(10));
    assert_eq!(mean.block_bytes, Some(256 << 20));
    assert_eq!(mean.n_threads, Some(1));
    let share = mean.spread.unwrap().share;
    assert!((0.10..0.11).contains(&share), "{share}");
    let single = bandwidth(&mbw.figures[0]);
    assert_eq!(single.statistic, Statistic::Single);
    assert_eq!(single.spread, None);
    assert_eq!(parsed(Tool::Mbw, MBW_QUIET).figures.len(), 4);
    // `-a` prints no mean.
    let runs: String = MBW_QUIET
        .lines()
        .take(3)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(parsed(Tool::Mbw, &runs).figures.len(), 3);
}

#[test]
fn mbw_with_an_impossible_rate_is_refused_with_its_line() {
    let error = refused(Tool::Mbw, &MBW_QUIET.replace("6217.214", "inf"));
    assert_eq!(
        error.to_string(),
        "line 2: the rate of `MEMCPY` is `inf`, not a number above 0; measure again"
    );
    let error = refused(Tool::Mbw, &MBW_QUIET.replace(" MiB/s", " MB/s"));
    assert_eq!(error.problems.len(), 4, "every line is named");
}

#[test]
fn tinymembench_counts_by_the_name_of_the_test() {
    let tiny = parsed(Tool::Tinymembench, TINYMEMBENCH);
    assert_eq!(tiny.version.as_deref(), Some("0.4.9"));
    let memcpy = bandwidth(named(&tiny, "standard memcpy"));
    assert!((memcpy.gb_per_s - 16.2844).abs() < 1e-12);
    assert_eq!(memcpy.counted, Counted::Bcopy);
    assert_eq!(memcpy.block_bytes, Some(32 << 20));
    assert_eq!(memcpy.spread.unwrap().kind, SpreadKind::DeviationOverBest);
    assert!((memcpy.spread.unwrap().share - 0.015).abs() < 1e-12);
    assert_eq!(
        bandwidth(named(&tiny, "C fill")).counted,
        Counted::ReadPlusWrite
    );
    assert_eq!(
        bandwidth(named(&tiny, "C 2-pass copy")).counted,
        Counted::Bcopy
    );
    assert_eq!(
        bandwidth(named(&tiny, "SSE2 2-pass nontemporal copy")).spread,
        None
    );
}

#[test]
fn tinymembench_latencies_come_in_pairs_for_both_sizes_of_pages() {
    let tiny = parsed(Tool::Tinymembench, TINYMEMBENCH);
    let of = |name: &str, pages: &str| {
        let latencies = tiny.figures.iter().filter(|it| it.name == name);
        let latencies: Vec<&Latency> = latencies.map(latency).collect();
        let last = latencies
            .iter()
            .rfind(|it| it.pages.as_deref() == Some(pages))
            .unwrap();
        (last.ns, last.block_bytes, last.meaning)
    };
    for pages in ["MADV_NOHUGEPAGE", "MADV_HUGEPAGE"] {
        let (single, bytes, meaning) = of("single random read", pages);
        let (dual, _, _) = of("dual random read", pages);
        assert_eq!((bytes, meaning), (64 << 20, LatencyMeaning::OverFirstCache));
        assert!(dual >= single && single > 10.0, "{single} {dual}");
    }
}

#[test]
fn tinymembench_of_uncached_memory_is_left_out_and_said_so() {
    let framebuffer = "\n== Framebuffer read tests.                ==\n\n NEON read (from framebuffer)   :   50.1 MB/s\n\
                       \n== Memory latency test ==\n";
    let at = TINYMEMBENCH.find("=====\n== Memory latency").unwrap();
    let text = format!(
        "{}{framebuffer}{}",
        &TINYMEMBENCH[..at],
        &TINYMEMBENCH[at..]
    );
    let with = parsed(Tool::Tinymembench, &text);
    assert_eq!(
        with.figures.len(),
        parsed(Tool::Tinymembench, TINYMEMBENCH).figures.len()
    );
    assert!(
        with.remarks[0].contains("1 rate of the framebuffer"),
        "{:?}",
        with.remarks
    );
}

#[test]
fn forks_of_tinymembench_print_repetitions_too() {
    let fork = TINYMEMBENCH
        .replace("v0.4.9", "v0.4.9-nuumio")
        .replace("MB/s (1.3%)", "MB/s (10, 1.3%)")
        .replace("3259.2 MB/s", "3259.2 MB/s (3)");
    let fork = parsed(Tool::Tinymembench, &fork);
    assert_eq!(fork.version.as_deref(), Some("0.4.9-nuumio"));
    let copy = bandwidth(named(&fork, "C copy"));
    assert_eq!(copy.n_samples, Some(10));
    assert!((copy.spread.unwrap().share - 0.013).abs() < 1e-12);
    let quiet = bandwidth(named(&fork, "SSE2 2-pass nontemporal copy"));
    assert_eq!((quiet.n_samples, quiet.spread), (Some(3), None));
    let error = refused(Tool::Tinymembench, &TINYMEMBENCH.replace("(1.3%)", "(1.3"));
    assert!(
        error.to_string().contains("`C copy` is followed by `(1.3`"),
        "{error}"
    );
}

/// A result of sbc-bench around real blocks of its programs: its own lines as `sbc-bench.sh` prints them.
fn sbc_bench() -> String {
    let ramlat: String = RAMLAT.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "sbc-bench v0.9.72 A Board (Mon, 04 Jul 2022 17:51:16 +0000)\n\nUptime: 17:51:16 up 23 min\n\n\
         ##########################################################################\n\n\
         Executing benchmark on cpu0 (Cortex-A55):\n\n{TINYMEMBENCH}\n\
         Executing benchmark on cpu4 (Cortex-A76):\n\n{TINYMEMBENCH}\n\
         ##########################################################################\n\n\
         Executing ramlat on cpu4 (Cortex-A76), results in ns:\n\n{ramlat}\n\
         ##########################################################################\n\n\
         Executing benchmark single-threaded on cpu0 (Cortex-A55)\n\n22:       1408   100   1372   1370\n\
         ##########################################################################\n\n\
         Memory performance (all cores): memcpy : 6114.3 MB/s\n"
    )
}

#[test]
fn sbc_bench_keeps_the_core_of_each_block() {
    let sbc = parsed(Tool::SbcBench, &sbc_bench());
    let n_tiny = parsed(Tool::Tinymembench, TINYMEMBENCH).figures.len();
    assert_eq!(sbc.figures.len(), 2 * n_tiny + 13 * 8);
    assert_eq!(sbc.version.as_deref(), Some("0.9.72"));
    assert_eq!(sbc.facts["board"], "A Board");
    let cores: Vec<&str> = (sbc.figures.iter())
        .filter(|it| it.name == "standard memcpy")
        .map(|it| it.core.as_deref().unwrap())
        .collect();
    assert_eq!(cores, ["cpu0 (Cortex-A55)", "cpu4 (Cortex-A76)"]);
    let last = sbc.figures.last().unwrap();
    assert_eq!(last.name, "ramlat 8xPTR");
    assert_eq!(latency(last).ns, 53.29);
    assert_eq!(latency(last).block_bytes, 16 << 20);
    assert_eq!(latency(last).meaning, LatencyMeaning::Step);
}

#[test]
fn text_of_no_tool_is_none_and_says_what_there_is() {
    assert_eq!(detect("hello\nworld\n"), []);
    assert_eq!(detect(""), []);
    let error = refused(Tool::Stream, MBW);
    assert!(
        error
            .to_string()
            .contains("llama-bench, stream, tinymembench, mbw, sbc-bench, sysbench, babelstream"),
        "{error}"
    );
}
