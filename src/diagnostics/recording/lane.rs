//! What one thread has done.

/// Bins of a timeline: enough for a pixel or two each.
const BINS: usize = 512;
/// The first width of a bin in nanoseconds; it doubles as the run goes on.
const NARROW: u64 = 1 << 10;

/// Something that took a thread's time, in nanoseconds from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The operation's row, or one of those below.
    pub row: u32,
    pub task: u32,
    pub start: u64,
    pub end: u64,
    /// Bytes that were made, written or read.
    pub bytes: u64,
}

impl Span {
    /// The row of results that are written to the disk.
    pub(crate) const WRITES: u32 = u32::MAX - 2;
    /// The row of inputs that are read back.
    pub(crate) const READS: u32 = u32::MAX - 1;

    pub(crate) fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// Sums over an operation's tasks. Times in nanoseconds, `moved` the bytes that the plan says a task reads and makes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub tasks: u64,
    pub time: u64,
    pub bytes: u64,
    pub moved: f64,
    pub moved_squared: f64,
    pub moved_time: f64,
}

impl Sums {
    fn add(&mut self, span: &Span, moved: u64) {
        let (time, moved) = (span.length(), moved as f64);
        self.tasks += 1;
        self.time += time;
        self.bytes += span.bytes;
        self.moved += moved;
        self.moved_squared += moved * moved;
        self.moved_time += moved * time as f64;
    }

    /// The sums of both.
    pub(crate) fn and(self, other: &Sums) -> Sums {
        Sums {
            tasks: self.tasks + other.tasks,
            time: self.time + other.time,
            bytes: self.bytes + other.bytes,
            moved: self.moved + other.moved,
            moved_squared: self.moved_squared + other.moved_squared,
            moved_time: self.moved_time + other.moved_time,
        }
    }
}

/// How often and how many bytes went to the disk or came back, and how long that took in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub times: u64,
    pub bytes: u64,
    pub time: u64,
}

/// What one thread has done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// A row for each operation.
    pub sums: Vec<Sums>,
    pub written: Traffic,
    pub read: Traffic,
    pub timeline: Option<Timeline>,
    /// Tasks that failed.
    pub failures: u64,
}

impl Lane {
    pub(crate) fn new(rows: usize, timeline: Option<Timeline>) -> Lane {
        Lane { sums: vec![Sums::default(); rows], timeline, ..Lane::default() }
    }

    #[inline]
    pub(crate) fn finished(&mut self, span: Span, moved: u64) {
        if let Some(sums) = self.sums.get_mut(span.row as usize) {
            sums.add(&span, moved);
        }
        if let Some(timeline) = &mut self.timeline {
            timeline.add(span);
        }
    }

    /// A call ended: rows of calls come as they are seen.
    pub(crate) fn called(&mut self, span: Span) {
        let rows = span.row as usize + 1;
        if self.sums.len() < rows {
            self.sums.resize(rows, Sums::default());
        }
        self.finished(span, 0);
    }

    pub(crate) fn failed(&mut self, span: Span) {
        self.failures += 1;
        if let Some(timeline) = &mut self.timeline {
            timeline.add(span);
        }
    }

    pub(crate) fn moved(&mut self, span: Span) {
        let traffic = if span.row == Span::WRITES { &mut self.written } else { &mut self.read };
        traffic.times += 1;
        traffic.bytes += span.bytes;
        traffic.time += span.length();
        if let Some(timeline) = &mut self.timeline {
            timeline.add(span);
        }
    }
}

/// When a thread did what, in bounded memory: as long as there is room each task is kept; when there is none, the shorter half goes into
/// bins of time, and from then on what is no longer than those. So a million short tasks are a few hundred bins, and among them the long
/// ones are still to be seen.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// What is kept one by one, in the order in which it ended.
    pub spans: Vec<Span>,
    /// Spans shorter than this many nanoseconds are in the bins.
    pub shortest: u64,
    pub bins: Bins,
    most: usize,
}

impl Timeline {
    /// A timeline that keeps at most so many spans one by one.
    pub(crate) fn new(most: usize) -> Timeline {
        Timeline { spans: Vec::new(), shortest: 0, bins: Bins::default(), most: most.max(2) }
    }

    #[inline]
    pub(crate) fn add(&mut self, span: Span) {
        if span.length() < self.shortest {
            return self.bins.add(&span);
        }
        if self.spans.len() == self.most {
            self.make_room();
            return self.add(span);
        }
        self.spans.push(span);
    }

    #[cold]
    fn make_room(&mut self) {
        let mut lengths: Vec<u64> = self.spans.iter().map(Span::length).collect();
        let middle = lengths.len() / 2;
        let (_, &mut median, _) = lengths.select_nth_unstable(middle);
        self.shortest = median.saturating_add(1);
        let (bins, shortest) = (&mut self.bins, self.shortest);
        self.spans.retain(|span| {
            let stays = span.length() >= shortest;
            if !stays {
                bins.add(span);
            }
            stays
        });
    }
}

/// Sums over what ran in pieces of time of equal width.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    /// In nanoseconds.
    pub width: u64,
    /// Of each bin the rows that took time in it.
    pub bins: Vec<Vec<Share>>,
    /// Spans that are in here.
    pub spans: u64,
}

/// A row's part of a bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub row: u32,
    /// Spans that ended in it.
    pub spans: u32,
    /// Nanoseconds that it took.
    pub time: u64,
}

/// The most rows of one bin; what comes later counts for the last one.
const SHARES: usize = 32;

impl Default for Bins {
    fn default() -> Bins {
        Bins { width: NARROW, bins: Vec::new(), spans: 0 }
    }
}

impl Bins {
    fn add(&mut self, span: &Span) {
        while span.end / self.width >= BINS as u64 {
            self.double();
        }
        self.spans += 1;
        let (first, last) = (span.start.min(span.end) / self.width, span.end / self.width);
        if self.bins.len() <= last as usize {
            self.bins.resize_with(last as usize + 1, Vec::new);
        }
        for bin in first..=last {
            let (begin, end) = (bin * self.width, (bin + 1) * self.width);
            let time = span.end.min(end).saturating_sub(span.start.max(begin));
            let share = Share { row: span.row, spans: u32::from(bin == last), time };
            Self::put(&mut self.bins[bin as usize], share);
        }
    }

    fn put(bin: &mut Vec<Share>, share: Share) {
        let at = bin.iter().position(|other| other.row == share.row);
        let full = bin.len() >= SHARES;
        match at.or(full.then_some(SHARES - 1)).and_then(|at| bin.get_mut(at)) {
            Some(known) => {
                known.spans = known.spans.saturating_add(share.spans);
                known.time += share.time;
            }
            None => bin.push(share),
        }
    }

    fn double(&mut self) {
        self.width *= 2;
        let half = self.bins.len().div_ceil(2);
        for at in 0..half {
            let mut bin = std::mem::take(&mut self.bins[2 * at]);
            for share in self.bins.get_mut(2 * at + 1).map(std::mem::take).unwrap_or_default() {
                Self::put(&mut bin, share);
            }
            self.bins[at] = bin;
        }
        self.bins.truncate(half);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u64, length: u64, row: u32) -> Span {
        Span { row, task: 0, start, end: start + length, bytes: 1 }
    }

    fn total(timeline: &Timeline) -> (u64, u64) {
        let shares = || timeline.bins.bins.iter().flatten();
        let spans = timeline.spans.len() as u64 + shares().map(|share| u64::from(share.spans)).sum::<u64>();
        (spans, timeline.spans.iter().map(Span::length).sum::<u64>() + shares().map(|share| share.time).sum::<u64>())
    }

    #[test]
    fn a_million_tasks_take_no_more_room_than_some_thousand() {
        let mut timeline = Timeline::new(1000);
        let (mut at, mut time) = (0, 0);
        for task in 0..1_000_000_u64 {
            let length = if task % 10_000 == 0 { 5_000_000 } else { 500 + task % 100 };
            timeline.add(span(at, length, (task % 7) as u32));
            (at, time) = (at + length + 10, time + length);
        }
        assert_eq!(total(&timeline), (1_000_000, time), "nothing is lost");
        assert!(timeline.spans.len() <= 1000 && timeline.bins.bins.len() <= BINS);
        assert_eq!(timeline.spans.iter().filter(|span| span.length() == 5_000_000).count(), 100, "long ones are kept");
        assert!(timeline.bins.bins.iter().all(|bin| bin.len() <= 7));
    }

    #[test]
    fn tasks_of_one_length_all_go_into_bins() {
        let mut timeline = Timeline::new(4);
        (0..9).for_each(|task| timeline.add(span(task * 100, 100, 0)));
        assert_eq!((timeline.spans.len(), timeline.bins.spans, timeline.shortest), (0, 9, 101));
    }

    #[test]
    fn more_rows_than_a_bin_has_room_for() {
        let mut bins = Bins::default();
        (0..100).for_each(|row| bins.add(&span(0, 10, row)));
        assert_eq!((bins.bins[0].len(), bins.bins[0].iter().map(|share| share.time).sum::<u64>()), (SHARES, 1000));
    }

    proptest! {
        /// Whatever comes in whatever order: counts and times are those of what came.
        #[test]
        fn sums_are_kept(spans in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 30, 0_u32..5), 0..300), most in 0_usize..50) {
            let mut timeline = Timeline::new(most);
            spans.iter().for_each(|&(start, length, row)| timeline.add(span(start, length, row)));
            let time = spans.iter().map(|(_, length, _)| length).sum::<u64>();
            prop_assert_eq!(total(&timeline), (spans.len() as u64, time));
            prop_assert!(timeline.spans.len() <= most.max(2) && timeline.bins.bins.len() <= BINS);
        }
    }
}
