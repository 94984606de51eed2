//! What the node must remember besides records: its topics, their ids and
//! settings, how often it started, which producer ids it gave out.
//!
//! Every change is one record, or a few that belong together, in a log of its
//! own, synced before anybody is told. Kafka keeps the same in
//! `__cluster_metadata`; a node without a quorum needs no more than a file.

mod image;
mod log;
mod lost;
mod record;

pub(crate) use image::MetadataImage;
pub(crate) use log::{MetadataError, MetadataLog};
pub(crate) use lost::refuse_lost;
pub(crate) use record::MetadataRecord;

/// The metadata and the log that keeps it.
#[derive(Debug)]
pub(crate) struct Metadata {
    log: MetadataLog,
    image: MetadataImage,
}

impl Metadata {
    /// What was read from the log, and the log.
    pub(crate) fn new(log: MetadataLog, image: MetadataImage) -> Self {
        Self { log, image }
    }

    /// The metadata as of the last change.
    pub(crate) fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Makes the changes durable, all or none, and then visible in the image.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// When the log cannot be written or synced; none of the changes holds
    /// then, and no later one is taken.
    pub(crate) fn commit(&mut self, records: &[MetadataRecord]) -> Result<(), MetadataError> {
        self.log.append(records)?;
        records.iter().for_each(|record| self.image.apply(record));
        Ok(())
    }
}
