//! Layers, and the steps of the history that made them.

use hythe_oci::{Descriptor, Digest, media_type};

use super::configuration::Step;
use super::{HistoryStep, LayerCompression, LayerInfo};

/// The layers of a manifest. The configuration's digests are told when there is one for each layer.
pub(super) fn layers(described: &[Descriptor], diff_ids: &[Digest]) -> Vec<LayerInfo> {
    let told = diff_ids.len() == described.len();
    let layer = |(at, layer): (usize, &Descriptor)| LayerInfo {
        digest: layer.digest,
        size: layer.size,
        compression: compression(layer),
        media_type: layer.media_type.clone().unwrap_or_default(),
        diff_id: diff_ids.get(at).filter(|_| told).copied(),
    };
    described.iter().enumerate().map(layer).collect()
}

fn compression(layer: &Descriptor) -> LayerCompression {
    let Some(kind) = layer.essence() else { return LayerCompression::Unknown };
    match kind.as_str().rsplit(['+', '.']).next() {
        Some("gzip") => LayerCompression::Gzip,
        Some("zstd") => LayerCompression::Zstd,
        Some("tar") => LayerCompression::None,
        _ if kind.as_str() == media_type::OCI_LAYER => LayerCompression::None,
        _ => LayerCompression::Unknown,
    }
}

/// The history, each step beside the layer it made. Where steps and layers do not match, no layer is told.
pub(super) fn history(steps: Vec<Step>, layers: &[LayerInfo]) -> Vec<HistoryStep> {
    let matching = steps.iter().filter(|step| !step.empty_layer).count() == layers.len();
    let mut made = layers.iter();
    let step = |step: Step| {
        let layer = if step.empty_layer || !matching { None } else { made.next() };
        HistoryStep {
            created: step.created,
            created_by: step.created_by,
            comment: step.comment.filter(|comment| !comment.is_empty()),
            empty: step.empty_layer,
            layer: layer.map(|layer| layer.digest),
            size: layer.map(|layer| layer.size),
        }
    };
    steps.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn layer(size: u64) -> LayerInfo {
        LayerInfo {
            digest: Digest::of(Algorithm::Sha256, &size.to_be_bytes()),
            size,
            compression: LayerCompression::Gzip,
            media_type: String::new(),
            diff_id: None,
        }
    }

    fn step(empty_layer: bool) -> Step {
        Step { empty_layer, ..Step::default() }
    }

    #[test]
    fn an_empty_step_takes_no_layer() {
        let told = history(vec![step(false), step(true), step(false)], &[layer(1), layer(2)]);
        assert_eq!(told.iter().map(|step| step.size).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    }

    #[test]
    fn steps_that_do_not_match_take_none() {
        for steps in [vec![step(false)], vec![step(false), step(false), step(false)]] {
            assert!(history(steps, &[layer(1), layer(2)]).iter().all(|step| step.size.is_none()));
        }
    }
}
