//! The untagged policy: a project may give up manifests that have had no tag for so many days and
//! that no index lists and no subject holds. Projects without the policy keep everything.

use hythe_store::records::collect::Protection;
use hythe_store::records::leases::LeaseBucket;

use crate::collect::{CollectReport, Run};
use crate::{Error, Registry};

/// Manifests looked at in one read.
const PAGE: u32 = 500;

impl Registry {
    pub(crate) async fn collect_untagged(
        &self,
        run: &mut Run,
        report: &mut CollectReport,
    ) -> Result<(), Error> {
        let mut last = None;
        loop {
            let projects = self.records().read(move |r| r.projects_with_untagged_policy(last, 100)).await?;
            let Some((id, _)) = projects.last().copied() else {
                return Ok(());
            };
            last = Some(id);
            for (project, age) in projects {
                let protection = Protection {
                    before: run.started.minus(age),
                    leased_since: LeaseBucket::at(run.started.minus(self.options().lease)),
                };
                let mut position = i64::MIN;
                loop {
                    let page = self
                        .records()
                        .read(move |r| r.untagged_manifests(project, protection, position, PAGE))
                        .await?;
                    let Some(end) = page.last() else { break };
                    position = end.position;
                    for candidate in page {
                        if !run.preview {
                            run.pace().await;
                            let now = self.now();
                            let wanted = candidate.clone();
                            let gone = self
                                .records()
                                .write(move |w| w.collect_untagged(&wanted, protection, now))
                                .await?;
                            if !gone {
                                continue;
                            }
                        }
                        report.untagged_manifests.add(candidate.size);
                    }
                }
            }
        }
    }
}
