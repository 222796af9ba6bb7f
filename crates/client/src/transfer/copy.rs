//! Copying an image from registry to registry: every platform, and what refers to it. Nothing is kept on this machine.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest, MediaType, Reference, Tag, media_type};
use hythe_remote::Expected;
use serde_json::json;

use super::parts::Parts;
use super::pull::Gathered;
use super::push_layout::push_document;
use super::target::{PushOptions, Pushed, Tally};
use super::{PullOptions, Target, TransferError};
use crate::progress::{Event, Layer, Plan, Reporter, TransferKind};
use crate::source::{Document, Platform};

/// The most manifests that refer to an image, at any distance, that go along.
const MOST_REFERRERS: usize = 10_000;

/// What a copy may choose.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// This part of an index alone; everything if left out.
    pub platform: Option<Platform>,
    /// Whether signatures, attestations and whatever else refers to the image go along.
    pub referrers: bool,
    /// How many blobs move at once; 4 if left out.
    pub jobs: Option<NonZeroUsize>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { platform: None, referrers: true, jobs: None }
    }
}

/// Everything that is copied.
struct Whole {
    root: Document,
    /// Every other manifest, what is named before what names it, referrers behind what they refer to.
    documents: Vec<Document>,
    blobs: Vec<Descriptor>,
    /// By subject.
    referrers: HashMap<Digest, Vec<Document>>,
}

impl Target {
    /// Copies an image of this repository into another one, of this or any other registry. Within a registry the blobs
    /// are mounted.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn copy_to(
        &self,
        reference: &Reference,
        to: &Self,
        tag: Option<&Tag>,
        options: &CopyOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let copied = async {
            let whole = self.whole(reference, options).await?;
            let listed = whole
                .blobs
                .iter()
                .zip(0..)
                .map(|(blob, at)| Layer::new(at, Some(blob.digest), None, Some(blob.size)));
            let source = self.named_reference(reference);
            let plan = Plan::new(TransferKind::Copy, source, to.named(tag), listed.collect());
            reporter.tell(|| Event::Plan(plan));
            self.bring_whole(&whole, to, tag, options, reporter).await
        };
        let copied = copied.await;
        match &copied {
            Ok(pushed) => reporter.tell(|| Event::Finished { digest: pushed.digest }),
            Err(error) => reporter.failed(&error.to_string()),
        }
        copied
    }

    /// The image that would be copied, and the blobs of it and of what refers to it.
    pub(super) async fn copied(
        &self,
        reference: &Reference,
        options: &CopyOptions,
    ) -> Result<(Digest, Vec<(Digest, u64)>), TransferError> {
        let whole = self.whole(reference, options).await?;
        Ok((whole.root.digest, whole.blobs.iter().map(|blob| (blob.digest, blob.size)).collect()))
    }

    async fn whole(&self, reference: &Reference, options: &CopyOptions) -> Result<Whole, TransferError> {
        let root = if options.platform.is_some() {
            let options = PullOptions { platform: options.platform.clone(), jobs: options.jobs };
            self.one_platform(reference, &options).await?
        } else {
            self.remote.pull_manifest(&self.repository, reference).await?.into()
        };
        // One measure for all of it: whoever refers to an image may be anybody.
        let mut gathered = Gathered::default();
        let (mut documents, mut blobs) = self.gather_within(&root, &mut gathered).await?;
        documents.reverse();
        let mut referrers = HashMap::<Digest, Vec<Document>>::new();
        if options.referrers {
            let mut met: HashSet<Digest> = documents.iter().map(|document| document.digest).collect();
            met.insert(root.digest);
            let mut open: Vec<Digest> = met.iter().copied().collect();
            while let Some(subject) = open.pop() {
                for found in self.remote.referrers(&self.repository, &subject, None).await?.descriptors {
                    if !met.insert(found.digest) {
                        continue;
                    }
                    if met.len() > MOST_REFERRERS {
                        let problem = format!(
                            "More than {MOST_REFERRERS} manifests refer to the image: copy it without them."
                        );
                        return Err(TransferError::Invalid(problem));
                    }
                    let reference = Reference::Digest(found.digest);
                    let document: Document =
                        self.remote.pull_manifest(&self.repository, &reference).await?.into();
                    let (below, more) = self.gather_within(&document, &mut gathered).await?;
                    documents.extend(below.into_iter().rev());
                    blobs.extend(more);
                    open.push(document.digest);
                    referrers.entry(subject).or_default().push(document);
                }
            }
        }
        let mut met = HashSet::new();
        blobs.retain(|blob| met.insert(blob.digest));
        Ok(Whole { root, documents, blobs, referrers })
    }

    async fn bring_whole(
        &self,
        whole: &Whole,
        to: &Self,
        tag: Option<&Tag>,
        options: &CopyOptions,
        reporter: &Reporter,
    ) -> Result<Pushed, TransferError> {
        let same = self.remote.origin() == to.remote.origin();
        let mount_from = if same { vec![self.repository.clone()] } else { Vec::new() };
        let push = PushOptions { jobs: options.jobs, mount_from, ..PushOptions::default() };
        let parts = Parts::of(whole.blobs.iter().map(|blob| blob.size));
        let mut tally = Tally::default();
        let mut moving = stream::iter(whole.blobs.clone().into_iter().zip(0..))
            .map(|(blob, at)| {
                let (layer, parts, push) = (reporter.layer(at), parts.clone(), &push);
                async move {
                    let expected = Expected { digest: blob.digest, size: blob.size };
                    // What is read is what is sent: counted once, by the upload.
                    let silent = Reporter::silent().layer(at);
                    let content =
                        |offset| self.content(&blob, offset, &parts, &silent).map_err(std::io::Error::from);
                    to.bring(expected, content, push, &layer).await
                }
            })
            .buffer_unordered(push.jobs());
        while let Some(brought) = moving.try_next().await? {
            tally.count(brought);
        }
        drop(moving);
        reporter.tell(|| Event::Finalising);
        for document in &whole.documents {
            push_document(to, document, &Reference::Digest(document.digest)).await?;
        }
        push_document(to, &whole.root, &Self::reference(tag, &whole.root.digest)).await?;
        for (subject, referrers) in &whole.referrers {
            for referrer in referrers {
                push_document(to, referrer, &Reference::Digest(referrer.digest)).await?;
            }
            to.list_referrers(subject, referrers).await?;
        }
        Ok(tally.pushed(whole.root.digest))
    }

    /// Sees to it that a registry tells of these referrers: one that keeps no list of them is given the one that clients
    /// keep under the fallback tag (distribution specification, "Pushing Manifests with Subject").
    async fn list_referrers(&self, subject: &Digest, referrers: &[Document]) -> Result<(), TransferError> {
        let listed = self.remote.referrers(&self.repository, subject, None).await?.descriptors;
        let missing: Vec<_> = referrers
            .iter()
            .filter(|referrer| listed.iter().all(|listed| listed.digest != referrer.digest))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let known = listed.iter().map(|listed| {
            json!({
                "mediaType": listed.media_type, "digest": listed.digest, "size": listed.size,
                "artifactType": listed.artifact_type, "annotations": listed.annotations,
            })
        });
        let mut entries: Vec<_> = known.collect();
        for referrer in missing {
            let manifest = super::push_layout::parse(referrer)?;
            entries.push(json!({
                "mediaType": referrer.media_type.as_str(), "digest": referrer.digest,
                "size": referrer.bytes.len(), "artifactType": manifest.referrer_type(),
                "annotations": manifest.annotations,
            }));
        }
        let kind = media_type::OCI_INDEX;
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": entries });
        let failed = |error: String| {
            TransferError::Invalid(format!("The list of referrers cannot be written: {error}"))
        };
        let bytes: bytes::Bytes =
            serde_json::to_vec(&index).map_err(|error| failed(error.to_string()))?.into();
        let kind = MediaType::parse(kind).map_err(|error| failed(error.to_string()))?;
        let tag = Reference::Tag(subject.fallback_tag());
        self.remote.push_manifest(&self.repository, &tag, &kind, bytes).await?;
        Ok(())
    }
}
