//! What it costs to write and read records, in ns a record, and what the
//! codecs do, in MB/s of uncompressed data. The best of several rounds counts.
//!
//!     cargo bench -p protocol --bench records

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::records::{Batch, BatchBuilder, Compression, RecordBuffer, RecordIter, validate};

const RECORDS: usize = 10_000;
const ROUNDS: usize = 50;
const LIMIT: usize = 64 << 20;

fn main() {
    let value = [b'v'; 100];
    let mut buffer = RecordBuffer::new();
    let mut builder = BatchBuilder::new(Compression::None);
    show(
        "push to a buffer",
        best(|| {
            buffer.clear();
            for _ in 0..RECORDS {
                buffer.push(-1, None, Some(black_box(&value)), &[]);
            }
        }),
    );
    show(
        "write field by field to a buffer",
        best(|| {
            buffer.clear();
            for _ in 0..RECORDS {
                let mut record = buffer.begin(-1);
                record.value(Some(black_box(&value)));
                record.commit();
            }
        }),
    );
    show(
        "append to a batch",
        best(|| {
            for timestamp in 0..RECORDS {
                builder.append(timestamp as i64, None, Some(black_box(&value)), &[]);
            }
            black_box(builder.build());
        }),
    );
    show(
        "copy a buffer to a batch",
        best(|| {
            builder.append_buffer(black_box(&buffer), 0..RECORDS, 1_000);
            black_box(builder.build());
        }),
    );

    builder.append_buffer(&buffer, 0..RECORDS, 1_000);
    let batch = Batch::from_bytes(builder.build()).unwrap();
    let section = batch.record_section(LIMIT).unwrap();
    show("check the CRC", best(|| black_box(&batch).verify_crc().unwrap()));
    show(
        "read",
        best(|| {
            for record in RecordIter::new(batch.header(), black_box(&section)) {
                black_box(record.unwrap());
            }
        }),
    );
    show(
        "validate",
        best(|| {
            black_box(validate(black_box(&batch), LIMIT).unwrap());
        }),
    );

    let json: Bytes = (0..8_000)
        .flat_map(|n: u64| {
            let reading = n.wrapping_mul(2_654_435_761) % 100_000;
            format!("{{\"device\":\"sensor-{}\",\"sequence\":{n},\"reading\":{reading},\"unit\":\"mV\",\"state\":\"ok\"}}", n % 50)
                .into_bytes()
        })
        .collect();
    for compression in Compression::ALL {
        let compressed = compression.compress(&json, None);
        let compressing = best(|| drop(black_box(compression.compress(black_box(&json), None))));
        let decompressing =
            best(|| drop(black_box(compression.decompress(black_box(&compressed), LIMIT))));
        let speed = |time: Duration| json.len() as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{compression:>32}: {:>6.0} MB/s written, {:>6.0} MB/s read, ratio {:.1}",
            speed(compressing),
            speed(decompressing),
            json.len() as f64 / compressed.len() as f64,
        );
    }
}

fn best(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap()
}

fn show(what: &str, time: Duration) {
    println!("{what:>32}: {:>6.1} ns a record", time.as_nanos() as f64 / RECORDS as f64);
}
