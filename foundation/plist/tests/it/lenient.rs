//! Reading all but what is malformed.

use mdm_plist::{Dictionary, Limits, Value, from_slice, from_slice_leniently, to_binary};

use crate::document::plist;

fn read(content: &str) -> (Dictionary, Vec<String>) {
    let (value, malformed) = from_slice_leniently(&plist(content), &Limits::default()).unwrap();
    let paths = malformed.iter().map(ToString::to_string).collect();
    (value.into_dictionary().unwrap(), paths)
}

#[test]
fn a_sound_document_reads_as_it_does_strictly() {
    let content = "<dict><key>a</key><array><integer>1</integer><dict/><array/></array>
        <key>b</key><date>2026-11-05T09:00:00Z</date><key>c</key><data>AQI=</data>
        <key>d</key><real>1.5</real><key>e</key><string>x</string><key>f</key><true/></dict>";
    let (read, malformed) = read(content);
    assert_eq!(read, from_slice(&plist(content)).unwrap());
    assert!(malformed.is_empty());
    let binary = to_binary(&read).unwrap();
    let (again, _) = from_slice_leniently(&binary, &Limits::default()).unwrap();
    assert_eq!(again, Value::Dictionary(read));
}

#[test]
fn malformed_scalars_are_left_out_and_named() {
    for scalar in [
        "<integer>abc</integer>",
        "<integer>99999999999999999999</integer>",
        "<real>much</real>",
        "<date>soon</date>",
        "<data>!!</data>",
    ] {
        let (read, malformed) = read(&format!(
            "<dict><key>a</key>{scalar}<key>b</key><dict><key>c</key>{scalar}
             <key>d</key><true/></dict>
             <key>e</key><array><true/>{scalar}<dict><key>f</key>{scalar}</dict></array>
             <key>g</key><array><dict><key>h</key>{scalar}</dict></array></dict>"
        ));
        assert_eq!(malformed, ["a", "b.c", "e[1]", "e[2].f", "g[0].h"]);
        assert!(read.keys().eq(["b", "g"]), "{read:?}");
        assert!(read["b"].as_dictionary().unwrap().keys().eq(["d"]));
        assert_eq!(read["g"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn of_equal_keys_the_last_counts_also_where_it_is_malformed() {
    let (read, malformed) = read(
        "<dict><key>a</key><true/><key>a</key><integer>x</integer>
         <key>b</key><integer>x</integer><key>b</key><true/></dict>",
    );
    assert!(read.keys().eq(["b"]));
    assert_eq!(malformed, ["a", "b"]);
}

#[test]
fn limits_and_broken_documents_are_not_excused() {
    let limits = Limits::default().with(|l| l.items = 3);
    let many = plist("<array><integer>x</integer><true/><true/></array>");
    assert!(from_slice_leniently(&many, &limits).unwrap_err().is_limit());
    let short = Limits::default().with(|l| l.bytes = 10);
    assert!(from_slice_leniently(&many, &short).unwrap_err().is_limit());
    for broken in [
        "<integer>x</integer>",
        "<array><integer>x</integer>",
        "<dict><true/></dict>",
        "<array><integer>x</integer><string></array>",
    ] {
        assert!(from_slice_leniently(&plist(broken), &Limits::default()).is_err());
    }
    assert!(from_slice_leniently(b"{}", &Limits::default()).is_err());
}
