//! Runs a target: under libFuzzer where that drives (`make fuzz`), else the corpus and mutations of it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use bolero::check;
use tokio::runtime::{Builder, Runtime};

use crate::corpus::Corpus;
use crate::mutate::{Input, Mutated};

/// No input may take longer, on a busy machine, without optimisation. libFuzzer has a bound of its own.
const PATIENCE: Duration = Duration::from_secs(20);
/// What libFuzzer is told, where this was compiled to be driven by it.
const LIBFUZZER: &str = "BOLERO_LIBFUZZER_ARGS";
/// The number of mutations ends a run, not the time.
const HOUR: Duration = Duration::from_hours(1);

/// Gives inputs to `holds`, which panics where a property does not hold: all of the corpus, and so many mutations.
/// `ADVOSYNC_FUZZ_TIMES` multiplies them.
pub(crate) fn run(target: &'static str, mutations: usize, mut holds: impl FnMut(&[u8])) {
    if std::env::var_os(LIBFUZZER).is_some() {
        let holds = AssertUnwindSafe(RefCell::new(holds));
        check!(name = target).for_each(|input: &[u8]| (holds.borrow_mut())(input));
        return;
    }
    let timed = AssertUnwindSafe(RefCell::new(move |input: &[u8]| {
        let started = Instant::now();
        holds(input);
        let took = started.elapsed();
        assert!(took < PATIENCE, "it took {} ms", took.as_millis());
    }));
    let corpus = Corpus::of(target);
    for (name, content) in &corpus.files {
        let ended = catch_unwind(AssertUnwindSafe(|| (timed.borrow_mut())(content)));
        if let Err(why) = ended {
            eprintln!("corpus/{target}/{name} does not hold");
            resume_unwind(why);
        }
    }
    let factor = std::env::var("ADVOSYNC_FUZZ_TIMES").map_or(1, |times| times.parse().unwrap());
    check!(name = target)
        .with_generator(Mutated(&corpus))
        .with_iterations(mutations * factor)
        .with_test_time(HOUR)
        .with_shrink_time(Duration::from_secs(5))
        .for_each(|input: &Input| (timed.borrow_mut())(&input.0));
}

/// One thread for all of a target: what it does depends on nothing but the input.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
