//! What refers to an image: by the registry's list, under cosign's tags, or in the index itself.

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest, Reference, Tag};

use super::{FoundBy, Referrer};
use crate::transfer::{Target, TransferError};

/// The ends of the tags that cosign sets, and what is under them.
const TAGS: [(&str, &str); 3] =
    [("sig", "cosign signature"), ("att", "cosign attestation"), ("sbom", "cosign bill of materials")];

/// The annotations by which BuildKit says what an entry of an index is about.
const BUILDKIT_TYPE: &str = "vnd.docker.reference.type";
const BUILDKIT_SUBJECT: &str = "vnd.docker.reference.digest";

/// What refers to one of these manifests.
pub(super) async fn of(target: &Target, subjects: &[Digest]) -> Result<Vec<Referrer>, TransferError> {
    let mut found = Vec::new();
    for subject in subjects {
        let listed = target.remote().referrers(target.repository(), subject, None).await?;
        found.extend(listed.descriptors.into_iter().map(|listed| Referrer {
            artifact_type: listed.artifact_type,
            digest: listed.digest,
            size: listed.size,
            subject: *subject,
            found_by: FoundBy::Subject,
        }));
        let asked = TAGS.map(|(end, kind)| tagged(target, subject, end, kind).boxed());
        let tagged: Vec<Option<Referrer>> = stream::iter(asked).buffered(TAGS.len()).try_collect().await?;
        found.extend(tagged.into_iter().flatten());
    }
    Ok(found)
}

async fn tagged(
    target: &Target,
    subject: &Digest,
    end: &str,
    kind: &str,
) -> Result<Option<Referrer>, TransferError> {
    let Ok(tag) = format!("{}.{end}", subject.fallback_tag()).parse::<Tag>() else { return Ok(None) };
    match target.remote().resolve(target.repository(), &Reference::Tag(tag)).await {
        Ok(there) => Ok(Some(Referrer {
            artifact_type: Some(kind.to_owned()),
            digest: there.digest,
            size: there.size,
            subject: *subject,
            found_by: FoundBy::Tag,
        })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The attestations that an index names among its platforms.
pub(super) fn in_index(children: &[Descriptor]) -> Vec<Referrer> {
    let attestation = |child: &Descriptor| {
        let kind = child.annotations.get(BUILDKIT_TYPE)?;
        let subject = child.annotations.get(BUILDKIT_SUBJECT)?.parse().ok()?;
        Some(Referrer {
            artifact_type: Some(kind.clone()),
            digest: child.digest,
            size: child.size,
            subject,
            found_by: FoundBy::Index,
        })
    };
    children.iter().filter_map(attestation).collect()
}
