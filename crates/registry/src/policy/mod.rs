//! Policies of projects that delete by themselves: untagged manifests, so far.

mod untagged;
