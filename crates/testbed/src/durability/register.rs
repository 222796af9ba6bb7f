//! One changeable thing as its clients know it: what it may be, given which changes were asked for and
//! which were answered.
//!
//! Invariant: a value is ruled out only when a change that began after that value's own answer was itself
//! answered. What was asked for and never answered stays possible for ever: it may have taken place.

/// A moment in the order of asking and answering.
pub type Tick = u64;

#[derive(Clone, Debug)]
struct Claim<V> {
    /// What the change makes of it; `None` is "not there".
    value: Option<V>,
    /// Set for a change that only takes place where the register holds this.
    instead_of: Option<V>,
    began: Tick,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Asked for; no answer yet, or none ever.
    Open,
    /// Acknowledged.
    Done(Tick),
    /// Refused: it did not take place.
    Void,
}

impl<V> Claim<V> {
    fn done(&self, as_of: Tick) -> Option<Tick> {
        match self.fate {
            Fate::Done(tick) if tick <= as_of => Some(tick),
            _ => None,
        }
    }
}

/// All that was asked of one thing.
#[derive(Clone, Debug)]
pub(super) struct Register<V> {
    claims: Vec<Claim<V>>,
}

impl<V: Clone + PartialEq> Register<V> {
    /// A thing that is known to be this, or not to be there.
    pub(super) fn known(value: Option<V>) -> Self {
        Self { claims: vec![Claim { value, instead_of: None, began: 0, fate: Fate::Done(0) }] }
    }

    /// Notes that a change is being asked for, and gives its place.
    pub(super) fn ask(&mut self, value: Option<V>, instead_of: Option<V>, now: Tick) -> usize {
        self.claims.push(Claim { value, instead_of, began: now, fate: Fate::Open });
        self.claims.len() - 1
    }

    pub(super) fn acknowledge(&mut self, place: usize, now: Tick) {
        self.claims[place].fate = Fate::Done(now);
    }

    pub(super) fn refuse(&mut self, place: usize) {
        self.claims[place].fate = Fate::Void;
    }

    /// Everything it may be for somebody who knows the answers up to this tick.
    pub(super) fn possible(&self, as_of: Tick) -> Vec<Option<V>> {
        let mut possible: Vec<Option<V>> = Vec::new();
        for claim in &self.claims {
            let alive = !matches!(claim.fate, Fate::Void) && !self.overwritten(claim, as_of);
            if alive && !possible.contains(&claim.value) {
                possible.push(claim.value.clone());
            }
        }
        possible
    }

    fn overwritten(&self, claim: &Claim<V>, as_of: Tick) -> bool {
        let Some(done) = claim.done(as_of) else { return false };
        self.claims.iter().any(|later| {
            let applies = later.instead_of.is_none() || later.instead_of == claim.value;
            applies && later.began > done && later.done(as_of).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Tick = Tick::MAX;

    #[test]
    fn an_answered_change_rules_out_what_was_answered_before_it_began() {
        let mut tag = Register::known(None);
        let one = tag.ask(Some(1), None, 1);
        assert_eq!(tag.possible(END), [None, Some(1)], "in doubt");
        tag.acknowledge(one, 2);
        assert_eq!(tag.possible(END), [Some(1)]);
        let two = tag.ask(Some(2), None, 3);
        tag.acknowledge(two, 4);
        assert_eq!(tag.possible(END), [Some(2)]);
        assert_eq!(tag.possible(3), [Some(1), Some(2)], "before the answer both are possible");
    }

    #[test]
    fn changes_at_one_time_may_have_come_in_either_order() {
        let mut tag = Register::known(None);
        let (one, two) = (tag.ask(Some(1), None, 1), tag.ask(Some(2), None, 2));
        tag.acknowledge(two, 3);
        tag.acknowledge(one, 4);
        assert_eq!(tag.possible(END), [Some(1), Some(2)]);
    }

    #[test]
    fn a_refused_change_did_not_take_place() {
        let mut tag = Register::known(Some(1));
        let gone = tag.ask(None, None, 1);
        tag.refuse(gone);
        assert_eq!(tag.possible(END), [Some(1)]);
    }

    #[test]
    fn a_conditional_change_rules_out_only_what_it_replaces() {
        let mut tag = Register::known(Some(1));
        let gone = tag.ask(None, Some(1), 1);
        assert_eq!(tag.possible(END), [Some(1), None]);
        tag.acknowledge(gone, 2);
        assert_eq!(tag.possible(END), [None]);
        let mut other = Register::known(Some(2));
        let gone = other.ask(None, Some(1), 1);
        other.acknowledge(gone, 2);
        assert_eq!(other.possible(END), [Some(2), None]);
    }
}
