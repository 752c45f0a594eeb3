//! Round trips, and a decoder fed with anything.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        (-1e300..1e300_f64).prop_map(Value::Real),
        ".{0,20}".prop_map(Value::Text),
        vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        "-?[0-9]{1,12}\\.[0-9]{2}".prop_map(Value::Decimal),
        any::<i64>().prop_map(Value::Timestamp),
        ".{0,20}".prop_map(Value::Json),
        "[0-9a-f-]{36}".prop_map(Value::Uuid),
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    (1..6_usize).prop_flat_map(|columns| {
        (vec("\\PC{0,12}", columns), vec(vec(value(), columns), 0..12))
            .prop_map(|(columns, rows)| Rows { columns, rows })
    })
}

proptest! {
    #[test]
    fn round_trips(rows in rows(), more: bool) {
        let bytes = encode(&rows, more).unwrap();
        prop_assert_eq!(decode(&bytes), Ok((rows, more)));
    }

    #[test]
    fn any_bytes_end_in_an_answer(bytes in vec(any::<u8>(), 0..200)) {
        let _answer = decode(&bytes);
    }

    #[test]
    fn every_truncation_is_refused(rows in rows(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&rows, false).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(decode(bytes.get(..cut).unwrap()).is_err());
    }
}

#[test]
fn claims_of_billions_cost_nothing() {
    let mut bytes = vec![1, 0, 0, 0];
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&bytes).unwrap().0.rows.len(), 0);
    let mut bytes = vec![1, 0, 1, 0];
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(&[1, 0, b'a', TEXT, 255, 255, 255, 255]);
    assert_eq!(decode(&bytes), Err(InvalidPacked::Short));
}

#[test]
fn the_documented_bytes() {
    let rows = Rows {
        columns: vec!["n".into()],
        rows: vec![vec![Value::Integer(-2)], vec![Value::Text("é".into())]],
    };
    let expected = [
        &[1, 1, 1, 0, 2, 0, 0, 0, 1, 0, b'n'][..],
        &[3, 254, 255, 255, 255, 255, 255, 255, 255],
        &[5, 2, 0, 0, 0, 0xC3, 0xA9],
    ]
    .concat();
    assert_eq!(encode(&rows, true).unwrap(), expected);
}
