//! The moment of a cut: at a chosen request to the disk, for at any other time its cache is mostly empty.
//!
//! Invariant: from the moment of a cut until whoever wanted it has looked at the world, the disk answers
//! nothing; so nobody is told meanwhile of anything that the cut may lack.

use std::sync::mpsc::{Receiver, Sender};

use super::platter::Platter;

/// A request to the disk, counted from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// After the write of this number.
    Write(usize),
    /// Before the flush of this number makes anything durable.
    Flush(usize),
}

/// A cut that waits for its moment.
pub(super) struct Plug {
    pub(super) moment: Moment,
    /// Where the disk as it was then goes, its cache included.
    pub(super) pulled: Sender<Platter>,
    /// Anything that comes from here, the end of it included, lets the disk go on.
    pub(super) go_on: Receiver<()>,
}

/// A platter in use.
#[derive(Default)]
pub(super) struct Powered {
    pub(super) platter: Platter,
    pub(super) plug: Option<Plug>,
}

impl Powered {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.platter.write(offset, bytes);
        if let Some(Plug { moment: Moment::Write(left), .. }) = &mut self.plug {
            *left = left.saturating_sub(1);
        }
        self.pull();
    }

    pub(super) fn flush(&mut self) {
        if let Some(Plug { moment: Moment::Flush(left), .. }) = &mut self.plug {
            *left = left.saturating_sub(1);
        }
        self.pull();
        self.platter.flush();
    }

    fn pull(&mut self) {
        let due = |plug: &mut Plug| matches!(plug.moment, Moment::Write(0) | Moment::Flush(0));
        if let Some(plug) = self.plug.take_if(due)
            && plug.pulled.send(self.platter.clone()).is_ok()
        {
            // Whoever gave up looking has no more need of a disk that stands still.
            let _ = plug.go_on.recv();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn pulled_at(moment: Moment) -> Vec<u8> {
        let (pulled, taken) = channel();
        let (resume, go_on) = channel();
        drop(resume);
        let mut disk = Powered { plug: Some(Plug { moment, pulled, go_on }), ..Powered::default() };
        for number in 1..=3 {
            disk.write(0, &[number]);
            disk.flush();
        }
        let (cut, mut byte) = (taken.try_recv().unwrap(), vec![0]);
        assert!(taken.try_recv().is_err(), "it is pulled once");
        cut.read(0, &mut byte);
        // What a cut surely keeps is what the flushes before it made durable.
        let (kept, mut durable) = (cut.durable(), vec![0]);
        kept.read(0, &mut durable);
        [byte, durable].concat()
    }

    #[test]
    fn is_pulled_after_a_write_and_before_a_flush() {
        assert_eq!(pulled_at(Moment::Write(2)), [2, 1]);
        assert_eq!(pulled_at(Moment::Flush(3)), [3, 2]);
    }
}
