//! Memory and traffic over time.

/// The most samples that are kept.
const MOST: usize = 1024;

/// What a run holds at a moment. Times in nanoseconds from the start of the run, sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub at: u64,
    /// Bytes of results in memory.
    pub held: u64,
    /// Bytes that running tasks have reserved beside them.
    pub reserved: u64,
    /// Bytes of the process, as the system counts them; 0 if it does not tell.
    pub process: u64,
    /// Bytes that went to the disk so far, and came back.
    pub written: u64,
    pub read: u64,
    /// Threads that run tasks.
    pub running: u32,
    /// Tasks that have finished.
    pub finished: u64,
}

/// Samples in order. When there are too many, every second one goes, and from then on they are taken half as often.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    pub samples: Vec<Sample>,
    /// Nanoseconds that must lie between two of them.
    gap: u64,
}

impl Samples {
    pub(crate) fn push(&mut self, sample: Sample) {
        if self.samples.last().is_some_and(|last| sample.at < last.at.saturating_add(self.gap)) {
            return;
        }
        if self.samples.len() == MOST {
            let span = sample.at.saturating_sub(self.samples[0].at);
            self.gap = (2 * span / MOST as u64).max(1);
            let mut number = 0;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        self.samples.push(sample);
    }

    /// Nanoseconds that should pass before the next one.
    pub(crate) fn gap(&self) -> u64 {
        self.gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_a_run_is_the_samples_are_few_and_cover_it() {
        let mut samples = Samples::default();
        for at in 0..100_000 {
            samples.push(Sample { at: at * 1_000_000, ..Sample::default() });
        }
        assert!((MOST / 4..=MOST).contains(&samples.samples.len()), "{}", samples.samples.len());
        let times: Vec<u64> = samples.samples.iter().map(|sample| sample.at / 1_000_000).collect();
        assert_eq!(times[0], 0);
        assert!(times.last().is_some_and(|&last| last > 99_000) && times.is_sorted());
        let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest <= Some(400), "{widest:?}");
    }
}
