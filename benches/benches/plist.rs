//! Our property-list codec over time: `cargo bench -p mdm-benches --bench plist`.
#![allow(clippy::expect_used, missing_docs)] // A bench has nobody to report an error to.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mdm_benches::documents;
use mdm_plist::{Value, from_slice, to_binary, to_xml};

fn codec(criterion: &mut Criterion) {
    for (name, xml) in [
        ("device information 4 KB", documents::device_information()),
        ("application list 200 KB", documents::application_list()),
    ] {
        let tree: Value = from_slice(xml.as_bytes()).expect("the document is sound");
        let binary = to_binary(&tree).expect("the tree has a binary form");
        let mut group = criterion.benchmark_group(name);

        group.throughput(Throughput::Bytes(xml.len() as u64));
        group.bench_function("read XML", |bencher| {
            bencher.iter(|| from_slice::<Value>(black_box(xml.as_bytes())));
        });
        group.bench_function("write XML", |bencher| {
            bencher.iter(|| to_xml(black_box(&tree)));
        });

        group.throughput(Throughput::Bytes(binary.len() as u64));
        group.bench_function("read binary", |bencher| {
            bencher.iter(|| from_slice::<Value>(black_box(&binary)));
        });
        group.bench_function("write binary", |bencher| {
            bencher.iter(|| to_binary(black_box(&tree)));
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
