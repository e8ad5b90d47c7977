//! Python's `plistlib` reads what we write.

use std::{
    env,
    io::Write as _,
    process::{Command, Stdio},
};

use mdm_plist::{Dictionary, Value, from_slice, to_binary, to_xml};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestRunner},
};

use crate::property::tree;

/// Reads hexadecimal documents, one a line, and answers each with its tree in a notation of its own.
const SCRIPT: &str = r#"
import plistlib, sys, datetime, struct

def show(v):
    if isinstance(v, bool): return 'b%d' % v
    if isinstance(v, int): return 'i%d' % v
    if isinstance(v, float): return 'r' + struct.pack('>d', v).hex()
    if isinstance(v, str): return 's' + v.encode().hex()
    if isinstance(v, bytes): return 'x' + v.hex()
    if isinstance(v, datetime.datetime): return 'd' + v.isoformat(timespec='seconds')
    if isinstance(v, list): return '[' + ''.join(show(i) + ',' for i in v) + ']'
    if isinstance(v, dict): return '{' + ''.join(k.encode().hex() + ':' + show(i) + ',' for k, i in sorted(v.items(), key=lambda e: e[0].encode())) + '}'
    raise TypeError(type(v))

for line in sys.stdin:
    print(show(plistlib.loads(bytes.fromhex(line.strip()))))
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn show(value: &Value) -> String {
    match value {
        Value::Boolean(v) => format!("b{}", u8::from(*v)),
        Value::Integer(v) => format!("i{v}"),
        Value::Real(v) => format!("r{}", hex(&v.to_be_bytes())),
        Value::String(v) => format!("s{}", hex(v.as_bytes())),
        Value::Data(v) => format!("x{}", hex(v)),
        Value::Date(v) => format!("d{}", v.to_xml_format().trim_end_matches('Z')),
        Value::Array(v) => format!("[{}]", v.iter().map(|v| show(v) + ",").collect::<String>()),
        Value::Dictionary(v) => {
            let mut entries: Vec<_> = v.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_bytes());
            let entries = entries
                .iter()
                .map(|(k, v)| format!("{}:{},", hex(k.as_bytes()), show(v)));
            format!("{{{}}}", entries.collect::<String>())
        }
        other => panic!("{other:?}"),
    }
}

/// Python knows no year 0.
fn year_zero(value: &Value) -> bool {
    match value {
        Value::Date(date) => date.to_xml_format().starts_with("0000"),
        Value::Array(values) => values.iter().any(year_zero),
        Value::Dictionary(entries) => entries.values().any(year_zero),
        _ => false,
    }
}

#[test]
fn plistlib_reads_what_we_write() {
    let python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut python = match python {
        Ok(python) => python,
        Err(error) if env::var_os("REQUIRE_PEERS").is_some_and(|v| v == "1") => {
            panic!("python3 is required: {error}")
        }
        Err(error) => {
            println!("skipped: python3 cannot be started: {error}");
            return;
        }
    };

    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let mut values = vec![Value::Dictionary(Dictionary::from_iter([
        ("nul", Value::from("a\0b")),
        ("cr", Value::from("a\r\nb\rc")),
    ]))];
    while values.len() < 300 {
        let value = tree().new_tree(&mut runner).unwrap().current();
        if !year_zero(&value) {
            values.push(value);
        }
    }

    let mut input = String::new();
    let mut expected = String::new();
    for value in &values {
        for bytes in [to_xml(value).unwrap(), to_binary(value).unwrap()] {
            input += &(hex(&bytes) + "\n");
            let as_written: Value = from_slice(&bytes).unwrap();
            expected += &(show(&as_written) + "\n");
        }
    }
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answered = String::from_utf8(output.stdout).unwrap();
    for (number, (answered, expected)) in answered.lines().zip(expected.lines()).enumerate() {
        assert_eq!(answered, expected, "document {number}");
    }
    assert_eq!(answered.lines().count(), 2 * values.len());
}
