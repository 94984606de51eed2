//! Record sets, read in every way.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::records::{HEADER_SIZE, LOG_OVERHEAD, RecordIter, batches, edit, validate};

const LIMIT: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    read(input);
    // The same with the length and the format that a whole batch has.
    if input.len() >= HEADER_SIZE {
        let mut batch = input.to_vec();
        let length = (batch.len() - LOG_OVERHEAD) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        read(&batch);
        edit::set_log_append_time(&mut batch, 1).expect("the batch is whole");
        assert!(
            batches(Bytes::from(batch))
                .all(|batch| batch.is_ok_and(|batch| batch.verify_crc().is_ok()))
        );
    }
});

fn read(set: &[u8]) {
    for batch in batches(Bytes::copy_from_slice(set)) {
        let Ok(batch) = batch else { continue };
        let validated = validate(&batch, LIMIT);
        let Ok(section) = batch.record_section(LIMIT) else { continue };
        let records: Result<Vec<_>, _> = RecordIter::new(batch.header(), &section).collect();
        if let Ok(validated) = validated {
            let records = records.expect("a valid batch can be read");
            assert_eq!(records.len(), validated.records_count as usize);
            assert!(
                records.iter().all(|record| record.headers.iter().count() == record.headers.len())
            );
        }
    }
}
